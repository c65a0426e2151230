"""Supply chain: dependencies are pinned, and exceptions from security rules have a reason."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = {
    "requirements.lock": PROJECT["dependencies"] + EXTRAS["otel"],
    "gpu.lock": EXTRAS["gpu"],
    "ray.lock": EXTRAS["ray"],
}
"""Requirements of each of the images' locks"""


def entries(lock: str) -> list[str]:
    """Return the entries of a lock file, each a pinned requirement with its hashes."""
    lines = (line for line in (ROOT / "docker" / lock).read_text().splitlines() if not line.lstrip().startswith("#"))
    return re.split(r"\n(?=\S)", "\n".join(lines).strip())


def pins(lock: str, environment: dict[str, str] | None = None) -> list[tuple[str, str]]:
    """Return name and version of each pin, or only of pins that apply to an environment."""
    every = [Requirement(entry.partition("\\")[0]) for entry in entries(lock)]
    counted = [pin for pin in every if not environment or pin.marker is None or pin.marker.evaluate(environment)]
    return [(canonicalize_name(pin.name), next(iter(pin.specifier)).version) for pin in counted]


@pytest.mark.parametrize("lock", WANTED)
def test_lock_pins_everything_with_hashes_and_names_no_address(lock: str) -> None:
    assert len(entries(lock)) > 10
    for entry in entries(lock):
        assert re.fullmatch(r"[a-z0-9._-]+==[\w.+]+( ;.*)?( \\\n    --hash=sha256:[0-9a-f]{64})+", entry), entry
    assert not re.search(r"https?://|--index|--find-links|--extra-index", (ROOT / "docker" / lock).read_text())


@pytest.mark.parametrize("lock", WANTED)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_lock_covers_the_projects_dependencies(lock: str, machine: str, python: str) -> None:
    environment = {
        "platform_machine": machine,
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    pinned = pins(lock, environment)
    versions = dict(pinned)
    assert len(versions) == len(pinned), "pinned twice"
    wanted = [Requirement(each) for each in WANTED[lock]]
    for requirement in (each for each in wanted if each.marker is None or each.marker.evaluate(environment)):
        version = versions.get(canonicalize_name(requirement.name))
        assert version, f"{requirement.name} is not in docker/{lock}: run `make lock`"
        assert requirement.specifier.contains(version), f"{requirement} is not {version}: run `make lock`"


def test_what_a_gpu_and_ray_add_is_not_pinned_to_two_versions() -> None:
    every, gpu, ray = (set(pins(lock)) for lock in WANTED)
    assert not {name for name, _ in every} & {name for name, _ in gpu | ray}
    both = {name for name, _ in gpu} & {name for name, _ in ray}
    assert {each for each in gpu if each[0] in both} == {each for each in ray if each[0] in both}


def test_the_cpu_image_has_no_torch() -> None:
    assert not {"torch", "triton", "sympy"} & {name for name, _ in pins("requirements.lock")}


def test_images_install_what_the_locks_pin_and_the_project_alone() -> None:
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"\bpip3? (?:[^\s&]+ )*?install (.*?)(?:&&|$)", dockerfile, re.MULTILINE)
    assert all("--no-deps" in each for each in installs)
    hashed, other = ([each for each in installs if ("--require-hashes" in each) == wanted] for wanted in (True, False))
    assert {each.split()[-1] for each in hashed} == {"requirements.lock", "gpu.lock", "ray.lock"}
    (project,) = other
    assert project.split()[-1] == "."


@pytest.mark.parametrize("folder", ["service", "model", "training", "research", "benchmarks"])
def test_what_is_excused_from_the_rules_of_safety_says_why(folder: str) -> None:
    for file in (ROOT / folder).rglob("*.py"):
        for excuse in re.findall(r"# noqa: S\d.*", file.read_text()):
            assert re.match(r"# noqa: S\d+ (- |\()\w", excuse), f"{file}: {excuse}"
