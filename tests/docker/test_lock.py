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
    "ray.lock": EXTRAS["ray"],
}


@pytest.mark.parametrize(
    ("lock", "wanted"), [(lock, Requirement(line)) for lock, lines in WANTED.items() for line in lines], ids=str
)
def test_every_requirement_is_pinned_within_its_range(lock: str, wanted: Requirement) -> None:
    versions = [version for name, version, _ in pins(lock) if name == canonicalize_name(wanted.name)]
    assert versions, f"{wanted.name} is not in docker/{lock}: run make lock"
    assert all(version in wanted.specifier for version in versions)


@pytest.mark.parametrize("lock", WANTED)
def test_every_pin_has_hashes(lock: str) -> None:
    names = re.findall(r"^[a-z].*?(?===)", (ROOT / "docker" / lock).read_text(), re.MULTILINE)
    assert [name for name, _, hashes in pins(lock) if hashes] == names


def test_what_ray_adds_is_not_pinned_twice() -> None:
    first, second = ({name for name, *_ in pins(lock)} for lock in WANTED)
    assert not first & second


def pins(lock: str) -> list[tuple[str, str, str]]:
    """Return the name, version and hashes of each pin."""
    return PINNED.findall((ROOT / "docker" / lock).read_text())
