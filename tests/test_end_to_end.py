"""`tintflow serve` with the released weights: a real gray photo in, colorings out."""

import io
import struct
import zipfile
import zlib
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

URL = "/v1/colorizations"
ANSWER_SECONDS = 30


@pytest.fixture(scope="module")
def server() -> Iterator[Service]:
    with running() as service:
        yield service


@pytest.fixture(scope="module")
def client(server: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=ANSWER_SECONDS) as client:
        yield client


@pytest.fixture(scope="module")
def grey() -> NDArray[np.uint8]:
    photo = photo_to_lightness(skimage.data.coffee()[:400:2, :600:2])
    return (255 * lightness_to_gray(photo)).round().astype(np.uint8)


def png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def huge() -> bytes:
    """A PNG whose header says 20,000 × 20,000, and little more."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(20_001))), (b"IEND", b""))
    parts = (struct.pack(">I", len(d)) + name + d + struct.pack(">I", zlib.crc32(name + d)) for name, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def colorize(client: httpx.Client, grey: NDArray[np.uint8], **fields: Any) -> list[NDArray[np.uint8]]:
    data = {"response_format": "zip", "output_format": "png", **fields}
    answer = client.post(URL, files={"image": png(grey)}, data=data)
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = [name for name in archive.namelist() if name.endswith(f".{data['output_format']}")]
        return [np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in names]


def test_four_different_colorings_at_the_photos_own_size(client: httpx.Client, grey: NDArray[np.uint8]) -> None:
    answer = client.post(URL, files={"image": png(grey)}, data={"n": 4})
    body = answer.json()
    assert (body["width"], body["height"]) == grey.shape[::-1]
    assert len({item["b64_json"] for item in body["data"]}) == 4
    assert {item["media_type"] for item in body["data"]} == {"image/jpeg"}
    assert all(np.isfinite(item["bits_per_dim"]) for item in body["data"])


def test_colorings_are_colourful_and_keep_the_lightness(client: httpx.Client, grey: NDArray[np.uint8]) -> None:
    for image in colorize(client, grey, n=4, seed=1, temperature=1):
        back = 255 * lightness_to_gray(photo_to_lightness(image))
        assert np.abs(back - grey).max() <= 1
        assert np.ptp(image.astype(int), axis=2).mean() > 5  # gray has 0


def test_same_seed_same_bytes(client: httpx.Client, grey: NDArray[np.uint8]) -> None:
    first, second = (client.post(URL, files={"image": png(grey)}, data={"seed": 3}).json() for _ in range(2))
    assert [item["b64_json"] for item in first["data"]] == [item["b64_json"] for item in second["data"]]


def test_a_sample_does_not_depend_on_n(client: httpx.Client, grey: NDArray[np.uint8]) -> None:
    four, eight = (colorize(client, grey, n=n, seed=3)[2].astype(int) for n in (4, 8))
    assert np.abs(four - eight).max() <= 1


def test_variance_grows_with_temperature_from_zero(client: httpx.Client, grey: NDArray[np.uint8]) -> None:
    spreads = [np.var(colorize(client, grey, n=4, seed=3, temperature=t), axis=0).mean() for t in (0, 0.5, 1)]
    assert spreads[0] == 0 < spreads[1] < spreads[2]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the server's memory from /proc")
def test_12_megapixels_stay_below_2_5_gb(client: httpx.Client, server: Service) -> None:
    photo = np.add.outer(np.arange(3000), np.arange(4000)).astype(np.uint8)
    answer = client.post(URL, files={"image": jpeg(photo)}, data={"n": 4})
    assert (answer.json()["width"], answer.json()["height"], len(answer.json()["data"])) == (4000, 3000, 4)
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert peak < 2_500_000  # kB


def test_latent_norm(client: httpx.Client, grey: NDArray[np.uint8]) -> None:
    body = client.post(URL, files={"image": png(grey)}, data={"n": 4, "latent_norm": 1}).json()
    # read back from float32 a*b*, whose last bits a narrow mixture of the coarsest level magnifies
    np.testing.assert_allclose([item["latent_norm"] for item in body["data"]], 1, rtol=1e-3)


@pytest.mark.parametrize(
    ("upload", "fields", "status"),
    [
        (jpeg(np.full((600, 600), 99, np.uint8))[:700], {}, 422),
        (b"", {}, 422),
        (b"only text, though the name says .jpg", {}, 415),
        (huge(), {}, 422),
        (None, {"n": 0}, 422),
        (None, {"n": 99}, 422),
        (None, {"temperature": -1}, 422),
        (None, {"temperature": "nan"}, 422),
    ],
)
def test_bad_input_is_refused_and_the_service_goes_on(
    client: httpx.Client, grey: NDArray[np.uint8], upload: bytes | None, fields: dict[str, Any], status: int
) -> None:
    file = ("photo.jpg", png(grey) if upload is None else upload)
    answer = client.post(URL, files={"image": file}, data=fields)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) >= {"type", "title", "status", "detail", "code"}
    assert client.get("/readyz").status_code == 200
