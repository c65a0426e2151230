"""Thousands of mutations of valid files: each decodes, or is refused with an error of the service.

`pytest -m slow tests/service/codecs/test_mutated_files.py` tries many more.
"""

import struct
from collections.abc import Callable
from itertools import pairwise, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from service.codecs.decoded_photo import DecodedPhoto
from service.codecs.sandbox import REFUSALS, Decoders
from tests.service.files import COLORS, encoded

FORMATS = {
    "JPEG": {"quality": 90},
    "progressive JPEG": {"quality": 90, "progressive": True},
    "PNG": {},
    "WEBP": {"quality": 90},
    "lossless WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_lzw"},
    "GIF": {},
    "BMP": {},
    "AVIF": {"quality": 90},
    "HEIF": {"quality": 90},
}
MAX_PIXELS = 1_000_000
STEP_BYTES = 64
EXAMPLES = 15
MANY_EXAMPLES = pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])


@pytest.fixture(params=FORMATS)
def valid(request: pytest.FixtureRequest) -> bytes:
    """Return a file of some kind: a color photo, 40 wide and 24 high, with EXIF."""
    exif = Image.Exif()
    exif[0x0112] = 6
    has_exif = request.param not in ("GIF", "BMP")
    options = FORMATS[request.param] | ({"exif": exif.tobytes()} if has_exif else {})
    return encoded(COLORS, request.param.split()[-1], **options)


def check(decoders: Decoders, data: bytes) -> None:
    """Decode a file; check that the result is a photo or a refusal, and that no process was lost."""
    before = set(decoders._all)
    try:
        photo = decoders.decode(data, MAX_PIXELS)
    except REFUSALS:
        pass
    else:
        assert isinstance(photo, DecodedPhoto)
        assert 0 < photo.width * photo.height <= MAX_PIXELS
        assert photo.alpha is None or photo.alpha.shape == photo.pixels.shape[:2]
    assert decoders._all == before, "the file ended its decoder"


def test_truncated_at_every_64th_byte(decoders: Decoders, valid: bytes) -> None:
    check(decoders, valid)
    for size in range(0, len(valid), STEP_BYTES):
        check(decoders, valid[:size])


def flip_bits(valid: bytes, data: st.DataObject) -> bytes:
    damaged = bytearray(valid)
    for bit in data.draw(st.lists(st.integers(0, 8 * len(valid) - 1), min_size=1, max_size=8)):
        damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def swap_parts(valid: bytes, data: st.DataObject) -> bytes:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(valid)), min_size=4, max_size=4)))
    parts = [valid[start:stop] for start, stop in pairwise([0, *cuts, len(valid)])]
    parts[1], parts[3] = parts[3], parts[1]
    return b"".join(parts)


def reorder_chunks(png: bytes, data: st.DataObject) -> bytes:
    chunks, start = [], 8
    while start < len(png):
        stop = start + 12 + struct.unpack_from(">I", png, start)[0]
        chunks.append(png[start:stop])
        start = stop
    order = data.draw(st.lists(st.sampled_from(chunks), max_size=2 * len(chunks)))  # some missing, some twice
    return png[:8] + b"".join(order)


MUTATIONS = [*product(FORMATS, [flip_bits, swap_parts]), ("PNG", reorder_chunks)]


@pytest.mark.parametrize("examples", [EXAMPLES, MANY_EXAMPLES])
@pytest.mark.parametrize(("valid", "mutate"), MUTATIONS, indirect=["valid"])
def test_mutated(decoders: Decoders, valid: bytes, mutate: Callable[..., bytes], examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def check_one(data: st.DataObject) -> None:
        check(decoders, mutate(valid, data))

    check_one()
