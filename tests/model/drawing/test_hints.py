"""Laws of hints."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from skimage.color import rgb2lab

from model.colorizer import CinnColorizer
from model.drawing.hints import (
    LEAST_SHARE,
    drawn_hints,
    given_cells,
    match_hints,
    mend_hints,
    wished_chroma,
)
from model.flow.checkpoint import Checkpoint
from model.options import Hint, InterpolationOptions, Point, SampleOptions, TransferOptions, VariationOptions
from model.pixels.bilateral import point_upsampler
from model.pixels.color import photo_to_lightness, rgb_to_lab
from model.pixels.resizing import resize_lightness
from model.pixels.scaling import Scaler
from model.protocol import DrawTask, SmallPhoto

RED, BLUE = (190, 110, 100), (100, 120, 180)


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Checkpoint) -> CinnColorizer:
    """A network whose fine levels add little, as in a trained network."""
    cinn = copy.deepcopy(tiny_checkpoint.cinn)
    for level in cinn.details:
        level.std.fill_(0.02)
    return CinnColorizer(replace(tiny_checkpoint, network=cinn), "cpu")


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    y, x = np.mgrid[0:90, 0:120]
    return (80 + x // 2 + y // 2).astype(np.uint8)


HINTS = (Hint(0.2, 0.3, RED), Hint(0.8, 0.7, BLUE))


def small_photo(lightness: NDArray[np.float32]) -> SmallPhoto:
    """Return a photo with full contrast."""
    return SmallPhoto(lightness, lightness, None)


def mended_from_gray(photo: SmallPhoto, hints: Sequence[Hint]) -> NDArray[np.float32]:
    return mend_hints(np.zeros((1, 2, 64, 64), np.float32), photo, hints, wished_chroma(photo, hints)[None])


def mean_chroma_distance(matches) -> float:
    return float(np.mean([match.delta_chroma for sample in matches for match in sample]))


def test_samples_come_to_the_hints_and_still_differ(color, photo: NDArray[np.uint8]) -> None:
    plain = color(SampleOptions(4, 1))
    hinted = color(SampleOptions(4, 1, hints=HINTS))
    assert [len(sample) for sample in hinted.matches] == [2] * 4
    assert mean_chroma_distance(match_hints(plain.images, HINTS)) > 10
    assert mean_chroma_distance(hinted.matches) < 1.5  # rounding to 8 bits, and lightness of the small photo
    for i in range(3):
        assert np.abs(hinted.images[i].astype(int) - hinted.images[i + 1]).mean() > 1


def test_matches_are_what_the_picture_shows(color) -> None:
    colorings = color(SampleOptions(2, 1, hints=HINTS))
    for image, sample in zip(colorings.images, colorings.matches, strict=True):
        for hint, match in zip(HINTS, sample, strict=True):
            pixel = image[int(hint.y * 90), int(hint.x * 120)]
            assert match.color == tuple(pixel)
            got, wished = (rgb2lab(np.array(color, float) / 255) for color in (pixel, hint.color))
            assert match.delta_e == pytest.approx(np.linalg.norm(got - wished), abs=1e-2)
            assert match.delta_chroma == pytest.approx(np.linalg.norm((got - wished)[1:]), abs=1e-2)


def test_no_place_or_color_is_an_error(colorizer: CinnColorizer, photo: NDArray[np.uint8]) -> None:
    places, colors = [(0.0, 0.0), (1.0, 1.0), (1.0, 0.0)], [(0, 255, 0), (255, 255, 255), (0, 0, 0)]
    options = [SampleOptions(1, 1, hints=(Hint(*place, color),)) for place in places for color in colors]
    for seen in (photo, np.zeros((3, 5), np.uint8), np.full((1, 1), 255, np.uint8)):
        small = colorizer.shrink(seen)
        for each, drawn in zip(options, colorizer.draw_all([DrawTask(small, each) for each in options]), strict=True):
            ((_, (match,)),) = colorizer.finish(seen, drawn, each)
            assert np.isfinite(match.delta_e)


@pytest.mark.parametrize(("temperature", "least"), [(0.0, 0.01), (1.0, 0.02)])
def test_hints_move_what_is_drawn_elsewhere(color, temperature: float, least: float) -> None:
    """Other cells are drawn given the hints: cells change even beyond the reach of the correction at a hint."""
    plain, hinted = (
        color(SampleOptions(2, 1, temperature, hints=hints, hint_spread=1)).images[:, -20:, -20:]
        for hints in ((), HINTS[:1])
    )
    assert np.abs(plain.astype(int) - hinted).mean() > least  # untrained cells depend little on others


def test_a_smaller_spread_changes_fewer_cells(colorizer: CinnColorizer, photo: NDArray[np.uint8]) -> None:
    spreads = [0.0, 0.9999, 0.99999, 1.0]  # untrained cells depend little on others
    small, plain = colorizer.shrink(photo), SampleOptions(4, 1)
    tasks = [DrawTask(small, replace(plain, hints=HINTS, hint_spread=spread)) for spread in spreads]
    free, *hinted = (drawn.coarsest for drawn in colorizer.draw_all([DrawTask(small, plain), *tasks]))
    changed = [int((each != free).any(1).sum()) for each in hinted]
    assert changed == sorted(changed)
    assert changed[0] == 4 * len(HINTS)
    assert changed[0] < changed[1] < changed[2] < changed[3]


def test_variations_and_steps_keep_the_hints_of_their_colorings(color) -> None:
    """Strength 0, and both ends of a path, are the hinted colorings themselves."""
    plain = color(SampleOptions(4, 1, hints=HINTS)).images
    same = color(VariationOptions(1, 1, 2, 0.0, 5, hints=HINTS)).images
    steps = color(InterpolationOptions(3, 1, 0, to_index=2, hints=HINTS))
    assert np.array_equal(same[0], plain[2])
    assert np.array_equal(steps.images[0], plain[0])
    assert np.array_equal(steps.images[2], plain[2])
    assert mean_chroma_distance(steps.matches) < 1.5


def test_variations_at_points_change_these_things_alone(colorizer: CinnColorizer, photo: NDArray[np.uint8]) -> None:
    """One of the points lies in the cell of a hint: the cell then has the mean of both."""
    at, cells = (Point(0.2, 0.7), Point(HINTS[1].x, HINTS[1].y)), ((5, 1), (5, 6))
    small = colorizer.shrink(photo)
    tasks = [
        SampleOptions(4, 1, hints=HINTS, hint_spread=0),
        VariationOptions(4, 1, 2, 1.0, 5, at=at, hints=HINTS, hint_spread=0),
    ]
    plain, varied = colorizer.draw_all([DrawTask(small, options) for options in tasks])
    changed = (varied.coarsest != plain.coarsest[2]).any(1)
    expected = np.zeros((8, 8), bool)
    expected[*zip(*cells, strict=True)] = True
    assert np.array_equal(changed, np.tile(expected, (4, 1, 1)))
    for (color, other), drawn in zip(varied.colors, varied.coarsest, strict=True):
        of_hint = plain.coarsest[2, :, *cells[1]]
        assert rgb2lab(np.array(color) / 255)[1:] == pytest.approx(drawn[:, *cells[0]], abs=1)
        assert rgb2lab(np.array(other) / 255)[1:] + of_hint == pytest.approx(2 * drawn[:, *cells[1]], abs=1)
    assert len({*varied.colors}) == 4
    (again,) = colorizer.draw_all([DrawTask(small, replace(tasks[1], n=2, offset=2))])
    assert again.colors == varied.colors[2:]


@pytest.mark.parametrize("colder", [{}, {"temperature": 0.0}, {"latent_norm": 0.0}, {"latent_norm": 0.5}])
def test_colors_at_points_are_those_of_draws_at_temperature_1(
    colorizer: CinnColorizer, photo: NDArray[np.uint8], colder: dict[str, float]
) -> None:
    """They are draws from the model's own distribution, also for a colder coloring."""
    at, small = (Point(0.2, 0.7),), colorizer.shrink(photo)
    tasks = SampleOptions(4, 5, temperature=1.0), VariationOptions(4, 1, 2, 0.3, 5, at=at, **colder)
    drawn, varied = colorizer.draw_all([DrawTask(small, each) for each in tasks])
    colors = [tuple(hint.color for hint in each) for each in drawn_hints(small, at, drawn.coarsest)]
    assert list(varied.colors) == colors


def test_hints_of_new_colors_give_the_variation_again(colorizer: CinnColorizer) -> None:
    """The first point is on a thing that fills a part of its cell, so that the cell has a part of its color."""
    photo = np.full((256, 256), 110, np.uint8)
    photo[:, 104:116] = 160
    at, small = (Point(0.43, 0.7), Point(0.8, 0.1)), colorizer.shrink(photo)
    (varied,) = colorizer.draw_all([DrawTask(small, VariationOptions(3, 1, 2, 0.3, 5, at=at, hints=HINTS))])
    for chroma, colors in zip(varied.chroma, varied.colors, strict=True):
        hints = (*HINTS, *(Hint(point.x, point.y, color) for point, color in zip(at, colors, strict=True)))
        (again,) = colorizer.draw_all([DrawTask(small, SampleOptions(1, 1, offset=2, hints=hints))])
        assert np.array_equal(again.chroma[0], chroma)


def test_the_colors_of_another_photo_follow_hints(color) -> None:
    reference = np.random.default_rng(1).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    plain = color(TransferOptions(2, 1), reference)
    taken = color(TransferOptions(2, 1, hints=HINTS), reference)
    assert mean_chroma_distance(match_hints(plain.images, HINTS)) > 10
    assert mean_chroma_distance(taken.matches) < 3


def test_hints_are_met_at_the_lightness_that_a_faded_photo_has() -> None:
    """The network sees a lightness of 17 at one hint and 81 at the other, at which sRGB lacks the hints' colors."""
    small = Scaler(64).shrink(np.tile(np.linspace(100, 160, 256).astype(np.uint8), (256, 1)))
    hints = (Hint(0.05, 0.5, (20, 120, 20)), Hint(0.95, 0.5, (200, 120, 220)))
    wished = rgb_to_lab(np.array([hint.color for hint in hints], np.float32).T[None] / 255)[0, 1:].T
    cells = given_cells(small, hints, wished_chroma(small, hints)[None])[0, :, 4, [0, 7]]
    assert np.linalg.norm(cells - wished, axis=1) == pytest.approx(0, abs=4)  # unlike pixels in the cell weaken hints
    mended = mended_from_gray(small, hints)
    (colors,) = point_upsampler(small.own_lightness, (64, 64), [(128, 12), (128, 243)])(mended)
    assert colors == pytest.approx(wished, abs=1)


def test_a_small_thing_colors_its_cell_the_less() -> None:
    """The hint is in the dark eighth of a cell, or in a uniform cell; its color is in the gamut at both tones."""
    even = np.full((256, 256), 40, np.float32)
    small = np.full((256, 256), 80, np.float32)
    small[:, 128:132] = 40
    hints = (Hint(0.505, 0.5, (110, 90, 90)),)
    whole, part = (
        given_cells(each, hints, wished_chroma(each, hints)[None])[0, :, 4, 4]
        for each in map(small_photo, (even, small))
    )
    assert whole == pytest.approx(rgb_to_lab(np.array([[110], [90], [90]], np.float32)[None] / 255)[0, 1:, 0], abs=0.01)
    assert part == pytest.approx(whole * (LEAST_SHARE + (1 - LEAST_SHARE) / 8), rel=1e-3)


def test_two_hints_at_one_place_average(color) -> None:
    both = (replace(HINTS[0], color=(190, 110, 100)), replace(HINTS[0], color=(150, 130, 100)))
    (matches,) = color(SampleOptions(1, 1, hints=both)).matches
    assert matches[0].delta_chroma == pytest.approx(matches[1].delta_chroma, rel=0.2)


@pytest.mark.parametrize("pixels", [2, 3, 4, 8, 16])
@pytest.mark.parametrize("count", [2, 32])
def test_near_hints_that_contradict_each_other_keep_to_their_colors(count: int, pixels: int) -> None:
    """Red and blue hints alternate in rows of six, a number of pixels (of 256) apart."""
    places = [(0.45 + i % 6 * pixels / 256, 0.45 + i // 6 * pixels / 256) for i in range(count)]
    hints = [Hint(x, y, ((230, 30, 30), (30, 30, 230))[i % 2]) for i, (x, y) in enumerate(places)]
    coffee = cv2.cvtColor(skimage.data.coffee(), cv2.COLOR_RGB2GRAY)
    for photo in (coffee, np.full((256, 256), 128, np.uint8)):
        small = small_photo(resize_lightness(photo_to_lightness(photo)))
        mended = mended_from_gray(small, hints)
        assert np.abs(mended).max() < 130  # a* and b* of sRGB are at most 108, plus a margin of 20


@pytest.mark.parametrize("count", [1, 8, 32, 64])
def test_a_sample_is_corrected_to_the_same_bits_alone_and_among_others(count: int) -> None:
    draws = np.random.default_rng(count)
    points = [Point(*draws.random(2).tolist()) for _ in range(count)]
    photo = small_photo(100 * draws.random((256, 256), np.float32))
    chroma = 20 * draws.standard_normal((5, 2, 64, 64), np.float32)
    wished = 30 * draws.standard_normal((5, count, 2), np.float32)
    together = mend_hints(chroma, photo, points, wished)
    for i in range(5):
        alone = mend_hints(chroma[i : i + 1], photo, points, wished[i : i + 1])
        assert np.array_equal(alone[0], together[i])


def test_a_hint_on_an_edge_is_met_by_what_is_like_its_point() -> None:
    lightness = np.full((256, 256), 80, np.float32)
    lightness[:, :129] = 20  # the hint's pixel of 64×64 covers four pixels, of which only the hint's is dark
    hints = (Hint(0.5, 0.5, (70, 40, 40)),)
    mended = mended_from_gray(small_photo(lightness), hints)
    (color,) = point_upsampler(lightness, (64, 64), [(128, 128)])(mended)[0]
    assert color == pytest.approx(rgb_to_lab(np.array([[70], [40], [40]], np.float32)[None] / 255)[0, 1:, 0], abs=3)
    assert np.abs(mended).max() < 25
