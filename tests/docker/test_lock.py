"""The images' lock: what pyproject.toml asks for, pinned and with hashes."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PINNED = re.compile(
    r"^([a-z0-9.-]+)==(\S+)(?: ; .*?)? \\$((?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?$)*)", re.MULTILINE
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = {
    "requirements.lock": PROJECT["dependencies"] + EXTRAS["otel"],
    "gpu.lock": EXTRAS["gpu"],
    "ray.lock": EXTRAS["ray"],
}
MACHINES = ("x86_64", "aarch64")
"""Machines that images are built for"""


@pytest.mark.parametrize(
    ("lock", "wanted"), [(lock, Requirement(line)) for lock, lines in WANTED.items() for line in lines], ids=str
)
def test_every_requirement_is_pinned_within_its_range(lock: str, wanted: Requirement) -> None:
    if not needed(wanted):
        pytest.skip("no image needs it")
    versions = [version for name, version, _ in pins(lock) if name == canonicalize_name(wanted.name)]
    assert versions, f"{wanted.name} is not in docker/{lock}: run make lock"
    assert all(version in wanted.specifier for version in versions)


@pytest.mark.parametrize("lock", WANTED)
def test_every_pin_has_hashes(lock: str) -> None:
    names = re.findall(r"^[a-z].*?(?===)", (ROOT / "docker" / lock).read_text(), re.MULTILINE)
    assert [name for name, _, hashes in pins(lock) if hashes] == names


def test_what_a_gpu_and_ray_add_is_not_pinned_to_two_versions() -> None:
    every, gpu, ray = ({(name, version) for name, version, _ in pins(lock)} for lock in WANTED)
    assert not {name for name, _ in every} & {name for name, _ in gpu | ray}
    both = {name for name, _ in gpu} & {name for name, _ in ray}
    assert {each for each in gpu if each[0] in both} == {each for each in ray if each[0] in both}


def test_the_cpu_image_has_no_torch() -> None:
    assert not {"torch", "triton", "sympy"} & {name for name, *_ in pins("requirements.lock")}


def needed(wanted: Requirement) -> bool:
    """Say whether a requirement counts on any machine that images are built for."""
    return wanted.marker is None or any(wanted.marker.evaluate({"platform_machine": each}) for each in MACHINES)


def pins(lock: str) -> list[tuple[str, str, str]]:
    """Return the name, version and hashes of each pin."""
    return PINNED.findall((ROOT / "docker" / lock).read_text())
