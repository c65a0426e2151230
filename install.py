"""Installer of tintflow and of one of its extras: `.venv/bin/python install.py [EXTRA]`, as the Makefile calls it.

uv installs, told what pip is configured with. Serving on a CPU needs no torch. For an NVIDIA GPU or for an extra, torch
comes first, from the first of these sources that has it:

1. the index of PyTorch that UV_TORCH_BACKEND names (`cpu`, `cu128` …), where it is set;
2. without an NVIDIA GPU: the folders of wheels that pip is configured with (`find-links`);
3. PyTorch's own index: for CPUs, or for the CUDA that the GPU's driver supports;
4. the plain index, whose torch for Linux brings CUDA's libraries along.

This program needs the standard library alone.
"""

import ast
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
UV = Path(sys.prefix) / "bin" / "uv"
UV_RANGE = "uv>=0.9"
PROBE_SECONDS = 20
"""How long a source of torch may take to answer before the next one is tried."""

COLORIZE = """
import sys
import service.cli.server
from service.cli.program import app
app(["colorize", sys.argv[1], "-n", "1", "-o", sys.argv[2]])
"""
PIP_TO_UV = {
    "cert": "SSL_CERT_FILE",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "index-url": "UV_DEFAULT_INDEX",
    "no-index": "UV_NO_INDEX",
    "proxy": "ALL_PROXY",
    "trusted-host": "UV_INSECURE_HOST",
}
"""Options of pip, and the variables that tell uv the same."""


def main(extra: str = "") -> None:
    """Install uv, torch where it is needed, and then all the rest."""
    extras_there = definition()["optional-dependencies"]
    if extra and extra not in extras_there:
        sys.exit(f"no extra is named {extra}; pyproject.toml has {', '.join(sorted(extras_there))}")
    gpu = has_nvidia_gpu()
    extras = wanted_extras(extra, gpu)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    configuration = subprocess.run((*pip, "config", "list"), capture_output=True, text=True, check=True).stdout  # noqa: S603 - fixed words
    for name, value in uv_variables(configuration).items():
        os.environ.setdefault(name, value)
    if not os.access(UV, os.X_OK):  # forced: to pip, an installation without its program is complete
        subprocess.run((*pip, "install", "--quiet", "--force-reinstall", UV_RANGE), check=True)  # noqa: S603 - fixed words
    choose_cache()
    install_torch([each for one in ("", *extras) for each in torch_requirements(one)], gpu)
    project = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    if not uv("--editable", project):
        say("uv could not install everything. Trying pip.")
        subprocess.run((*pip, "install", "--quiet", "--editable", project), check=True)  # noqa: S603 - our own path
    make_ready()
    versions = [f" with torch {each.version}" for each in metadata.distributions(name="torch")]
    say(f"Installed {', '.join(extras) or 'what serving on a CPU needs'}{''.join(versions[:1])}.")


def wanted_extras(extra: str, gpu: bool) -> list[str]:
    """Add the extra `gpu` where there is one, or where UV_TORCH_BACKEND asks for torch."""
    return [*([extra] if extra else []), *(["gpu"] if gpu or os.environ.get("UV_TORCH_BACKEND") else [])]


def make_ready() -> None:
    """Colorize a photo once, so that the first start finds bytecode and numba's machine code, as later ones do.

    uv makes no bytecode. All of it would take longer, and 190 MB; this is what serving imports.
    """
    variables = {name: value for name, value in os.environ.items() if not name.startswith("TINTFLOW_")}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-c", COLORIZE, str(ROOT / "docs" / "pictures" / "grey.jpg"), folder)
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)  # noqa: S603 - from here
    if done.returncode:
        say(f"tintflow is installed, but could not colorize a photo:\n{done.stderr}")


def choose_cache() -> None:
    """Tell uv to keep no cache if it cannot keep its own, such as in a home folder that is read-only."""
    if not uv("--dry-run", "--no-index", "pip", show=False):  # pip is there already, so it is uv itself that fails
        os.environ.setdefault("UV_NO_CACHE", "1")


def install_torch(wanted: list[str], gpu: bool) -> None:
    """Install torch from the best source for this machine; leave it to the plain index where no other has it."""
    local = ("--no-index", "--no-deps")
    if uv(*wanted, *local, show=False, variables={"UV_FIND_LINKS": ""}):
        return  # it is there already
    backend = os.environ.get("UV_TORCH_BACKEND", "")
    wheels = os.environ.get("UV_FIND_LINKS", "")
    sources = [("PyTorch's own index", ("--torch-backend", backend or ("auto" if gpu else "cpu")))]
    if wheels and not gpu and not backend:
        sources.insert(0, (wheels, local))
    for name, words in sources:
        # one quick question first: an index that is out of reach fails after many tries, or hangs
        if uv(*wanted, *words, "--dry-run", show=False, seconds=PROBE_SECONDS, variables={"UV_HTTP_RETRIES": "0"}):
            say(f"{'An' if gpu else 'No'} NVIDIA GPU: torch comes from {name}.")
            if uv(*wanted, *words):
                return
    say(
        f"PyTorch's own index gave an error, or no answer within {PROBE_SECONDS} s: torch comes from the plain index. "
        "Its build for Linux brings CUDA's libraries along: some 3 GB to fetch, 5 GB on disk."
    )


def uv(*words: str, show: bool = True, seconds: float | None = None, variables: dict[str, str] | None = None) -> bool:
    """Run `uv pip install` for this interpreter; return whether it succeeded, in time."""
    quiet = () if show and sys.stderr.isatty() else ("--quiet",)
    command = (str(UV), "pip", "install", *quiet, "--python", sys.executable, *words)
    hidden = None if show else subprocess.DEVNULL
    # as pip and git do: a company's proxy may sign with a certificate that only the system's store has
    environment = {"UV_SYSTEM_CERTS": "true"} | os.environ | (variables or {})
    try:
        done = subprocess.run(command, stderr=hidden, env=environment, timeout=seconds, check=False)  # noqa: S603 - from here
    except (OSError, subprocess.TimeoutExpired):  # such as a uv for another machine
        return False
    return done.returncode == 0


def uv_variables(configuration: str) -> dict[str, str]:
    """Translate what `pip config list` prints into the environment variables that tell uv the same.

    pip separates several values by white space; uv separates folders of wheels by commas.
    """
    found = {}
    for section in ("global", "install", ":env:"):  # the last one wins, as in pip
        for option, value in re.findall(rf"^{section}\.([a-z-]+)=(.+)$", configuration, re.MULTILINE):
            if name := PIP_TO_UV.get(option):
                found[name] = ("," if option == "find-links" else " ").join(ast.literal_eval(value).split())
    return found


def definition() -> dict[str, Any]:
    """Return what pyproject.toml says of the project."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return project


def torch_requirements(extra: str) -> Iterator[str]:
    """Yield what pyproject.toml asks of torch, for an extra, or for serving where none is named."""
    project = definition()
    for requirement in project["optional-dependencies"][extra] if extra else project["dependencies"]:
        if nested := re.fullmatch(r"tintflow\[([\w-]+)\]", requirement):
            yield from torch_requirements(nested[1])
        elif re.match(r"torch(?![\w.-])", requirement):
            yield requirement


def has_nvidia_gpu() -> bool:
    """Say whether a driver of NVIDIA's is at work here."""
    if Path("/proc/driver/nvidia/version").exists():
        return True
    try:
        return subprocess.run(("nvidia-smi", "-L"), capture_output=True, timeout=20, check=False).returncode == 0  # noqa: S607 - wherever it lies
    except (OSError, subprocess.TimeoutExpired):
        return False


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except subprocess.CalledProcessError as error:  # pip said why
        sys.exit(f"{error.stderr or ''}tintflow is not installed: {shlex.join(error.cmd)} failed")
