"""A collection of odd and broken files, for those who have one: ODD_IMAGES=odd-images.tar pytest tests/service.

A tar with the folders must-accept, must-reject, bomb and either.
"""

import os
import tarfile
from collections.abc import Iterator
from io import BytesIO

import pytest
from PIL import Image

ARCHIVE = os.environ.get("ODD_IMAGES", "")


def members() -> Iterator[object]:
    if not ARCHIVE:
        yield pytest.param("", b"", marks=pytest.mark.skip(reason="ODD_IMAGES names no tar of odd images"))
        return
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                name = member.name.removeprefix("./")
                yield pytest.param(name, content.read(), id=name)


@pytest.mark.filterwarnings("ignore")  # decoders warn about odd files, as they should
@pytest.mark.parametrize(("name", "content"), list(members()))
def test_odd_image(service, name: str, content: bytes) -> None:
    answer = service.post(content, {"Accept": "image/png"}, n=1)
    status = answer.status_code
    expected = {
        "must-accept": status == 200,
        "must-reject": 400 <= status < 500,
        "bomb": status in (413, 422),
        "either": status == 200 or 400 <= status < 500,
    }
    assert expected[name.split("/")[0]], answer.text
    if status == 200:
        assert Image.open(BytesIO(answer.content)).size == service.colorizer.photos[0].shape[1::-1]
        kind = name.rpartition("exif-orientation__")[2]
        if kind.startswith(("Landscape", "Portrait")):
            sizes = {"Landscape": (1800, 1200), "Portrait": (1200, 1800)}
            assert Image.open(BytesIO(answer.content)).size == sizes[kind.partition("_")[0]]
    else:
        assert answer.headers["content-type"] == "application/problem+json"
