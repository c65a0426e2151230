"""Settings, Compose and Kubernetes are one budget: all that may be in flight fits the container."""

import re
from pathlib import Path

import pytest
import yaml

from service.budget import most_memory
from service.settings import Settings

ROOT = Path(__file__).parents[2]
UNITS = {"m": 2**20, "g": 2**30, "Mi": 2**20, "Gi": 2**30}


def in_bytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()
    return int(number) * UNITS[unit]


def container(kind: str) -> tuple[int, int]:
    """Return the memory of a container, and the size of its /tmp."""
    if kind == "compose":
        service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["tintflow"]
        memory = re.search(r":-(\w+)", service["mem_limit"]).group(1)
        return in_bytes(memory), in_bytes(re.search(r"size=(\w+)", service["tmpfs"][0]).group(1))
    pod = yaml.safe_load((ROOT / "deploy/deployment.yaml").read_text())["spec"]["template"]["spec"]
    (tmp,) = pod["volumes"]
    return in_bytes(pod["containers"][0]["resources"]["limits"]["memory"]), in_bytes(tmp["emptyDir"]["sizeLimit"])


@pytest.mark.parametrize("kind", ["compose", "kubernetes"])
def test_all_that_may_be_in_flight_fits_the_container(kind: str) -> None:
    memory, temporary = container(kind)
    parts = most_memory(Settings())
    assert sum(parts.values()) < memory, parts
    assert temporary >= Settings().queue_bytes, "uploads are spooled there"
