"""One memory budget for settings, Compose and Kubernetes: all work in flight fits the container."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings
from tests.docker.budget import most_memory

ROOT = Path(__file__).parents[2]
RAY_BYTES = 2**30  # memory of Ray's processes on a node
UNITS = {"m": 2**20, "g": 2**30, "Mi": 2**20, "Gi": 2**30}
RAY_SERVICE: Any = yaml.safe_load((ROOT / "deploy/ray/rayservice.yaml").read_text())["spec"]
(APPLICATION,) = yaml.safe_load(RAY_SERVICE["serveConfigV2"])["applications"]
ASKED = {each["name"]: each["ray_actor_options"] for each in APPLICATION["deployments"]}
"""Share of a node that each deployment asks for"""


def in_bytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()
    return int(number) * UNITS[unit]


def test_all_that_may_be_in_flight_fits_the_containers() -> None:
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["tintflow"]
    pod = yaml.safe_load((ROOT / "deploy/deployment.yaml").read_text())["spec"]["template"]["spec"]
    limits = [re.search(r":-(\w+)", service["mem_limit"])[1], pod["containers"][0]["resources"]["limits"]["memory"]]
    parts = most_memory(Settings())
    assert sum(parts.values()) < min(map(in_bytes, limits)), parts


def test_replicas_of_ray_are_given_all_that_may_be_in_flight_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in APPLICATION["runtime_env"]["env_vars"].items():
        monkeypatch.setenv(name, value)
    parts = most_memory(Settings())
    assert sum(parts.values()) < ASKED["Ingress"]["memory"], parts
    assert parts["rest"] < ASKED["Model"]["memory"]


def test_replicas_fit_rays_nodes_and_nodes_their_pods() -> None:
    fitting = set()
    for group in RAY_SERVICE["rayClusterConfig"]["workerGroupSpecs"]:
        (container,) = group["template"]["spec"]["containers"]
        limits, start = container["resources"]["limits"], group["rayStartParams"]
        node = {"num_cpus": int(limits["cpu"]), "memory": int(start["memory"])}
        node["num_gpus"] = int(limits.get("nvidia.com/gpu", 0))
        assert node["memory"] + int(start["object-store-memory"]) + RAY_BYTES <= in_bytes(limits["memory"])
        fitting |= {name for name, each in ASKED.items() if all(node[kind] >= amount for kind, amount in each.items())}
    assert fitting == ASKED.keys()
