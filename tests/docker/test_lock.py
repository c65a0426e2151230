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
WANTED = [Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["otel"]]


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_every_requirement_is_pinned_within_its_range(wanted: Requirement) -> None:
    lock = (ROOT / "docker/requirements.lock").read_text()
    versions = [version for name, version, _ in PINNED.findall(lock) if name == canonicalize_name(wanted.name)]
    assert versions, f"{wanted.name} is not in docker/requirements.lock: run make lock"
    assert all(version in wanted.specifier for version in versions)


def test_every_pin_has_hashes() -> None:
    lock = (ROOT / "docker/requirements.lock").read_text()
    names = re.findall(r"^[a-z].*?(?===)", lock, re.MULTILINE)
    assert [name for name, _, hashes in PINNED.findall(lock) if hashes] == names
