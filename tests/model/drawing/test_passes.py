"""Shared passes of several photos: the draws of one do not depend on the others."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.colorizer import CinnColorizer
from model.drawing.passes import DRAWS, RECOVERY_SECONDS, SAMPLES, Passes
from model.drawing.runtimes.runtime import Floats
from model.errors import InputError, OutOfMemoryError
from model.flow.checkpoint import Checkpoint
from model.options import Hint, InterpolationOptions, Options, SampleOptions, TransferOptions, VariationOptions
from model.protocol import Drawn, DrawTask

PHOTOS = [np.random.default_rng(i).integers(0, 256, (20 + 9 * i, 60 - 7 * i, 3), np.uint8) for i in range(4)]
HINT = Hint(0.5, 0.5, (160, 60, 40))
CHOICES = ["likely", "diverse"]


def options() -> st.SearchStrategy[Options]:
    few, seeds, temperatures = st.integers(1, 6), st.integers(0, 3), st.one_of(st.none(), st.floats(0, 2))
    indices = st.integers(0, 5)
    return st.one_of(
        st.builds(SampleOptions, few, seeds, temperatures, rank=st.sampled_from(["none", "likelihood"])),
        st.builds(SampleOptions, few, seeds, temperatures, candidates=st.just(7), select=st.sampled_from(CHOICES)),
        st.builds(SampleOptions, few, seeds, latent_norm=st.floats(0, 2), offset=st.integers(0, 3)),
        st.builds(SampleOptions, st.integers(1, 2), seeds, hints=st.just((HINT,))),
        st.builds(VariationOptions, few, seeds, indices, st.floats(0, 1), seeds, temperature=temperatures),
        st.builds(TransferOptions, few, seeds, temperature=temperatures),
        st.builds(InterpolationOptions, st.integers(2, 5), seeds, indices, seeds, indices, temperature=temperatures),
    )


def task(colorizer: CinnColorizer, photo: int, asked: Options) -> DrawTask:
    reference = colorizer.shrink(PHOTOS[-photo], with_chroma=True) if isinstance(asked, TransferOptions) else None
    return DrawTask(colorizer.shrink(PHOTOS[photo]), asked, reference)


def images(colorizer: CinnColorizer, photo: int, drawn: Drawn) -> np.ndarray:
    return np.stack([each.image for each in colorizer.finish(PHOTOS[photo], drawn)]).astype(int)


@pytest.mark.parametrize("examples", [8, pytest.param(100, marks=pytest.mark.slow)])
def test_a_picture_is_the_same_alone_and_in_any_batch(colorizer: CinnColorizer, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, derandomize=examples == 8)
    @given(mix=st.lists(st.tuples(st.integers(0, len(PHOTOS) - 1), options()), min_size=2, max_size=4))
    def check(mix: Sequence[tuple[int, Options]]) -> None:
        tasks = [task(colorizer, *each) for each in mix]
        with ThreadPoolExecutor(2) as side_by_side:
            each_alone = side_by_side.map(lambda each: colorizer.draw_all([each])[0], tasks)
        for (photo, _), together, alone in zip(mix, colorizer.draw_all(tasks), each_alone, strict=True):
            assert together.indices == alone.indices
            assert together.bits_per_dim == pytest.approx(alone.bits_per_dim, abs=1e-4)
            # chunks of one size use the same kernels: equal up to rounding, and in fact exactly
            assert np.abs(images(colorizer, photo, together) - images(colorizer, photo, alone)).max() <= 1

    check()


def test_draws_are_equal_at_any_place_in_the_batch(colorizer: CinnColorizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The coarsest level is drawn for all photos at once."""
    mine, other = (task(colorizer, photo, SampleOptions(1, seed)) for photo, seed in ((0, 5), (1, 6)))
    warm = task(colorizer, 2, SampleOptions(3, 5, 1.0, hints=(HINT,)))
    (alone,) = colorizer.draw_all([mine])
    draw = Mock(wraps=colorizer.passes.draw_coarsest)
    monkeypatch.setattr(colorizer.passes, "draw_coarsest", draw)
    for place in (0, 3, 4):
        batch = [other, warm] * 3
        batch[place] = mine
        np.testing.assert_array_equal(colorizer.draw_all(batch)[place].chroma, alone.chroma)
    assert [len(call.args[0]) for call in draw.call_args_list] == [6, 6, 6]


@pytest.mark.parametrize(("alike", "sizes"), [(True, {4, 8}), (False, {4})])
def test_many_draws_share_larger_chunks_where_no_bit_changes(
    tiny_checkpoint: Checkpoint, graphs: Path, monkeypatch: pytest.MonkeyPatch, alike: bool, sizes: set[int]
) -> None:
    colorizer = CinnColorizer(tiny_checkpoint, "cpu", graphs)
    passes = colorizer.passes
    runtime, passes._workers = passes._runtime, 1
    draw = Mock(wraps=runtime.draw_coarsest)
    monkeypatch.setattr(runtime, "draw_coarsest", draw)
    really = runtime.draws_alike(4, 8)
    monkeypatch.setattr(runtime, "draws_alike", lambda rows, more: alike)
    small = colorizer.shrink(PHOTOS[0])
    drawn = [colorizer.draw_all([DrawTask(small, SampleOptions(n, 1, 1.0))])[0].chroma for n in (2, 8, 16)]
    assert {len(call.args[1]) for call in draw.call_args_list} == sizes
    if really or not alike:
        assert all(np.array_equal(each[:2], drawn[0]) for each in drawn)


def test_draws_of_one_temperature_share_chunks(colorizer: CinnColorizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk of several temperatures may need both decoders for all of its rows."""
    passes = colorizer.passes
    draw = Mock(wraps=passes._runtime.draw_coarsest)
    monkeypatch.setattr(passes._runtime, "draw_coarsest", draw)
    monkeypatch.setattr(passes, "_workers", 4)  # enough that chunks stay small
    temperatures = [1.0, 0.5, 1.0, 0.5]
    tasks = [task(colorizer, i, SampleOptions(3 if i < 2 else 1, i, t)) for i, t in enumerate(temperatures)]
    together = colorizer.draw_all(tasks)
    assert sorted(({*call.args[3].tolist()} for call in draw.call_args_list), key=min) == [{0.5}, {1.0}]
    for each, drawn in zip(tasks, together, strict=True):
        np.testing.assert_array_equal(colorizer.draw_all([each])[0].coarsest, drawn.coarsest)


def test_finished_a_few_at_a_time(colorizer: CinnColorizer, monkeypatch: pytest.MonkeyPatch) -> None:
    (drawn,) = colorizer.draw_all([task(colorizer, 0, SampleOptions(5, 7))])
    together = images(colorizer, 0, drawn)
    for images_at_once in (0, 1, 2):
        monkeypatch.setattr("model.pixels.scaling.IMAGES_BYTES", images_at_once * PHOTOS[0].size)
        # vectorization, and with it rounding, may depend on the number of maps
        assert np.abs(images(colorizer, 0, drawn) - together).max() <= 1


def test_scores_do_not_depend_on_each_other(colorizer: CinnColorizer) -> None:
    small = [colorizer.shrink(photo, with_chroma=True) for photo in PHOTOS]
    for photo, together in zip(small, colorizer.score_all(small), strict=True):
        (alone,) = colorizer.score_all([photo])
        assert (together.bits_per_dim, together.levels) == (alone.bits_per_dim, alone.levels)


def test_chroma_has_to_be_asked_for(colorizer: CinnColorizer) -> None:
    lightness_alone = colorizer.shrink(PHOTOS[0])
    assert lightness_alone.chroma is None
    with pytest.raises(InputError, match="chroma"):
        colorizer.score_all([lightness_alone])


@pytest.mark.parametrize(
    "raised",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError(),
    ],
)
def test_no_memory_left(tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, raised: Exception) -> None:
    colorizer = CinnColorizer(tiny_checkpoint, "cpu")

    monkeypatch.setattr(colorizer.passes._runtime, "condition", Mock(side_effect=raised))
    with pytest.raises(OutOfMemoryError):
        colorizer.draw_all([task(colorizer, 0, SampleOptions(4, 0))])


def test_fewer_passes_run_at_once_after_memory_ran_out(tiny_checkpoint: Checkpoint) -> None:
    """Their size stays the same: on a CPU, another size would have to be compiled."""
    passes = Passes(tiny_checkpoint, "cpu")
    passes._workers, passes._threads = 2, ThreadPoolExecutor(2)
    together, busy = threading.Barrier(2, timeout=10), list[int]()

    def meet(rows: Floats) -> list[Floats]:
        together.wait()
        return [rows]

    def be_alone(rows: Floats) -> list[Floats]:
        assert not busy
        busy.append(len(rows))
        time.sleep(0.1)
        assert busy.pop() == SAMPLES["cpu"]
        return [rows]

    rows = np.arange(4.0)
    passes._in_chunks(meet, SAMPLES["cpu"], rows)
    with pytest.raises(OutOfMemoryError), passes.running():
        raise MemoryError
    np.testing.assert_array_equal(passes._in_chunks(be_alone, SAMPLES["cpu"], rows), [rows])


def test_passes_grow_again_after_memory_ran_out(tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("model.drawing.passes.monotonic", lambda: now)
    passes = Passes(tiny_checkpoint, "cpu")
    passes.device, passes._workers = "cuda", 1

    def draws_at_once() -> int:
        sizes = list[int]()
        with passes.running():
            passes._in_chunks(lambda rows: sizes.append(len(rows)) or [rows], DRAWS["cuda"], np.zeros(300))  # type: ignore[func-returns-value]
        return max(sizes)

    assert draws_at_once() == 256
    for _ in range(9):  # more often than the batch can be halved
        with pytest.raises(OutOfMemoryError), passes.running():
            raise MemoryError
    assert draws_at_once() == 1
    sizes = []
    for _ in range(9):
        now += RECOVERY_SECONDS - 1
        sizes.append(draws_at_once())
        now += 1
        sizes.append(draws_at_once())
    assert sizes == [1, 2, 2, 4, 4, 8, 8, 16, 16, 32, 32, 64, 64, 128, 128, 256, 256, 256]


def test_other_errors_stay_what_they_are(colorizer: CinnColorizer, monkeypatch: pytest.MonkeyPatch) -> None:
    error = RuntimeError("shapes do not match")
    monkeypatch.setattr(colorizer.passes._runtime, "add_details", Mock(side_effect=error))
    with pytest.raises(RuntimeError, match="shapes"):
        colorizer.draw_all([task(colorizer, 0, SampleOptions(1, 0))])
