"""`tintflow serve` with the released weights: a real gray photo in, colorings out."""

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from benchmarks.running import Service, running
from model.pixels.color import lightness_to_gray, photo_to_lightness
from tests.service.files import encoded, opened

ANSWER_SECONDS = 120  # long enough for a busy machine


@pytest.fixture(scope="module")
def server() -> Iterator[Service]:
    with running() as service:
        yield service


def ask(server: Service, grey: NDArray[np.uint8], **fields: Any) -> list[bytes]:
    """Have a gray photo colorized; return the files of the colorings."""
    url, files = f"{server.url}/v1/colorizations", {"image": encoded(Image.fromarray(grey))}
    answer = httpx.post(url, files=files, data=fields, timeout=ANSWER_SECONDS)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["width"], body["height"]) == grey.shape[::-1]
    assert all(np.isfinite(item["bits_per_dim"]) for item in body["data"])
    return [b64decode(item["b64_json"]) for item in body["data"]]


def test_colorings_are_those_of_seed_and_index_different_colourful_and_as_light(server: Service) -> None:
    photo = photo_to_lightness(skimage.data.coffee()[:400:2, :600:2])
    grey = (255 * lightness_to_gray(photo)).round().astype(np.uint8)
    four, again, eight = (
        [np.asarray(opened(file)) for file in ask(server, grey, n=n, seed=3, output_format="png")] for n in (4, 4, 8)
    )
    np.testing.assert_array_equal(four, again)
    assert len({image.tobytes() for image in eight}) == 8
    assert np.abs(np.subtract(four, eight[:4], dtype=int)).max() <= 1
    for image in eight:
        back = 255 * lightness_to_gray(photo_to_lightness(image))
        assert np.abs(back - grey).max() <= 1
        assert np.ptp(image.astype(int), axis=2).mean() > 5  # 0 for gray


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the server's memory from /proc")
def test_12_megapixels_stay_below_2_5_gb(server: Service) -> None:
    photo = np.add.outer(np.arange(3000), np.arange(4000)).astype(np.uint8)
    assert len(ask(server, photo, n=4)) == 4
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert peak < 2_500_000  # kB
