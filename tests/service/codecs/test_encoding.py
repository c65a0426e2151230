"""Encoding: format, alpha and quality of files."""

import numpy as np
import pytest
from PIL import JpegImagePlugin

from service.api.formats import FORMATS, OutputFormat
from service.codecs.encoding import check_output_size, encode
from service.errors import OutputSizeError
from tests.service.files import opened

RNG = np.random.default_rng(3)
RGB = RNG.integers(0, 256, (24, 40, 3), dtype=np.uint8)
ALPHA = RNG.integers(0, 255, (24, 40), dtype=np.uint8)


def test_jpeg_keeps_chroma_at_full_size() -> None:
    image = opened(encode(RGB, None, "jpeg", 90))
    assert JpegImagePlugin.get_sampling(image) == 0  # 4:4:4


@pytest.mark.parametrize("output_format", ["jpeg", "webp"])
def test_quality_costs_bytes_and_saves_errors(output_format: OutputFormat) -> None:
    files = [encode(RGB, None, output_format, quality) for quality in (1, 50, 100)]
    errors = [np.abs(np.asarray(opened(data)).astype(float) - RGB).mean() for data in files]
    assert [len(data) for data in files] == sorted(len(data) for data in files)
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > errors[2]


@pytest.mark.parametrize("level", [0, 128, 255])
def test_jpeg_lays_alpha_over_white(level: int) -> None:
    grey, alpha = np.full((16, 16, 3), 100, np.uint8), np.full((16, 16), level, np.uint8)
    image = opened(encode(grey, alpha, "jpeg", 100))
    expected = (100 * level + 255 * (255 - level)) / 255
    np.testing.assert_allclose(np.asarray(image).astype(int), expected, atol=1.5)  # JPEG and two roundings


@pytest.mark.parametrize("shape", [(1, 1), (1, 70_000), (3, 200_000), (700, 900)])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_png_is_read_by_others(shape: tuple[int, int], with_alpha: bool) -> None:
    rgb = RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)
    alpha = RNG.integers(0, 255, shape, dtype=np.uint8) if with_alpha else None
    found = np.asarray(opened(encode(rgb, alpha, "png", 1)))
    np.testing.assert_array_equal(found, rgb if alpha is None else np.dstack((rgb, alpha)), strict=True)


def test_smooth_png_is_small() -> None:
    ramp = np.ascontiguousarray(np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None], (256, 256, 3)))
    assert len(encode(ramp, None, "png", 1)) < ramp.size / 50


def test_webp_whose_alpha_fades_from_row_to_row_is_small() -> None:
    fading = np.ascontiguousarray(np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None], (256, 256)))
    data = encode(np.full((256, 256, 3), 90, np.uint8), fading, "webp", 90)
    assert len(data) < fading.size / 50
    np.testing.assert_array_equal(np.asarray(opened(data))[..., 3], fading)


@pytest.mark.parametrize("output_format", FORMATS)
def test_same_pixels_same_bytes(output_format: OutputFormat) -> None:
    assert encode(RGB, ALPHA, output_format, 80) == encode(RGB, ALPHA, output_format, 80)


@pytest.mark.parametrize(("output_format", "longest"), [("jpeg", 65_500), ("webp", 16_383), ("png", 1_000_000)])
def test_longest_side_is_what_the_encoder_writes(output_format: OutputFormat, longest: int) -> None:
    check_output_size(longest, 1, output_format)
    line = np.zeros((1, longest, 3), np.uint8)
    assert opened(encode(line, None, output_format, 1)).size == (longest, 1)
    for size in ((longest + 1, 1), (1, longest + 1)):
        with pytest.raises(OutputSizeError, match=output_format):
            check_output_size(*size, output_format)


def test_a_file_that_was_not_written_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="1000001×1"):
        encode(np.zeros((1, 1_000_001, 3), np.uint8), None, "png", 1)
