"""A collection of odd and broken files, sent through the HTTP interface.

The files come from decoders' test suites, in a tar with the folders must-accept, must-reject, bomb and either. It is
not part of the project: ODD_IMAGES is its path, by default data/odd-images.tar.
"""

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.files import BOMB_BYTES, opened

ARCHIVE = Path(os.environ.get("ODD_IMAGES", Path(__file__).parents[3] / "data" / "odd-images.tar"))
LARGE_BYTES = 500_000
"""Photos larger than this are scored: to color them, the fake would take seconds"""
JPEG = {"Accept": "image/jpeg"}


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


@pytest.mark.filterwarnings("ignore")  # Pillow warns about odd files when it reads their size
@pytest.mark.parametrize(("name", "content"), list(members()))
def test_odd_image(service, name: str, content: bytes) -> None:
    is_large = len(content) > LARGE_BYTES
    with service.extra_memory() as extra:
        answer = service.post_to("/v1/likelihoods", content) if is_large else service.post(content, JPEG, n=1)
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
    size = (answer.json()["width"], answer.json()["height"]) if is_large else opened(answer.content).size
    assert sorted(size) == sorted(opened(content).size)
    kind = name.rpartition("exif-orientation__")[2]
    if kind.startswith(("Landscape", "Portrait")):
        assert size == {"Landscape": (1800, 1200), "Portrait": (1200, 1800)}[kind.partition("_")[0]]
