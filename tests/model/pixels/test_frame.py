"""Frames of prints and film: their detection, gray frames, and photos colored as without a frame."""

import cv2
import numpy as np
import pytest
import skimage.data

from model.drawing.hints import points_inside
from model.options import Hint, Look, SampleOptions
from model.pixels.color import photo_to_lightness
from model.pixels.frame import find_frame
from model.pixels.scaling import adjust, paint
from model.pixels.upsampling import upsample_to_rgb
from model.protocol import NO_FRAME, Colorizer, DrawTask, Frame

PAPER, FILM = 245, 8
PHOTO = np.asarray(cv2.cvtColor(skimage.data.chelsea(), cv2.COLOR_RGB2GRAY), np.uint8)  # a cat, (300, 451)


def framed(photo: np.ndarray, *sides: int, tone: int = PAPER) -> np.ndarray:
    top, bottom, left, right = sides
    return np.pad(photo, ((top, bottom), (left, right)), constant_values=tone)


def found(photo: np.ndarray) -> Frame:
    return find_frame(photo_to_lightness(photo))


@pytest.mark.parametrize("tone", [PAPER, FILM])
@pytest.mark.parametrize(
    "sides",
    [
        (20, 20, 30, 30),
        (10, 40, 25, 25),
        (30, 30, 0, 0),
        (0, 0, 60, 40),
        (4, 5, 6, 7),
        (31, 64, 48, 17),
        (30, 110, 20, 20),
    ],
)
def test_finds_a_frame_to_the_pixel(sides: tuple[int, ...], tone: int) -> None:
    top, _bottom, left, _right = sides
    for scale in (1, 7):  # both are averaged to 256 pixels, the larger one after subsampling
        large = cv2.resize(PHOTO, None, fx=scale, fy=scale)
        whole = framed(large, *(scale * side for side in sides), tone=tone)
        inside = slice(scale * top, scale * (top + 300)), slice(scale * left, scale * (left + 451))
        assert found(whole).inside(whole.shape) == inside


def test_finds_a_frame_with_grain_and_a_soft_edge() -> None:
    soft = cv2.GaussianBlur(framed(PHOTO, 25, 25, 30, 30), (0, 0), 2)
    grain = np.random.default_rng(0).normal(0, 6, soft.shape)
    whole = (soft + grain).clip(0, 255).round().astype(np.uint8)
    rows, columns = found(whole).inside(whole.shape)
    assert rows.start == pytest.approx(25, abs=5)
    assert columns.start == pytest.approx(30, abs=5)


def test_finds_a_frame_within_a_frame() -> None:
    whole = framed(framed(PHOTO, 20, 20, 20, 20, tone=FILM), 15, 15, 15, 15)
    assert found(whole).inside(whole.shape) == (slice(35, 335), slice(35, 486))


@pytest.mark.parametrize(
    "picture",
    [
        PHOTO,
        framed(PHOTO, 30, 0, 0, 0),  # one side may be sky
        framed(PHOTO, 30, 0, 30, 0),  # two adjacent sides
        framed(PHOTO, 20, 20, 30, 30, tone=128),  # neither paper nor film
        framed(PHOTO, 200, 200, 300, 300),  # a background
        np.full_like(PHOTO, PAPER),
        np.full_like(PHOTO, FILM),
        cv2.ellipse(np.full((200, 300), PAPER, np.uint8), (150, 100), (130, 85), 0, 0, 360, 90, -1),
    ],
)
def test_all_else_is_no_frame(picture: np.ndarray) -> None:
    assert found(picture) == NO_FRAME


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (3, 7), (5000, 2)])
def test_any_size_has_an_inside(shape: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    frame = found(photo)
    assert photo[frame.inside(shape)].size
    assert photo[Frame(0.2, 0.1, 0.15, 0.2).inside(shape)].size


def test_points_follow_the_photo() -> None:
    frame = Frame(top=0.2, bottom=0.2, left=0, right=0.5)
    assert frame.point_inside(0.25, 0.5) == pytest.approx((0.5, 0.5))
    hints = [Hint(0.25, 0.5, (200, 0, 0)), Hint(0.9, 0.5, (0, 200, 0)), Hint(0.25, 0.01, (0, 0, 200))]
    (only,) = points_inside(hints, frame)
    assert (only.x, only.y, only.color) == (pytest.approx(0.5), pytest.approx(0.5), (200, 0, 0))


def test_the_frame_alone_stays_gray() -> None:
    """The frame shares the warmth of the whole picture; the inside has its colors up to the edge."""
    whole = framed(PHOTO, 25, 25, 40, 40, tone=230)
    inside = found(whole).inside(whole.shape)
    chroma = np.full((2, 2, 64, 64), 40, np.float32)
    lightness = photo_to_lightness(whole)
    around = np.ones(whole.shape, bool)
    around[inside] = False
    for look in (Look(), Look(warmth=0.5)):
        images = paint(chroma, lightness, found(whole), look)
        (plain,) = upsample_to_rgb(adjust(np.zeros((1, 2, 4, 4), np.float32), look), lightness)
        np.testing.assert_array_equal(images[0][around], plain[around])
        alone = upsample_to_rgb(adjust(chroma, look), lightness[inside])
        np.testing.assert_array_equal(images[:, *inside], alone)


def test_a_smooth_change_is_no_edge() -> None:
    ramp = np.concatenate((np.linspace(90, 70, 100), np.linspace(70, 90, 100)))[:, None].repeat(150, 1)
    assert find_frame(ramp.astype(np.float32)) == NO_FRAME


def test_a_framed_photo_is_colored_as_without(colorizer: Colorizer) -> None:
    whole = framed(PHOTO, 31, 31, 44, 44, tone=FILM)
    small, alone = colorizer.shrink(whole), colorizer.shrink(PHOTO)
    np.testing.assert_array_equal(small.lightness, alone.lightness)
    assert small.longest == alone.longest == max(PHOTO.shape[:2])
    framed_draw, alone_draw = colorizer.draw_all([DrawTask(each, SampleOptions(1, 7)) for each in (small, alone)])
    np.testing.assert_array_equal(framed_draw.chroma, alone_draw.chroma)
    assert (framed_draw.frame, alone_draw.frame) == (small.frame, NO_FRAME)


def test_hints_work_inside_and_a_hint_on_the_frame_is_missed(colorizer: Colorizer) -> None:
    whole = framed(PHOTO, 30, 30, 45, 45)
    hints = (Hint(0.3, 0.4, (150, 90, 60)), Hint(0.02, 0.5, (200, 0, 0)))
    options = SampleOptions(1, 7, hints=hints)
    (drawn,) = colorizer.draw_all([DrawTask(colorizer.shrink(whole), options)])
    (coloring,) = colorizer.finish(whole, drawn)
    inside, on_frame = coloring.hints
    assert inside.delta_chroma < 5  # an untrained network
    assert on_frame.delta_chroma > 50
    only = SampleOptions(1, 7, hints=hints[1:])
    (drawn,) = colorizer.draw_all([DrawTask(colorizer.shrink(whole), only)])
    assert np.isfinite(drawn.chroma).all()
