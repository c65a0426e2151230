"""The wheel, installed into a bare environment away from the checkout, colorizes with its own weights."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service import __version__

ROOT = Path(__file__).parents[1]
SHIPPED = ("tintflow", "service", "model", "training", "benchmarks", "weights")
SECONDS = 250

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run(*command: object, cwd: Path) -> str:
    """Run a command without access to the checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TINTFLOW_"))}
    done = subprocess.run(  # noqa: S603 - our own commands
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for folder in SHIPPED:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / file, source)
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", out, ".", cwd=source)
    (built,) = out.glob("tintflow-*.whl")
    return built


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with only the wheel; dependencies come from the current environment."""
    environment = tmp_path_factory.mktemp("bare") / "venv"
    run(sys.executable, "-m", "venv", environment, cwd=wheel.parent)
    (packages,) = environment.glob("lib/python*/site-packages")
    # its .pth files, such as that of an editable tintflow, are not followed
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    run(environment / "bin/python", "-m", "pip", "install", "--no-deps", "--no-index", wheel, cwd=wheel.parent)
    return environment


def test_the_wheel_holds_the_product_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    folders = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert folders == set(SHIPPED)
    assert [name for name in names if name.endswith(".safetensors")] == ["weights/cinn.safetensors"]
    assert {"weights/SHA256SUMS", "service/page/index.html"} <= set(names)
    assert {name.rpartition("/")[2] for name in names if "/licenses/" in name} == {"LICENSE", "NOTICE"}
    assert {f"{folder}/py.typed" for folder in ("tintflow", "service", "model")} <= set(names)  # what the client is of


def test_it_is_imported_from_anywhere(wheel: Path, bare: Path, tmp_path: Path) -> None:
    code = (
        "import tintflow, service; print(tintflow.__version__, tintflow.Client, tintflow.AsyncClient, service.__path__)"
    )
    shown = run(bare / "bin/python", "-c", code, cwd=tmp_path)
    assert shown.startswith(f"{__version__} ")
    assert wheel.name.startswith(f"tintflow-{__version__}-")
    assert str(bare) in shown
    assert str(ROOT) not in shown


def test_it_colorizes_with_its_own_weights(bare: Path, tmp_path: Path) -> None:
    gray = np.tile(np.linspace(30, 220, 64).astype(np.uint8), (48, 1))
    Image.fromarray(gray).save(tmp_path / "photo.png")
    run(bare / "bin/tintflow", "colorize", "photo.png", "-n", "1", "--seed", "7", "-f", "png", cwd=tmp_path)
    (coloring,) = (tmp_path / "out").glob("photo*-7-0.png")
    with Image.open(coloring) as image:
        assert image.size == (64, 48)
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert np.ptp(pixels, axis=-1).max() > 0, "gray"
