"""Laws of latents."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from model.drawing.latents import (
    deviations_at,
    draw_latents,
    interpolate_latents,
    latent_norms,
    mix_latents,
    rescale_latents,
    temperature_of_norm,
)
from model.errors import InputError

DIMS = (128, 384, 1536, 6144)
FLAT = (1.0, 1.0, 1.0, 1.0)


def test_a_sample_depends_on_seed_and_index_alone() -> None:
    four = draw_latents(DIMS, FLAT, 7, range(4))
    one = draw_latents(DIMS, FLAT, 7, [2])
    for many, single in zip(four, one, strict=True):
        assert_array_equal(many[2:3], single)
        assert many.dtype == np.float32


@pytest.mark.parametrize(("seed", "index"), [(8, 0), (7, 1), (2**32 - 1, 0)])
def test_other_seeds_and_indices_differ(seed: int, index: int) -> None:
    a, b = (np.concatenate(draw_latents(DIMS, FLAT, s, [i]), 1)[0] for s, i in ((7, 0), (seed, index)))
    # Independent: the correlation of 8192 pairs is within 5 standard errors of 0.
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / math.sqrt(8192)


def test_the_numbers_of_a_seed_stay_what_they_are() -> None:
    """A picture can be made again from its seed with any version of numpy."""
    independent, others = draw_latents((3, 3), (1.0, 1.0), 7, [1])
    stratified, same = draw_latents((3, 3), (1.0, 1.0), 7, [1], stratified=True)
    assert_allclose(independent, [[-1.3418404, 0.4716627, 0.7923804]], atol=1e-6)
    assert_allclose(stratified, [[-0.9412886, -1.4527462, 0.8747873]], atol=1e-6)
    for finer in (others, same):
        assert_allclose(finer, [[-0.8346923, -0.6074706, -2.0489316]], atol=1e-6)


@pytest.mark.parametrize("block", [0, 3])
@pytest.mark.parametrize("size", [2, 4, 16])
def test_a_block_of_samples_has_one_in_each_stratum(size: int, block: int) -> None:
    latents = draw_latents(DIMS, FLAT, 7, range(block * size, (block + 1) * size), stratified=True)[0]
    shares = np.vectorize(NormalDist().cdf)(latents.astype(np.float64))
    assert (np.sort((shares * size).astype(int), 0) == np.arange(size)[:, None]).all()


def test_no_two_samples_of_a_seed_are_alike() -> None:
    latents = draw_latents((128,), FLAT[:1], 7, range(64), stratified=True)[0]
    alike = np.corrcoef(latents) - np.eye(64)
    assert alike.max() < 5 / math.sqrt(128)  # like independent ones: within 5 standard errors of 0


def test_a_sample_alone_is_gaussian_in_every_number() -> None:
    """Over seeds, at any index: each quarter is equally likely, and numbers are independent."""
    for index in (0, 5):
        drawn = np.stack([draw_latents((16,), (1.0,), seed, [index], stratified=True)[0][0] for seed in range(2000)])
        quarters = (np.vectorize(NormalDist().cdf)(drawn.astype(np.float64)) * 4).astype(int)
        # within 5 standard errors of 500, √(2000·¼·¾) each
        assert (abs(np.stack([(quarters == q).sum(0) for q in range(4)]) - 500) < 97).all()
        apart = np.corrcoef(drawn.T) - np.eye(16)
        assert abs(apart).max() < 5 / math.sqrt(2000)


def test_temperature_scales_each_level_by_its_exponent_and_above_one_all_alike() -> None:
    exponents = (1.0, 1.5, 2.0, 3.0)
    for temperature, factors in ((0.5, [0.5**exponent for exponent in exponents]), (1.5, [1.5] * 4)):
        scaled = draw_latents(DIMS, deviations_at(temperature, exponents), 7, range(2))
        for z, got, factor in zip(draw_latents(DIMS, FLAT, 7, range(2)), scaled, factors, strict=True):
            assert_allclose(got, factor * z, rtol=1e-6)


@pytest.mark.parametrize(
    ("longest", "expected"),
    [(1, 0.1), (512, 0.1), (549, 0.426), (582, 0.698), (600, 0.84), (10_000, 0.84)],
)
def test_grain_is_calmer_in_large_photos(longest: int, expected: float) -> None:
    exponents = np.log(deviations_at(0.5, (1.0, 2.0, 0.1), longest)) / np.log(0.5)
    assert_allclose(exponents, [1, 2, expected], atol=2e-3)


def test_a_latent_of_zero_has_no_direction() -> None:
    zero = draw_latents(DIMS, deviations_at(0.0, FLAT), 7, [0])
    with pytest.raises(InputError, match="no direction"):
        rescale_latents(zero, 1.0)
    assert latent_norms(rescale_latents(zero, 0.0)) == 0


def two_latents() -> tuple[list[np.ndarray], list[np.ndarray]]:
    return draw_latents(DIMS, FLAT, 7, [0]), draw_latents(DIMS, FLAT, 8, [0])


def test_mixing_keeps_or_replaces_a_level_exactly() -> None:
    z, noise = two_latents()
    mixed = mix_latents(z, noise, (1.0, 0.0, 0.6, 1.0))
    for got, expected in zip(mixed, (z[0], noise[1], 0.6 * z[2] + 0.8 * noise[2], z[3]), strict=True):
        assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    assert_array_equal(mixed[0], z[0])
    assert_array_equal(mixed[1], noise[1])


@pytest.mark.parametrize("spherical", [True, False])
def test_a_path_has_its_ends_and_leaves_its_arguments(spherical: bool) -> None:
    a, b = two_latents()
    copies = [z.copy() for z in (*a, *b)]
    for path, start, end in zip(interpolate_latents(a, b, (0.0, 0.3, 1.0), spherical), a, b, strict=True):
        assert_array_equal(path[:1], start)
        assert_array_equal(path[2:], end)
    assert all(np.array_equal(z, copy) for z, copy in zip((*a, *b), copies, strict=True))


def test_a_spherical_path_turns_evenly_and_changes_its_norm_evenly() -> None:
    a, b = two_latents()
    b = [2 * z for z in b]
    for path in interpolate_latents(a, b, (0.0, 0.25, 0.5, 0.75, 1.0)):
        norms = np.linalg.norm(path, axis=1)
        assert_allclose(norms, np.linspace(norms[0], norms[-1], 5), rtol=1e-5)
        cosines = (path[1:] * path[:-1]).sum(1) / (norms[1:] * norms[:-1])
        assert_allclose(cosines, cosines[0], rtol=1e-5)


@pytest.mark.parametrize("factor", [0.0, 1.0, -1.0])
def test_a_path_without_a_plane_is_a_line(factor: float) -> None:
    a, _ = two_latents()
    (middle,) = interpolate_latents(a[:1], [factor * a[0]], (0.5,))
    assert_allclose(middle, a[0] * (1 + factor) / 2, rtol=1e-6)


@pytest.mark.parametrize("norm", [0.0, 0.3, 0.8, 1.0, 1.5])
def test_the_temperature_of_a_norm_gives_that_norm(norm: float) -> None:
    exponents = (1.0, 1.5, 2.0, 3.0)
    temperature = temperature_of_norm(DIMS, exponents, norm)
    norms = latent_norms(draw_latents(DIMS, deviations_at(temperature, exponents), 7, range(8)))
    assert_allclose(norms, norm, rtol=5 / math.sqrt(2 * 1000))  # at least 1000 dims count
    assert norm < 1 or temperature == norm  # exactly: norm 1 is the model's own distribution
