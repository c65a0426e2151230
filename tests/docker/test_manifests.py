"""The Kubernetes manifests are consistent with each other; `make check` checks their schemas."""

import copy
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from service.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS: dict[str, Any] = {
    each["kind"]: each for path in DEPLOY.glob("*.yaml") for each in yaml.safe_load_all(path.read_text())
}
"""By kind."""
DEPLOYMENT = MANIFESTS["Deployment"]
POD = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
KEYS, PATCH = (
    yaml.safe_load((DEPLOY / "keys" / f"{name}.yaml").read_text()) for name in ("kustomization", "deployment")
)
RAY_SERVICE: Any = yaml.safe_load((DEPLOY / "ray" / "rayservice.yaml").read_text())["spec"]


def test_kustomization_lists_every_manifest() -> None:
    files = {path.name for path in DEPLOY.glob("*.yaml")}
    assert set(MANIFESTS["Kustomization"]["resources"]) == files - {"kustomization.yaml"}


def test_service_and_disruption_budget_select_the_pods() -> None:
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"] == labels
    assert MANIFESTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert MANIFESTS["Service"]["spec"]["selector"] == labels


def test_autoscaler_scales_the_deployment() -> None:
    target = MANIFESTS["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["apiVersion"], target["kind"]) == (DEPLOYMENT["apiVersion"], DEPLOYMENT["kind"])
    assert target["name"] == DEPLOYMENT["metadata"]["name"]


def test_pods_have_few_rights_and_what_they_scale_by() -> None:
    assert POD["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    (metric,) = MANIFESTS["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert metric["resource"]["name"] in CONTAINER["resources"]["requests"]  # utilization is relative to the request


def test_ports_and_volumes_are_those_of_the_container() -> None:
    ports = {port["name"] for port in CONTAINER["ports"]}
    probes = [CONTAINER[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "readiness", "liveness")]
    assert {*probes, MANIFESTS["Service"]["spec"]["ports"][0]["targetPort"]} <= ports
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == {volume["name"] for volume in POD["volumes"]}


def test_pods_with_keys_mount_the_folder_of_their_file() -> None:
    # kustomize refuses a base that is a folder above the overlay
    assert (KEYS["kind"], "resources" in KEYS) == ("Component", False)
    assert "\n# components: [keys] " in (DEPLOY / "kustomization.yaml").read_text()
    assert [each["path"] for each in KEYS["patches"]] == ["deployment.yaml"]
    assert PATCH["metadata"] == DEPLOYMENT["metadata"]
    patch = PATCH["spec"]["template"]["spec"]
    (container,), (volume,), (secret,) = patch["containers"], patch["volumes"], KEYS["secretGenerator"]
    (setting,), (mount,) = container["env"], container["volumeMounts"]
    assert (container["name"], mount["name"]) == (CONTAINER["name"], volume["name"])
    assert volume["secret"]["secretName"] == secret["name"]
    assert setting == {"name": "TINTFLOW_API_KEYS_FILE", "value": f"{mount['mountPath']}/{secret['files'][0]}"}
    merged = copy.deepcopy(DEPLOYMENT)  # as kustomize does
    pod = merged["spec"]["template"]["spec"]
    pod["volumes"].append(volume)
    pod["containers"][0]["env"].append(setting)
    pod["containers"][0]["volumeMounts"].append(mount)
    kubernetes_validate.validate(merged, kubernetes_validate.latest_version(), strict=True)


def test_answers_fit_into_the_time_to_stop() -> None:
    settings = Settings.model_construct()  # the defaults
    service = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]["tintflow"]
    waits = [POD["terminationGracePeriodSeconds"], int(service["stop_grace_period"].removesuffix("s"))]
    assert min(waits) > settings.answer_seconds


def test_ray_accepts_what_kuberay_is_to_serve() -> None:
    from ray.serve.schema import ServeDeploySchema

    from service.cluster.serve import Ingress, Model

    (application,) = ServeDeploySchema.model_validate(yaml.safe_load(RAY_SERVICE["serveConfigV2"])).applications
    known: list[Any] = [Ingress, Model]
    assert [each.name for each in application.deployments] == [each.name for each in known]


def test_kuberays_pods_have_the_time_that_replicas_have_to_stop() -> None:
    from service.cluster.serve import ANSWER_SECONDS

    assert Settings.model_construct().answer_seconds < ANSWER_SECONDS
    for group in RAY_SERVICE["rayClusterConfig"]["workerGroupSpecs"]:
        assert group["template"]["spec"]["terminationGracePeriodSeconds"] > ANSWER_SECONDS


def test_kuberays_pods_fit_their_schema() -> None:
    cluster = RAY_SERVICE["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ray"}, **group["template"]}
        kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)
