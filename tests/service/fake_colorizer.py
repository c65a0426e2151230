"""A fake colorizer."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from model.options import PLAIN, Color, InterpolationOptions, Look, Options, VariationOptions
from model.protocol import (
    DeviceMemory,
    Drawn,
    DrawTask,
    Finished,
    HintMatch,
    LevelLikelihood,
    Likelihood,
    ModelInfo,
    Photo,
    SmallPhoto,
)
from tests.service.waiting import PATIENCE_SECONDS

__all__ = ["OTHER", "FakeColorizer", "tint"]

OTHER = (148, 65, 47)
"""the color that variations have at points"""


def tint(seed: int, index: int, temperature: float) -> np.ndarray:
    """Return red, green and blue that the fake adds to gray: never nearly equal, which would be gray."""
    drawn = np.random.default_rng((seed, index)).normal(0, 30, 3)
    gray = drawn.mean()
    return temperature * (gray + (drawn - gray) * max(1, 30 / np.ptp(drawn)))


class FakeColorizer:
    """A colorizer that tints the photo by colors from (seed, sample index), more strongly at higher temperatures."""

    info = ModelInfo("fake-1", "cpu", 10, 8192, 0.75, "0" * 64)
    memory = DeviceMemory(1000, 5000)
    at_once = 1

    def __init__(self) -> None:
        self.photos: list[Photo] = []
        self.references: list[Photo | None] = []
        self.options: list[Any] = []
        self.threads: set[str] = set()
        self.others: Sequence[Color] = (OTHER,)  # colors at points, by turns
        self.finishing: list[tuple[int, ...]] = []
        self.error: Exception | None = None
        self.entered = threading.Semaphore(0)
        self.prepared = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def close_gate(self) -> None:
        """Hold all draws until the gate is opened; `entered` reports the next one."""
        while self.entered.acquire(blocking=False):
            pass  # earlier entries, such as the warm-up
        self.gate.clear()

    def forget(self) -> None:
        """Forget all calls."""
        self.photos.clear()
        self.references.clear()
        self.options.clear()

    def prepare_rest(self) -> Iterator[None]:
        yield
        self.prepared.set()

    def shrink(self, photo: Photo, with_chroma: bool = False) -> SmallPhoto:
        return SmallPhoto(photo, photo, photo if with_chroma else None)  # the fake sees the full-size photo

    def draw_all(self, tasks: Sequence[DrawTask]) -> list[Drawn]:
        for task in tasks:
            self._enter(task.photo.lightness, task.options, None if task.reference is None else task.reference.chroma)
        return [self._draw(task.options) for task in tasks]

    def score_all(self, photos: Sequence[SmallPhoto]) -> list[Likelihood]:
        for photo in photos:
            self._enter(photo.chroma, None)
        levels = (LevelLikelihood(8, 128, 5.5, 1.25), LevelLikelihood(16, 384, 4.5, 1.0))
        return [Likelihood(4.75, levels, {"condition": 0.001, "likelihood": 0.002}) for _ in photos]

    def finish(self, photo: Photo, drawn: Drawn, look: Look = PLAIN) -> Iterator[Finished]:
        grey = photo if photo.ndim == 2 else photo.mean(axis=2)
        levels = grey.astype(np.float64) / (257 if photo.dtype == np.uint16 else 1)
        hints = tuple(HintMatch(hint.color, 3.5, 1.25) for hint in drawn.hints)
        for tint in drawn.chroma:
            self.finishing.append(photo.shape)
            yield Finished(np.rint(levels[..., None] + tint).clip(0, 255).astype(np.uint8), hints)

    def _enter(self, photo: Photo, options: Any, reference: Photo | None = None) -> None:
        self.photos.append(photo)
        self.references.append(reference)
        self.options.append(options)
        self.threads.add(threading.current_thread().name)
        self.entered.release()
        assert self.gate.wait(PATIENCE_SECONDS), "the test left the gate closed"
        if self.error:
            raise self.error

    def _draw(self, options: Options) -> Drawn:
        if isinstance(options, InterpolationOptions):
            indices = tuple(range(options.steps))
        else:
            shift = options.offset + (getattr(options, "select", "first") != "first")
            indices = tuple(range(shift, shift + options.n))
        if getattr(options, "rank", "none") == "likelihood":
            indices = tuple(reversed(indices))
        seed = options.noise_seed if isinstance(options, VariationOptions) else options.seed
        names = [(seed, i) for i in indices]
        temperature = self.info.default_temperature if options.temperature is None else options.temperature
        norm = getattr(options, "latent_norm", None)
        return Drawn(
            chroma=np.stack([tint(*name, temperature) for name in names]),
            indices=indices,
            bits_per_dim=tuple(2.5 + i / 8 for i in range(len(names))),
            latent_norms=(temperature if norm is None else norm,) * len(names),
            temperature=temperature,
            timings={"condition": 0.001, "sample": 0.002},
            coarsest=np.stack([np.random.default_rng(name).normal(0, 30, (2, 8, 8)) for name in names]),
            bits_before_hints=tuple(2.5 + i / 8 for i in range(len(names))),
            colors=tuple((self.others[i % len(self.others)],) * len(getattr(options, "at", ())) for i in indices),
            hints=options.hints,
        )
