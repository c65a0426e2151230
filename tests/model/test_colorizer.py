"""Laws of the sampler, through the service's interface to the model."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.quality.methods import condition_of
from model.colorizer import CinnColorizer, colorize, load_colorizer
from model.drawing.latents import latent_norms
from model.errors import NonFiniteError
from model.flow.checkpoint import Checkpoint
from model.flow.cinn import LogProb
from model.options import Hint, InterpolationOptions, SampleOptions, TransferOptions, VariationOptions
from model.protocol import Colorizer, Drawn, DrawTask


@pytest.fixture(scope="module")
def grainy(tiny_checkpoint: Checkpoint, graphs: Path) -> CinnColorizer:
    """A network whose finer levels hardly depend on the temperature."""
    return CinnColorizer(replace(tiny_checkpoint, temperature_exponents=(1.0, 3.0, 0.1, 0.1)), "cpu", graphs)


def encoded(colorizer: CinnColorizer, photo: NDArray[np.uint8], drawn: Drawn) -> LogProb:
    """Encode drawn colors by the network itself; return latents and likelihoods."""
    return colorizer.cinn.log_prob(torch.from_numpy(drawn.chroma), condition_of(colorizer, photo))


def deviations(colorizer: CinnColorizer, photo: NDArray[np.uint8], drawn: Drawn) -> list[float]:
    """Return the standard deviations of drawn latents, by level."""
    return [float(z.square().mean().sqrt()) for z in encoded(colorizer, photo, drawn).latents]


def test_it_is_a_colorizer(colorizer: CinnColorizer, photo: NDArray[np.uint8]) -> None:
    door: Colorizer = colorizer
    assert door.info.latents == 8192
    assert door.info.default_temperature == 0.8
    colorings = colorize(door, photo, SampleOptions(n=2, seed=1))
    assert colorings.images.shape == (2, 90, 120, 3)
    assert colorings.images.dtype == np.uint8
    assert colorings.temperature == 0.8
    assert set(colorings.timings) == {"condition", "sample"}
    assert len(colorings.bits_per_dim) == len(colorings.latent_norms) == 2


def test_a_sample_does_not_depend_on_n(color) -> None:
    eight = color(SampleOptions(n=8, seed=5)).images
    for n in (1, 3, 4, 5):
        np.testing.assert_array_equal(color(SampleOptions(n=n, seed=5)).images, eight[:n])


def test_variance_grows_with_temperature_from_zero(color) -> None:
    spreads = [color(SampleOptions(4, 3, t)).images.var(0).mean() for t in (0.0, 0.5, 1.0)]
    assert spreads[0] == 0 < spreads[1] < spreads[2]


@pytest.mark.parametrize("hints", [(), (Hint(0.2, 0.3, (160, 60, 40)),)], ids=["", "hinted"])
@pytest.mark.parametrize("temperature", [0.0, 0.6, 1.0, 1.4])
def test_bits_per_dim_is_the_likelihood_of_the_chroma(
    colorizer: CinnColorizer, photo: NDArray[np.uint8], temperature: float, hints: tuple[Hint, ...]
) -> None:
    """At every temperature, it is the likelihood by the model itself, of the colors after correction at hints."""
    options = SampleOptions(3, 3, temperature, hints=hints)
    (drawn,) = colorizer.draw_all([DrawTask(colorizer.shrink(photo), options)])
    log_prob, latents = encoded(colorizer, photo, drawn)
    np.testing.assert_allclose(drawn.bits_per_dim, -log_prob.sum(1).numpy() / (np.log(2) * 8192), atol=1e-3)
    np.testing.assert_allclose(drawn.latent_norms, latent_norms([z.numpy() for z in latents]), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("part", ["network.stem", "coarsest.next", "details.2.couplings.0.subnet.last"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_never_a_picture_of_nans(
    tiny_checkpoint: Checkpoint, photo: NDArray[np.uint8], part: str, value: float
) -> None:
    cinn = copy.deepcopy(tiny_checkpoint.cinn)
    cinn.get_parameter(f"{part}.weight")[0] = value
    broken = CinnColorizer(replace(tiny_checkpoint, network=cinn), "cpu")
    with pytest.raises(NonFiniteError):
        colorize(broken, photo, SampleOptions(1, 0))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_paints_what_the_cpu_paints(tiny_weights: Path, photo: NDArray[np.uint8]) -> None:
    on_cpu, on_gpu = (load_colorizer(tiny_weights, device) for device in ("cpu", "cuda"))
    options = SampleOptions(n=4, seed=5)
    first, second = (colorize(on_gpu, photo, options).images for _ in range(2))
    np.testing.assert_array_equal(first, second)
    # Convolutions of the two devices may differ in the last bits, and TF32 in more.
    assert np.abs(first.astype(int) - colorize(on_cpu, photo, options).images).max() <= 3


@pytest.mark.parametrize(("temperature", "calmer"), [(0.5, 0.5**0.74), (1.0, 1.0)])
def test_a_large_photo_has_calmer_grain(grainy: CinnColorizer, temperature: float, calmer: float) -> None:
    small = np.random.default_rng(0).integers(0, 256, (256, 256), np.uint8)
    norms = []
    for photo in (small, small.repeat(3, 0).repeat(3, 1)):
        shrunk = grainy.shrink(photo)
        (drawn,) = grainy.draw_all([DrawTask(shrunk, SampleOptions(1, 5, temperature))])
        norms.append(deviations(grainy, small, drawn))
        original = VariationOptions(1, seed=5, index=0, strength=0, noise_seed=9, temperature=temperature)
        path = InterpolationOptions(2, seed=5, index=0, to_index=1, temperature=temperature)
        new = TransferOptions(1, seed=5, weights=(0, 0, 0, 0), temperature=temperature)
        tasks = [DrawTask(shrunk, original), DrawTask(shrunk, path)]
        tasks.append(DrawTask(shrunk, new, grainy.shrink(np.zeros((9, 9, 3), np.uint8), with_chroma=True)))
        for again in grainy.draw_all(tasks):
            np.testing.assert_array_equal(again.chroma[0], drawn.chroma[0])
    expected = np.array(norms[0]) * (1, 1, calmer, calmer)
    np.testing.assert_allclose(norms[1], expected, rtol=1e-3)  # latents go through bfloat16 draws and float32 levels


def test_grain_leaves_the_coarsest_level_its_share_of_a_norm(grainy: CinnColorizer, photo: NDArray[np.uint8]) -> None:
    """Finer levels that hardly cool with the temperature cool with the norm, so 8² is not colder than they are."""
    (drawn,) = grainy.draw_all([DrawTask(grainy.shrink(photo), SampleOptions(4, 0, latent_norm=0.5))])
    norms = deviations(grainy, photo, drawn)
    assert norms[0] > 0.4
    np.testing.assert_allclose(norms[2:], norms[0], rtol=0.1)  # three times the chance deviation of 512 numbers
    assert drawn.temperature == pytest.approx(norms[0], rel=0.1)  # as the answer's `temperature` promises
