"""The Kubernetes manifests fit together; that each fits its schema, `make check` says."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
Manifest = dict[str, Any]


@pytest.fixture
def manifests() -> dict[str, Manifest]:
    """By kind."""
    return {m["kind"]: m for path in DEPLOY.glob("*.yaml") for m in yaml.safe_load_all(path.read_text())}


def test_kustomization_lists_every_manifest(manifests: dict[str, Manifest]) -> None:
    assert set(manifests["Kustomization"]["resources"]) == {p.name for p in DEPLOY.glob("*.yaml")} - {
        "kustomization.yaml"
    }


def test_service_and_disruption_budget_select_the_pods(manifests: dict[str, Manifest]) -> None:
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert manifests["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert manifests["Service"]["spec"]["selector"] == labels


def test_autoscaler_scales_the_deployment(manifests: dict[str, Manifest]) -> None:
    target, deployment = manifests["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"], manifests["Deployment"]
    assert (target["apiVersion"], target["kind"]) == (deployment["apiVersion"], deployment["kind"])
    assert target["name"] == deployment["metadata"]["name"]


def test_pods_have_few_rights_and_what_they_scale_by(manifests: dict[str, Manifest]) -> None:
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    (metric,) = manifests["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert metric["resource"]["name"] in container["resources"]["requests"]  # utilization is a share of the request


def test_ports_and_volumes_are_those_of_the_container(manifests: dict[str, Manifest]) -> None:
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ports = {port["name"] for port in container["ports"]}
    probes = [container[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "readiness", "liveness")]
    assert {*probes, manifests["Service"]["spec"]["ports"][0]["targetPort"]} <= ports
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_answers_fit_into_the_time_to_stop(manifests: dict[str, Manifest]) -> None:
    settings = Settings.model_construct()  # the defaults
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    service = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]["tintflow"]
    waits = [pod["terminationGracePeriodSeconds"], int(service["stop_grace_period"].removesuffix("s"))]
    assert min(waits) > settings.answer_seconds


@pytest.mark.skipif(not shutil.which("kustomize"), reason="needs kustomize")
def test_kustomize_builds_all_of_it(manifests: dict[str, Manifest]) -> None:
    built = subprocess.run(["kustomize", "build", DEPLOY], check=True, capture_output=True, text=True)  # noqa: S603,S607
    kinds = [manifest["kind"] for manifest in yaml.safe_load_all(built.stdout)]
    assert sorted(kinds) == sorted(manifests.keys() - {"Kustomization"})


@pytest.fixture
def ray_service() -> Manifest:
    loaded: Manifest = yaml.safe_load((DEPLOY / "ray" / "rayservice.yaml").read_text())["spec"]
    return loaded


def test_ray_accepts_what_kuberay_is_to_serve(ray_service: Manifest) -> None:
    from ray.serve.schema import ServeDeploySchema

    from service.cluster.serve import Ingress, Model

    (application,) = ServeDeploySchema.model_validate(yaml.safe_load(ray_service["serveConfigV2"])).applications
    known: list[Any] = [Ingress, Model]
    assert [each.name for each in application.deployments] == [each.name for each in known]


def test_kuberays_pods_have_the_time_that_replicas_have_to_stop(ray_service: Manifest) -> None:
    from service.cluster.serve import ANSWER_SECONDS

    assert Settings.model_construct().answer_seconds < ANSWER_SECONDS
    for group in ray_service["rayClusterConfig"]["workerGroupSpecs"]:
        assert group["template"]["spec"]["terminationGracePeriodSeconds"] > ANSWER_SECONDS


def test_kuberays_pods_fit_their_schema(ray_service: Manifest) -> None:
    cluster = ray_service["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ray"}, **group["template"]}
        kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)
