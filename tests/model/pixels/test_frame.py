"""Frames of prints and film: what counts as one, and that it stays gray around a photo that is colored as if alone."""

import cv2
import numpy as np
import pytest
import skimage.data

from model.drawing.hints import hints_inside
from model.options import Hint, SampleOptions
from model.pixels.color import photo_to_lightness
from model.pixels.frame import find_frame
from model.pixels.scaling import Scaler
from model.protocol import NO_FRAME, Colorizer, Drawn, DrawTask, Frame

CELLS = 64
PAPER, FILM = 245, 8


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.asarray(cv2.cvtColor(skimage.data.chelsea(), cv2.COLOR_RGB2GRAY), np.uint8)  # a cat, (300, 451)


def framed(photo: np.ndarray, *sides: int, tone: int = PAPER) -> np.ndarray:
    top, bottom, left, right = sides
    return np.pad(photo, ((top, bottom), (left, right)), constant_values=tone)


def found(photo: np.ndarray) -> Frame:
    return find_frame(photo_to_lightness(photo), CELLS)


def grainy(photo: np.ndarray, deviation: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, deviation, photo.shape)
    return (photo + noise).clip(0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("tone", [PAPER, FILM])
@pytest.mark.parametrize("sides", [(20, 20, 30, 30), (10, 40, 25, 25), (30, 30, 0, 0), (0, 0, 60, 40)])
def test_finds_a_frame(photo: np.ndarray, sides: tuple[int, ...], tone: int) -> None:
    whole = framed(photo, *sides, tone=tone)
    rows, columns = found(whole).inside(whole.shape, CELLS)
    top, _bottom, left, _right = sides
    # all of the frame goes, and at most a pixel and a half of the 64 of the photo
    for start, end, side, length in ((rows.start, rows.stop, top, 300), (columns.start, columns.stop, left, 451)):
        assert side <= start <= side + 1.5 * length / CELLS
        assert side + length - 1.5 * length / CELLS <= end <= side + length


def test_finds_a_frame_with_grain_and_a_soft_edge(photo: np.ndarray) -> None:
    whole = grainy(cv2.GaussianBlur(framed(photo, 25, 25, 30, 30), (0, 0), 2), 6)
    rows, columns = found(whole).inside(whole.shape, CELLS)
    assert 22 <= rows.start <= 35
    assert 27 <= columns.start <= 42


@pytest.mark.parametrize(
    "change",
    [
        lambda photo: photo,
        lambda photo: framed(photo, 30, 0, 0, 0),  # one side: may be the sky
        lambda photo: framed(photo, 30, 0, 30, 0),  # two that meet
        lambda photo: framed(photo, 20, 20, 30, 30, tone=128),  # neither paper nor film
        lambda photo: framed(photo, 200, 200, 300, 300),  # a background
        lambda photo: np.full_like(photo, PAPER),
        lambda photo: np.full_like(photo, FILM),
    ],
)
def test_all_else_is_no_frame(photo: np.ndarray, change) -> None:
    assert found(change(photo)) == NO_FRAME


def test_a_thing_before_a_white_wall_has_no_frame() -> None:
    wall = np.full((200, 300), PAPER, np.uint8)
    cv2.ellipse(wall, (150, 100), (130, 85), 0, 0, 360, 90, -1)
    assert found(wall) == NO_FRAME


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (3, 7), (5000, 2)])
def test_any_size_has_an_inside(shape: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    frame = found(photo)
    assert photo[frame.inside(shape, CELLS)].size
    assert photo[Frame(2, 3, 4, 5).inside(shape, CELLS)].size


def test_points_follow_the_photo() -> None:
    frame = Frame(top=16, bottom=16, left=0, right=64)
    assert frame.point_inside(0.25, 0.5, CELLS) == (0.5, 0.5)
    hints = [Hint(0.25, 0.5, (200, 0, 0)), Hint(0.9, 0.5, (0, 200, 0)), Hint(0.25, 0.01, (0, 0, 200))]
    assert hints_inside(hints, frame, CELLS) == [Hint(0.5, 0.5, (200, 0, 0))]


def test_the_frame_stays_gray(photo: np.ndarray) -> None:
    whole = framed(photo, 25, 25, 40, 40, tone=230)
    frame = found(whole)
    chroma = np.full((1, 2, CELLS, CELLS), 40, np.float32)
    drawn = Drawn(chroma, (0,), (1.0,), (1.0,), 1.0, {}, chroma, (1.0,), frame=frame)
    (coloring,) = Scaler(CELLS).finish(whole, drawn)
    spread = coloring.image.max(2).astype(int) - coloring.image.min(2)
    around = np.ones(whole.shape, bool)
    around[20:-20, 33:-33] = False
    assert spread[around].max() <= 8
    assert np.median(spread[around]) == 0
    assert np.median(spread[60:-60, 80:-80]) > 60


def test_a_framed_photo_is_colored_as_without(colorizer: Colorizer, photo: np.ndarray) -> None:
    whole = framed(photo, 30, 30, 45, 45, tone=FILM)
    small = colorizer.shrink(whole)
    rows, columns = small.frame.inside(whole.shape, CELLS)
    alone = colorizer.shrink(whole[rows, columns])
    np.testing.assert_array_equal(small.lightness, alone.lightness)
    framed_draw, alone_draw = colorizer.draw_all([DrawTask(each, SampleOptions(1, 7)) for each in (small, alone)])
    np.testing.assert_array_equal(framed_draw.chroma, alone_draw.chroma)
    assert (framed_draw.frame, alone_draw.frame) == (small.frame, NO_FRAME)


def test_hints_work_inside_and_a_hint_on_the_frame_is_missed(colorizer: Colorizer, photo: np.ndarray) -> None:
    whole = framed(photo, 30, 30, 45, 45)
    hints = (Hint(0.5, 0.6, (150, 90, 60)), Hint(0.02, 0.5, (200, 0, 0)))
    options = SampleOptions(1, 7, hints=hints)
    (drawn,) = colorizer.draw_all([DrawTask(colorizer.shrink(whole), options)])
    (coloring,) = colorizer.finish(whole, drawn)
    inside, on_frame = coloring.hints
    assert inside.delta_chroma < 3
    assert on_frame.delta_chroma > 50
    only = SampleOptions(1, 7, hints=hints[1:])
    (drawn,) = colorizer.draw_all([DrawTask(colorizer.shrink(whole), only)])
    assert np.isfinite(drawn.chroma).all()
