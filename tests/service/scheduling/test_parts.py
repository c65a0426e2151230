"""Parts: a request drawn a few samples at a time has the same samples as one drawn at once."""

from unittest.mock import Mock

import numpy as np
import pytest

from model.colorizer import CinnColorizer
from model.options import (
    Hint,
    InterpolationOptions,
    Options,
    Point,
    SampleOptions,
    TransferOptions,
    VariationOptions,
)
from model.protocol import Drawn, DrawTask
from service.network import InProcess
from service.scheduling.batching import TURN_LATENTS, Batcher
from service.scheduling.parts import HINT_COST, TRANSFER_COST, cost_of, samples_in_parts

HINTS = (Hint(0.2, 0.3, (160, 60, 40)), Hint(0.7, 0.8, (40, 60, 160)))
AT = (Point(0.4, 0.6),)
DIVIDED = [
    SampleOptions(n=6, seed=3, offset=2),
    SampleOptions(n=6, seed=3, rank="likelihood"),
    SampleOptions(n=5, seed=3, hints=HINTS),
    SampleOptions(n=5, seed=3, candidates=64),
    SampleOptions(n=5, seed=3, candidates=5, select="diverse"),
    SampleOptions(n=3, seed=3, candidates=9, select="diverse", offset=2),
    SampleOptions(n=3, seed=3, candidates=8, select="diverse", rank="likelihood", hints=HINTS),
    SampleOptions(n=3, seed=3, candidates=8, select="likely"),
    SampleOptions(n=3, seed=3, candidates=8, select="likely", rank="likelihood", hints=HINTS),
    VariationOptions(n=6, seed=3, index=1, strength=0.4, noise_seed=5),
    VariationOptions(n=6, seed=3, index=1, strength=0.4, noise_seed=5, at=AT, hints=HINTS),
    TransferOptions(n=6, seed=3),
    TransferOptions(n=5, seed=3, hints=HINTS),
]
UNDIVIDED = [InterpolationOptions(steps=5, seed=3, index=0, to_index=1)]


@pytest.fixture(autouse=True)
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember other owners for long, since this machine may be slow."""
    monkeypatch.setattr("service.scheduling.batching.SHARED_SECONDS", 3600.0)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


async def draw(colorizer: CinnColorizer, task: DrawTask, latents: int, others: bool) -> tuple[Drawn, list[int]]:
    """Draw beside others or alone, with time for only TURN_LATENTS; return also the latents of each part."""
    watched = Mock(wraps=colorizer, at_once=1)
    batcher = Batcher(16, 0, lambda _: None, seconds=0)
    network = InProcess(batcher, watched)
    one = DrawTask(task.photo, SampleOptions(n=1, seed=0))
    await network.draw(one, 1, "other" if others else "attacker")
    watched.draw_all.reset_mock()
    drawn = await network.draw(task, latents, "attacker")
    batcher.close()
    return drawn, [part.options.samples for call in watched.draw_all.call_args_list for part in call.args[0]]


@pytest.mark.parametrize("options", [*DIVIDED, *UNDIVIDED], ids=repr)
async def test_parts_are_the_samples_of_the_whole(
    colorizer: CinnColorizer, photo: np.ndarray, options: Options
) -> None:
    small = colorizer.shrink(photo, with_chroma=True)
    task = DrawTask(small, options, small if isinstance(options, TransferOptions) else None)
    whole, at_once = await draw(colorizer, task, options.latents, others=False)
    divided, parts = await draw(colorizer, task, options.latents, others=True)
    assert at_once == [options.samples]
    assert sum(parts) == samples_in_parts(options)
    assert max(parts) == (TURN_LATENTS if options in DIVIDED else options.samples)
    np.testing.assert_array_equal(divided.chroma, whole.chroma)
    np.testing.assert_array_equal(divided.coarsest, whole.coarsest)
    for name in ("indices", "bits_per_dim", "bits_before_hints", "latent_norms", "temperature", "hints", "colors"):
        assert getattr(divided, name) == getattr(whole, name)
    assert divided.timings.keys() == whole.timings.keys()


async def test_a_part_has_the_samples_of_a_turn_even_if_they_cost_more(
    colorizer: CinnColorizer, photo: np.ndarray
) -> None:
    task = DrawTask(colorizer.shrink(photo), DIVIDED[2])
    _, parts = await draw(colorizer, task, 2 * DIVIDED[2].latents, others=True)
    assert parts == [TURN_LATENTS, TURN_LATENTS, 1]


@pytest.mark.parametrize(
    ("options", "cost"),
    [
        (SampleOptions(n=2, seed=0), 2),
        (SampleOptions(n=2, seed=0, hints=HINTS), 2 * HINT_COST),
        (SampleOptions(n=2, seed=0, candidates=8, select="diverse"), 8),
        (SampleOptions(n=2, seed=0, candidates=8, select="diverse", hints=HINTS), 8 * HINT_COST),
        (VariationOptions(n=2, seed=0, index=0, strength=0.3, noise_seed=5), 2),
        (VariationOptions(n=2, seed=0, index=0, strength=0.3, noise_seed=5, at=AT), 2 * HINT_COST),
        (VariationOptions(n=2, seed=0, index=0, strength=0.3, noise_seed=5, at=AT, hints=HINTS), 2 * HINT_COST),
        (TransferOptions(n=2, seed=0), 2 * TRANSFER_COST),
        (TransferOptions(n=2, seed=0, hints=HINTS), 2 * TRANSFER_COST * HINT_COST),
        (SampleOptions(n=2, seed=0, candidates=8, select="first"), 2),  # `first` needs no further candidates
    ],
    ids=repr,
)
def test_the_queue_counts_what_samples_cost(options: SampleOptions, cost: int) -> None:
    """Every candidate is drawn completely and follows the hints; a transfer draws several per coloring."""
    assert cost_of(options) == cost
