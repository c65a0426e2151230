"""A collection of odd and broken files goes through the HTTP interface.

It is a tar with the folders must-accept, must-reject, bomb and either, from decoders' own test suites, and no part of
the project: ODD_IMAGES names it, or it lies in data/odd-images.tar.
"""

import os
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pillow_heif
import pytest
from PIL import Image

pillow_heif.register_heif_opener()  # Pillow is asked here for sizes

ARCHIVE = Path(os.environ.get("ODD_IMAGES", Path(__file__).parents[3] / "data" / "odd-images.tar"))
LARGE_BYTES = 500_000
TIMEOUT_SECONDS = 60
BOMB_BYTES = 100e6
"""Memory that a bomb may take, in the service and its decoders together"""


def members() -> Iterator[object]:
    if not ARCHIVE.is_file():
        reason = f"no odd images: ODD_IMAGES may name a tar of them, and there is none at {ARCHIVE}"
        yield pytest.param("", b"", marks=pytest.mark.skip(reason=reason))
        return
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                name = member.name.removeprefix("./")
                yield pytest.param(name, content.read(), id=name)


@pytest.mark.filterwarnings("ignore")  # Pillow, asked here for a size, warns about odd files
@pytest.mark.parametrize(("name", "content"), list(members()))
def test_odd_image(service, name: str, content: bytes) -> None:
    with service.extra_memory() as extra:
        answer = _post(service, content)
        if name.startswith("bomb"):
            assert extra() < BOMB_BYTES
    status = answer.status_code
    expected = {
        "must-accept": status == 200,
        "must-reject": 400 <= status < 500,
        "bomb": status in (413, 422),
        "either": status == 200 or 400 <= status < 500,
    }
    assert expected[name.split("/")[0]], answer.text
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        return
    size = Image.open(BytesIO(answer.content)).size if _is_small(content) else _size(answer.json())
    assert sorted(size) == sorted(Image.open(BytesIO(content)).size)
    kind = name.rpartition("exif-orientation__")[2]
    if kind.startswith(("Landscape", "Portrait")):
        assert size == {"Landscape": (1800, 1200), "Portrait": (1200, 1800)}[kind.partition("_")[0]]


def _post(service, content: bytes) -> httpx.Response:
    """Let a photo be colorized once, or, of a large one, for which the fake colorizer would take seconds, be scored."""
    files = {"image": ("photo.jpg", content)}  # its name and type say nothing
    if not _is_small(content):
        return service.client.post("/v1/likelihoods", files=files, timeout=TIMEOUT_SECONDS)
    accept = {"Accept": "image/jpeg"}
    return service.client.post(
        "/v1/colorizations", files=files, data={"n": "1"}, headers=accept, timeout=TIMEOUT_SECONDS
    )


def _is_small(content: bytes) -> bool:
    return len(content) <= LARGE_BYTES


def _size(scored: dict[str, int]) -> tuple[int, int]:
    return scored["width"], scored["height"]
