"""Python environments for peers, made on first use. Each prefers its own packages to those installed here."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

__all__ = ["environment", "measured_in"]

FOLDER = Path(sys.prefix) / "peers"


def environment(name: str, *packages: str) -> Path:
    """Return the Python of an environment that has these packages from PyPI. Raises CalledProcessError.

    Their dependencies are installed in the versions that they require. All other packages are those of our environment.
    """
    folder = FOLDER / name
    python, record = folder / "bin" / "python", folder / "packages.txt"
    wanted = "\n".join(packages)
    if not record.exists() or record.read_text() != wanted:
        _run("uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        _run("uv", "pip", "install", "--quiet", "--python", str(python), *packages)
        theirs = sysconfig.get_path("purelib", vars={"base": str(folder)})
        ours = sysconfig.get_path("purelib")
        # a .pth file is read last, so the peer's own packages come first
        (Path(theirs) / "tintflow.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
        record.write_text(wanted)
    return python


def measured_in(python: Path, module: str, **variables: str) -> Any:
    """Run one of our modules in an environment; return the JSON of its last line. Raises CalledProcessError."""
    command = [str(python), "-m", module]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ | variables)  # noqa: S603 - our own
    return json.loads(ran.stdout.splitlines()[-1])


def _run(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)  # noqa: S603 - this Python, our arguments
