"""Slimming of the images' packages, for both processor architectures."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRONTENDS = ("gguf", "ir", "jax", "onnx", "paddle", "pytorch", "tensorflow", "tensorflow_lite")
OF_X86_64 = (
    "libopenvino_intel_cpu_plugin.so",
    "libopenvino_intel_gpu_plugin.so",
    "libopenvino_intel_npu_plugin.so",
    "cache.json",
)
OF_AARCH64 = ("libopenvino_arm_cpu_plugin.so",)


@pytest.mark.parametrize("own", [OF_X86_64, OF_AARCH64], ids=["x86_64", "aarch64"])
def test_only_what_a_service_on_a_cpu_reads_of_openvino_stays(
    own: tuple[str, ...], tmp_path: Path, monkeypatch
) -> None:
    packages = tmp_path / "venv/lib/python3.12/site-packages"
    plugins = [f"libopenvino_{name}_plugin.so" for name in ("auto", "auto_batch", "hetero")]
    frontends = [f"libopenvino_{name}_frontend.so.2641" for name in FRONTENDS]
    libraries = ["libopenvino.so.2641", "libopenvino_c.so.2641", "libtbb.so.12", *plugins, *frontends, *own]
    others = ["cmake/a", "include/a", "tools/a", *(f"libs/{name}" for name in libraries)]
    files = ["numba/cuda/a", "numpy/a", "setuptools/a", *(f"openvino/{name}" for name in others)]
    for name in [*files, "llvmlite/binding/libllvmlite.so", "uvloop/loop.cpython-312.so"]:
        file = packages / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    strip = tmp_path / "bin/strip"
    strip.parent.mkdir()
    strip.write_text("#!/bin/sh\n")
    strip.chmod(0o755)
    monkeypatch.setenv("PATH", str(strip.parent), prepend=":")
    subprocess.run(["bash", ROOT / "docker/slim.sh", tmp_path / "venv"], check=True)  # noqa: S603, S607
    left = {file.relative_to(packages / "openvino").as_posix() for file in (packages / "openvino").rglob("*.*")}
    kept = {"libs/libopenvino.so.2641", "libs/libopenvino_ir_frontend.so.2641", "libs/libtbb.so.12", f"libs/{own[0]}"}
    assert left == kept
