"""Each sample is the most convincing of several draws, and depends on no later sample."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.colorizer import CinnColorizer
from model.drawing.latents import draw_again, draw_latents
from model.drawing.plans import TRIES
from model.drawing.runtimes.runtime import Condition, Floats, Indices
from model.flow.checkpoint import Checkpoint
from model.flow.cinn import Cinn
from model.options import Hint, Options, SampleOptions, VariationOptions
from model.protocol import Drawn, DrawTask
from model.selection import BLOCK, select_convincing

T = 0.7
HINTS = (Hint(0.2, 0.3, (160, 60, 40)),)


def draw(colorizer: CinnColorizer, photo: NDArray[np.uint8], options: Options) -> Drawn:
    (drawn,) = colorizer.draw_all([DrawTask(colorizer.shrink(photo), options)])
    return drawn


def count_draws(monkeypatch: pytest.MonkeyPatch, colorizer: CinnColorizer) -> list[int]:
    """Return a list to which every pass adds the number of draws that it was asked for."""
    counts, drawn = list[int](), colorizer._passes.draw_coarsest

    def count(*rows):
        counts.append(sum(len(z) for z in rows[1]))
        return drawn(*rows)

    monkeypatch.setattr(colorizer._passes, "draw_coarsest", count)
    return counts


def test_each_sample_is_the_one_that_the_judge_chooses(colorizer: CinnColorizer, photo: NDArray[np.uint8]) -> None:
    n, passes = BLOCK, colorizer._passes
    (condition,) = passes.condition([colorizer.shrink(photo).lightness])
    (first,) = draw_latents((128,), (1.0,), 3, range(n), stratified=True)
    z = np.concatenate((first[:, None], draw_again(128, 3, range(n), TRIES - 1)), 1).reshape(-1, 128)
    (draws,) = passes.draw_coarsest([condition], [z], [np.full(len(z), T, np.float32)], [None])
    taken = select_convincing(draws, passes.rate_coarsest(condition, draws), TRIES)
    assert taken != list(range(0, n * TRIES, TRIES))
    np.testing.assert_array_equal(draw(colorizer, photo, SampleOptions(n, 3, T)).coarsest, draws[taken])


@pytest.mark.parametrize("hints", [(), HINTS])
def test_a_sample_is_the_same_alone(
    colorizer: CinnColorizer, photo: NDArray[np.uint8], hints: tuple[Hint, ...]
) -> None:
    together = draw(colorizer, photo, SampleOptions(BLOCK + 2, 3, T, hints=hints))
    for index in range(BLOCK + 2):
        alone = draw(colorizer, photo, SampleOptions(1, 3, T, hints=hints, offset=index))
        assert alone.indices == (index,)
        np.testing.assert_array_equal(alone.chroma[0], together.chroma[index])
        assert alone.bits_per_dim[0] == together.bits_per_dim[index]


@pytest.mark.parametrize("index", [0, 1, BLOCK - 1, BLOCK + 1])
def test_a_chosen_sample_can_be_varied(colorizer: CinnColorizer, photo: NDArray[np.uint8], index: int) -> None:
    original = draw(colorizer, photo, SampleOptions(1, 3, T, offset=index))
    same = draw(colorizer, photo, VariationOptions(n=2, seed=3, index=index, strength=0.0, noise_seed=8, temperature=T))
    for chroma in same.chroma:
        np.testing.assert_array_equal(chroma, original.chroma[0])


@pytest.mark.parametrize(
    ("options", "draws"),
    [
        (SampleOptions(3, 3, T), [3 * TRIES]),
        (SampleOptions(1, 3, T, offset=BLOCK + 2), [3 * TRIES]),
        (SampleOptions(3, 3, 0.0), [3]),
        (SampleOptions(3, 3, 1.0), [3]),
        (SampleOptions(3, 3, 1.3), [3]),
        (SampleOptions(3, 3, latent_norm=0.8), [3]),
        (VariationOptions(n=2, seed=3, index=0, strength=0.5, noise_seed=8, temperature=T), [TRIES, 2 * TRIES]),
        (
            VariationOptions(n=2, seed=3, index=1, strength=0.5, noise_seed=8, temperature=T, levels=(32,)),
            [2 * TRIES, 2],
        ),
        (VariationOptions(n=2, seed=3, index=1, strength=0.5, noise_seed=8, temperature=1.0), [2]),
    ],
)
def test_only_tempered_draws_are_chosen(
    colorizer: CinnColorizer,
    photo: NDArray[np.uint8],
    options: Options,
    draws: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = count_draws(monkeypatch, colorizer)
    draw(colorizer, photo, options)
    assert counts == draws


def test_at_temperature_1_samples_are_the_model_s_own(colorizer: CinnColorizer, photo: NDArray[np.uint8]) -> None:
    cinn = colorizer.cinn
    lightness = torch.from_numpy(colorizer.shrink(photo).lightness)[None, None]
    (z,) = draw_latents((128,), (1.0,), 3, range(2), stratified=True)
    with torch.no_grad():
        condition = cinn.condition(lightness)[0]
        exact = cinn.draw_coarsest(condition, torch.from_numpy(z), torch.ones(2)).numpy()
    drawn = draw(colorizer, photo, SampleOptions(2, 3, 1.0)).coarsest
    assert np.abs(drawn - exact).mean() < 2  # bfloat16, where the processor has it


def test_a_network_without_a_judge_draws_once(
    tiny_checkpoint: Checkpoint, photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    cinn = Cinn(replace(tiny_checkpoint.cinn.config, judge=None)).eval().requires_grad_(False)
    cinn.load_state_dict({k: v for k, v in tiny_checkpoint.cinn.state_dict().items() if not k.startswith("judge.")})
    plain = CinnColorizer(replace(tiny_checkpoint, cinn=cinn), "cpu")
    counts = count_draws(monkeypatch, plain)
    drawn = draw(plain, photo, SampleOptions(3, 3, T))
    assert counts == [3]
    assert len(drawn.chroma) == 3


def test_draws_of_a_sample_may_lie_in_any_chunk(
    colorizer: CinnColorizer, photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the judge says of a draw does not depend on the others beside it."""
    rate, sizes = colorizer._passes._runtime.rate_coarsest, list[int]()

    def watch(condition: Condition, which: Indices, coarsest: Floats) -> Floats:
        sizes.append(len(coarsest))
        return rate(condition, which, coarsest)

    monkeypatch.setattr(colorizer._passes._runtime, "rate_coarsest", watch)
    x = 20 * np.random.default_rng(0).standard_normal((9, 2, 8, 8), np.float32)
    (condition,) = colorizer._passes.condition([colorizer.shrink(photo).lightness])
    together = colorizer._passes.rate_coarsest(condition, x)
    apart = [colorizer._passes.rate_coarsest(condition, x[i : i + 1])[0] for i in range(len(x))]
    assert len(set(sizes)) == 1
    np.testing.assert_array_equal(together, apart)
