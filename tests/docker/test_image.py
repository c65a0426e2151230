"""The CPU image in its recommended use: read-only, with limited memory, without capabilities or a network.

`make docker-test` builds it and runs these tests. TINTFLOW_IMAGE is its name, DOCKER the command. Figures are printed.
"""

import io
import json
import os
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.pixels.color import lightness_to_gray, photo_to_lightness

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

DOCKER = os.environ.get("DOCKER", "docker")
IMAGE = os.environ.get("TINTFLOW_IMAGE", "tintflow:cpu")
PHOTO = Path(__file__).parents[2] / "docs/pictures/grey.jpg"
MAX_IMAGE_BYTES = 920_000_000
"""Where the processor has no bfloat16, compiled networks take 32 MB more than where it has."""
START_SECONDS = 240  # enough for a busy machine
STOP_SECONDS = 60
HARDENED = ("--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")
POST = """
import sys, httpx
form = {"n": "2", "seed": "7", "output_format": "png", "response_format": "zip"}
url = "http://127.0.0.1:8000/v1/colorizations"
answer = httpx.post(url, data=form, files={"image": sys.stdin.buffer.read()}, timeout=120)
sys.stdout.buffer.write(answer.raise_for_status().content)
"""
GET_PAGE = "import httpx; print(httpx.get('http://127.0.0.1:8000/').raise_for_status().headers['content-type'])"


def docker(*arguments: str, stdin: bytes = b"") -> bytes:
    """Run a docker command; return its output."""
    return subprocess.run((DOCKER, *arguments), input=stdin, stdout=subprocess.PIPE, check=True).stdout  # noqa: S603


def inspect(name: str, what: str) -> str:
    return docker("inspect", f"--format={{{{{what}}}}}", name).decode().strip()


@pytest.fixture(scope="module")
def container() -> Iterator[str]:
    """A started container whose health check has passed."""
    started = time.monotonic()
    name = docker("run", "--detach", *HARDENED, "--memory=2g", IMAGE).decode().strip()
    try:
        while (health := inspect(name, ".State.Health.Status")) != "healthy":
            assert time.monotonic() < started + START_SECONDS, health
            assert inspect(name, ".State.Running") == "true", docker("logs", name)
            time.sleep(0.1)
        print(f"\nhealthy after {time.monotonic() - started:.1f} s")
        yield name
    finally:
        print(docker("logs", "--tail=20", name).decode())
        docker("rm", "--force", name)


def test_the_image_is_small() -> None:
    size = int(inspect(IMAGE, ".Size"))
    print(f"\n{size / 1e6:.0f} MB")
    assert size <= MAX_IMAGE_BYTES


def test_the_image_names_its_user_signal_and_licence() -> None:
    config = json.loads(inspect(IMAGE, "json .Config"))
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"


@pytest.mark.parametrize("command", ["cc", "gcc", "g++", "ld", "make", "uv"])
def test_no_compiler_came_along(container: str, command: str) -> None:
    assert docker("exec", container, "sh", "-c", f"command -v {command} || echo none") == b"none\n"


def test_no_static_library_cache_pip_or_torch_came_along(container: str) -> None:
    found = "find /venv /app -name pip -o -name '*.a' -o -path '*/site-packages/torch' -o -name .cache"
    assert docker("exec", container, "sh", "-c", found) == b""


def test_the_process_has_no_rights(container: str) -> None:
    status = docker("exec", container, "cat", "/proc/1/status").decode()
    facts = dict(line.split(":\t", 1) for line in status.splitlines())
    assert facts["Uid"].split() == ["10001"] * 4
    assert int(facts["CapEff"], 16) == int(facts["CapBnd"], 16) == 0
    assert facts["NoNewPrivs"] == "1"


def test_the_root_file_system_is_read_only(container: str) -> None:
    written = docker("exec", container, "sh", "-c", "touch /app/x 2>&1 || true")
    assert b"Read-only file system" in written


def test_kernels_come_from_the_image(container: str) -> None:
    # a newly compiled kernel would be written beside them
    assert docker("exec", container, "sh", "-c", "diff -r /app/numba /tmp/numba && ls /app/numba/*/*.nbc") != b""


def test_a_photo_is_colorized(container: str) -> None:
    started = time.monotonic()
    answer = docker("exec", "--interactive", container, "python3", "-c", POST, stdin=PHOTO.read_bytes())
    print(f"\n2 colorings after {time.monotonic() - started:.1f} s, the client's start included")
    photo = np.asarray(Image.open(PHOTO).convert("L"))
    with zipfile.ZipFile(io.BytesIO(answer)) as files:
        colorings = [np.asarray(Image.open(io.BytesIO(files.read(name))), np.uint8) for name in files.namelist()]
    assert [coloring.shape for coloring in colorings] == [(*photo.shape, 3)] * 2
    for coloring in colorings:
        grey = 255 * lightness_to_gray(photo_to_lightness(coloring))
        assert np.abs(grey - photo).max() <= 1.5  # the photo's own lightness, within a level and rounding
        assert np.ptp(coloring, axis=2).mean() > 1  # and color
    assert (colorings[0] != colorings[1]).any()


def test_the_page_is_served(container: str) -> None:
    assert docker("exec", container, "python3", "-c", GET_PAGE).startswith(b"text/html")


def test_sigterm_ends_it_cleanly(container: str) -> None:
    started = time.monotonic()
    docker("stop", f"--time={STOP_SECONDS}", container)
    seconds = time.monotonic() - started
    print(f"\nstopped after {seconds:.1f} s")
    assert inspect(container, ".State.ExitCode") == "0"
    assert inspect(container, ".State.OOMKilled") == "false"
    assert seconds < STOP_SECONDS
