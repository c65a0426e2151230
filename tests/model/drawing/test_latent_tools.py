"""Laws of variations, transfer, interpolation, choice and likelihood, through the service's interface to the model."""

import math
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.quality.methods import condition_of
from model.colorizer import CinnColorizer, colorize
from model.drawing.plans import own_chroma
from model.errors import InputError
from model.options import Hint, InterpolationOptions, Options, SampleOptions, TransferOptions, VariationOptions

ALL = (1.0, 1.0, 1.0, 1.0)
RED = (190, 110, 100)
Y, X = np.mgrid[0:128, 0:96] / 128
COLORS = np.stack((200 * X + 30, 120 + 60 * np.sin(4 * Y), 200 - 150 * X * Y), 2).astype(np.uint8)
"""A soft color photo, which 64×64 pixels of a*b* can represent."""


def distance(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(np.abs(a.astype(float) - b).mean())


def vary(color, strength: float, n: int = 2, **options: object):
    settings = {"seed": 5, "index": 2, "noise_seed": 9} | options
    return color(VariationOptions(n=n, strength=strength, **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("norm", [None, 1.0])
def test_strength_0_is_the_original_to_the_byte(color, norm: float | None) -> None:
    original = color(SampleOptions(7, 5, latent_norm=norm))
    for n in (1, 2, 5):
        variations = vary(color, 0.0, n, latent_norm=norm)
        for image, bits in zip(variations.images, variations.bits_per_dim, strict=True):
            np.testing.assert_array_equal(image, original.images[2])
            assert bits == original.bits_per_dim[2]


def test_strength_1_is_independent(color) -> None:
    np.testing.assert_array_equal(vary(color, 1.0).images, color(SampleOptions(2, 9)).images)


@pytest.mark.parametrize("strength", [0.7, 1.0])
def test_noise_of_the_same_seed_is_independent_of_the_original(color, strength: float) -> None:
    options = SampleOptions(4, 5, temperature=1.0)
    original = color(options).images[2]
    variations = vary(color, strength, 4, noise_seed=5, temperature=1.0)
    assert min(distance(image, original) for image in variations.images) > 0
    np.testing.assert_allclose(variations.latent_norms, 1, atol=0.05)  # with z₀ itself as noise, the norm would be 1.41


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_variations_keep_the_latent_norm(color, strength: float) -> None:
    np.testing.assert_allclose(vary(color, strength, latent_norm=1.25).latent_norms, 1.25, rtol=1e-5)


def test_only_chosen_levels_move(color) -> None:
    original = color(SampleOptions(3, 5)).images[2]
    none = vary(color, 1.0, levels=()).images
    np.testing.assert_array_equal(none, np.stack((original, original)))
    coarse, fine = (distance(vary(color, 1.0, levels=levels).images, original) for levels in ((8,), (64,)))
    assert coarse > 0
    assert fine > 0


def test_transfer_of_all_levels_gives_the_reference_back(colorizer: CinnColorizer) -> None:
    """The photo is the reference in gray, so the flow inverts its own encoding, up to the detail of 64×64 pixels."""
    (image,) = colorize(colorizer, COLORS, TransferOptions(1, 0, ALL), COLORS).images
    assert distance(image, COLORS) < 2


def test_transfer_by_default_keeps_much_of_the_coarse_levels_and_draws_the_fine_ones(color) -> None:
    default = color(TransferOptions(2, 4), COLORS).images
    np.testing.assert_array_equal(default, color(TransferOptions(2, 4, (0.9, 0.81, 0.0, 0.0)), COLORS).images)
    copies = color(TransferOptions(2, 4, (1.0, 1.0, 0.0, 0.0)), COLORS).images
    assert distance(default[0], default[1]) > distance(copies[0], copies[1])


def test_the_more_comes_from_the_reference_the_nearer_to_its_own_temperature_it_is_decoded(
    colorizer: CinnColorizer, color, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = Mock(wraps=colorizer.passes.draw_coarsest)
    monkeypatch.setattr(colorizer.passes, "draw_coarsest", draw)
    for weight in (0.0, 0.5, 0.9, 1.0):
        color(TransferOptions(1, 4, (weight, 0.0, 0.0, 0.0), 0.6), COLORS)
    decoded = [call.args[2][0][0] for call in draw.call_args_list]
    assert decoded == pytest.approx([0.6, 0.625, 0.86244, 1.0])
    assert decoded[-1] == 1  # exactly: only then does the level's own decoder draw alone


def test_a_coloring_of_a_transfer_is_the_try_whose_colors_are_most_like_the_reference(
    colorizer: CinnColorizer, color, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other draws do not matter: each coloring has its own tries."""
    chosen = color(TransferOptions(3, 4), COLORS)
    assert chosen.indices == (0, 1, 2)
    for i, image in enumerate(chosen.images):
        alone = color(TransferOptions(1, 4, offset=i), COLORS)
        assert alone.indices == (i,)
        np.testing.assert_array_equal(alone.images[0], image)
    own = own_chroma(colorizer.shrink(COLORS, with_chroma=True))[0]
    select = Mock(return_value=0)
    monkeypatch.setattr("model.drawing.plans.select_palette", select)
    color(TransferOptions(3, 4), COLORS)
    offered = [call.args for call in select.call_args_list]
    assert [len(tries) for tries, _ in offered] == [4] * 3
    assert len(np.unique(np.concatenate([tries for tries, _ in offered]), axis=0)) == 12
    for _, wanted in offered:
        np.testing.assert_allclose(wanted, own.reshape(2, 8, 8, 8, 8).mean((2, 4)), atol=1e-3)


@pytest.mark.parametrize(("to_seed", "seed"), [(6, 6), (None, 5)])
def test_interpolation_begins_and_ends_at_its_ends(color, to_seed, seed) -> None:
    path = color(InterpolationOptions(5, 5, 1, to_seed, 0))
    np.testing.assert_array_equal(path.images[0], color(SampleOptions(2, 5)).images[1])
    np.testing.assert_array_equal(path.images[-1], color(SampleOptions(1, seed)).images[0])


@pytest.mark.parametrize(("shape", "middle", "rtol"), [("spherical", 1, 1e-3), ("linear", math.sqrt(0.5), 0.05)])
def test_a_spherical_path_keeps_the_norm_and_a_line_does_not(color, shape, middle: float, rtol: float) -> None:
    first, between, last = color(InterpolationOptions(3, 5, 0, 5, 1, shape, 1.0)).latent_norms
    assert between / ((first + last) / 2) == pytest.approx(middle, rel=rtol)  # on a line, as of independent latents


def test_interpolation_to_a_reference(color) -> None:
    path = color(InterpolationOptions(3, 5, 0), COLORS)
    expected = color(TransferOptions(1, 0, ALL), COLORS).images[0]
    np.testing.assert_array_equal(path.images[-1], expected)


def test_likelihood_is_that_of_the_own_colors(colorizer: CinnColorizer) -> None:
    found = colorizer.score_all([colorizer.shrink(COLORS, with_chroma=True)])[0]
    condition = condition_of(colorizer, COLORS)
    own = torch.from_numpy(own_chroma(colorizer.shrink(COLORS, with_chroma=True)))
    latents = colorizer.cinn.log_prob(own, condition).latents
    bits = -colorizer.cinn.sample(condition, latents).log_prob.sum(1) / (8192 * math.log(2))
    assert math.isclose(found.bits_per_dim, bits[0], abs_tol=1e-3)
    assert [level.size for level in found.levels] == [8, 16, 32, 64]
    total = sum(level.bits_per_dim * level.dims for level in found.levels)
    assert math.isclose(total / 8192, found.bits_per_dim, rel_tol=1e-6)
    assert set(found.timings) == {"condition", "likelihood"}


def test_gray_photo_is_scored_as_gray(colorizer: CinnColorizer, photo: NDArray[np.uint8]) -> None:
    condition = condition_of(colorizer, photo)
    gray = colorizer.cinn.log_prob(torch.zeros(1, 2, 64, 64), condition).log_prob.sum()
    expected = -float(gray) / (8192 * math.log(2))
    for same in (photo, photo.astype(np.uint16) * 257, np.repeat(photo[..., None], 3, 2)):
        # A gray photo stored in color has a*b* of 0 up to rounding.
        (found,) = colorizer.score_all([colorizer.shrink(same, with_chroma=True)])
        assert math.isclose(found.bits_per_dim, expected, rel_tol=1e-3)


@pytest.mark.parametrize("select", ["diverse", "likely"])
def test_chosen_samples_are_those_of_their_index(color, select) -> None:
    chosen = color(SampleOptions(3, 5, candidates=12, select=select))
    everything = color(SampleOptions(12, 5))
    assert len(set(chosen.indices)) == 3
    assert list(chosen.indices) == sorted(chosen.indices)
    for image, index in zip(chosen.images, chosen.indices, strict=True):
        np.testing.assert_array_equal(image, everything.images[index])
    if select == "likely":
        assert sorted(chosen.bits_per_dim) == sorted(everything.bits_per_dim)[:3]


def test_first_takes_the_first_of_any_number(color) -> None:
    assert color(SampleOptions(2, 5, candidates=64)).indices == (0, 1)


def test_rank_sorts_and_keeps_the_index(color) -> None:
    drawn = color(SampleOptions(5, 5))
    ranked = color(SampleOptions(5, 5, rank="likelihood"))
    assert drawn.indices == (0, 1, 2, 3, 4)
    assert list(ranked.bits_per_dim) == sorted(drawn.bits_per_dim)
    for image, index, norm in zip(ranked.images, ranked.indices, ranked.latent_norms, strict=True):
        np.testing.assert_array_equal(image, drawn.images[index])
        assert norm == drawn.latent_norms[index]


@pytest.mark.parametrize(
    ("options", "given", "name"),
    [
        (SampleOptions(0, 0), False, "n"),
        (SampleOptions(1, 0, math.nan), False, "temperature"),
        (SampleOptions(1, 0, 2.5), False, "temperature"),
        (SampleOptions(1, -1), False, "seed"),
        (SampleOptions(1, 2**32), False, "seed"),
        (SampleOptions(1, 0, 1.0, 3.0), False, "latent_norm"),
        (SampleOptions(4, 0, candidates=3), False, "candidates"),
        (SampleOptions(4, 0, candidates=65), False, "candidates"),
        (SampleOptions(4, 0, offset=61), False, "offset"),
        (SampleOptions(1, 0, offset=-1), False, "offset"),
        (SampleOptions(1, 0, hints=(Hint(-0.1, 0.3, RED),)), False, "hints"),
        (SampleOptions(1, 0, hints=(Hint(0.2, 1.1, RED),)), False, "hints"),
        (SampleOptions(1, 0, hints=(Hint(math.nan, 0.3, RED),)), False, "hints"),
        (SampleOptions(1, 0, hints=(Hint(0.2, 0.3, (0, 0, 256)),)), False, "hints"),
        (SampleOptions(1, 0, hints=33 * (Hint(0.2, 0.3, RED),)), False, "hints"),
        (VariationOptions(4, 0, 0, 0.5, 0, offset=61), False, "offset"),
        (TransferOptions(4, 0, offset=61), True, "offset"),
        (VariationOptions(0, 0, 0, 0.5, 0), False, "n"),
        (VariationOptions(1, 0, 0, 1.1, 0), False, "strength"),
        (VariationOptions(1, 0, -1, 0.5, 0), False, "index"),
        (VariationOptions(1, 0, 0, 0.5, 0, (7,)), False, "levels"),
        (TransferOptions(1, 0, (1.0,)), True, "weights"),
        (TransferOptions(1, 0, (1.0, 1.0, 1.0, 1.5)), True, "weights"),
        (TransferOptions(1, 0, (math.nan,) * 4), True, "weights"),
        (TransferOptions(1, 0), False, "reference"),
        (InterpolationOptions(1, 0, 0, 0, 1), False, "steps"),
        (InterpolationOptions(17, 0, 0, 0, 1), False, "steps"),
        (InterpolationOptions(2, 0, 0), False, "reference"),
        (InterpolationOptions(2, 0, 0, 0, 1), True, "reference"),
    ],
)
def test_options_out_of_range(color, photo, options: Options, given: bool, name: str) -> None:
    with pytest.raises(InputError) as error:
        color(options, photo if given else None)
    assert error.value.name == name
