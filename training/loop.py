"""The training loop, of one level or of several on the same batches."""

import math
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from model.errors import InputError
from model.flow.cinn import Cinn
from model.flow.condition import ConditionFeatures
from training.dataset import Batch, FeatureDataset
from training.ema import Ema
from training.objective import NATS_PER_BIT, noisy_loss
from training.processes import Processes
from training.unfreeze import refine, unfreeze

__all__ = ["LoopConfig", "Trainer", "stop_signals"]

EVALUATION_SEED = 1


@dataclass(frozen=True)
class LoopConfig:
    """How levels are trained."""

    minutes: float = 30
    batch: int = 64
    """photos of a step, of all processes together, who take equal shares of as many as can be shared so"""
    learning_rate: float = 1e-3
    network_learning_rate: float = 0.0
    """of the late stages of h, which stay frozen at 0"""
    weight_decay: float = 0.02
    warmup_steps: int = 100
    clip: float = 1.0
    """largest norm of the gradient of a level, or of h"""
    noise: float = 0.05
    """standard deviation of the Gaussian noise on standardized a*b* at 64×64"""
    coarser_noise: float = 0.05
    """the same, more of it, on the coarser a*b* that a level is conditioned on"""
    regression: float = 2.0
    """weight of the regression of z = 0 beside the likelihood"""
    ema_decay: float = 0.999
    checkpoint_minutes: float = 4
    processor_time: bool = False
    """whether minutes are the processors', so that other programs on the machine take none of them, or the clock's"""
    seed: int = 0

    def clock(self) -> float:
        """Return the seconds by which minutes are counted."""
        return time.process_time() if self.processor_time else time.monotonic()


@dataclass
class History:
    """What a run has done so far."""

    step: int = 0
    seconds: float = 0.0
    skipped: int = 0
    """steps whose loss or gradient was not finite"""
    losses: list[tuple[int, list[float], list[float]]] = field(default_factory=list)
    """step, then bits per dimension of each level: running mean in training, and held out"""
    best: float = math.inf
    """the least mean of the levels' held-out bits per dimension"""


class Trainer:
    """Trains some levels of a cINN in place."""

    def __init__(
        self,
        cinn: Cinn,
        levels: Sequence[int],
        dataset: FeatureDataset,
        config: LoopConfig,
        processes: Processes | None = None,
    ) -> None:
        """levels: their indices, coarse to fine. Raises InputError for fewer photos than processes."""
        self.cinn, self.levels, self.dataset, self.config = cinn, levels, dataset, config
        self.processes = processes or Processes()
        most, count = min(config.batch, len(dataset.train)), self.processes.share.of
        self.batch = most - most % count
        if not self.batch:
            raise InputError("data", f"a photo for each of {count} processes", most)
        self.flows = nn.ModuleList(cinn.levels[level] for level in levels)
        self.flows.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it
        self.trained = nn.ModuleDict({"flows": self.flows})
        groups = [{"params": list(self.flows.parameters()), "lr": config.learning_rate}]
        if config.network_learning_rate:
            groups.append({"params": unfreeze(cinn.network), "lr": config.network_learning_rate})
            self.trained["network"] = cinn.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=config.weight_decay, fused=True)
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]
        self._losses = self.processes.averaging(self.trained, self._compute_losses, not self.trains_network)
        self.ema = Ema(self.trained, config.ema_decay)
        self.history = History()
        self.best: dict[str, Tensor] = {}
        """averaged weights when held-out photos were likeliest"""
        self.running = [math.nan] * len(levels)

    def train(self, state_file: Path) -> bool:
        """Train until the minutes are over; return False if a signal ended it early.

        Ends with the averaged weights that held-out photos were likeliest with, of those whenever state was written.
        state_file is written every few minutes and at the end; if it exists, training goes on from it.
        """
        if state_file.exists():
            self._load(state_file)
        processes = self.processes
        # dropout has no generator of its own, and is another in every process
        torch.manual_seed(self.config.seed + self.history.step + (processes.share.rank << 32))
        generator = torch.Generator().manual_seed(self.config.seed + self.history.step)
        rng = np.random.default_rng((self.config.seed, self.history.step))
        batches = self._on_device(self.dataset.batches(self.batch, rng, processes.share))
        sizes = [self.cinn.config.levels[level].size for level in self.levels]
        resumed, begun = self.history.seconds, self.config.clock()
        saved = begun
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        stopped = False
        with stop_signals() as stop, Progress(*columns, transient=True, disable=not processes.first) as bar:
            if processes.first:
                print(f"training {', '.join(f'{size}²' for size in sizes)} from step {self.history.step}", flush=True)
            task = bar.add_task("", total=self.config.minutes * 60)
            while self.history.seconds < self.config.minutes * 60 and not stopped:
                self._step(next(batches), generator)
                now = self.config.clock()
                clock = resumed + now - begun if processes.first else 0.0  # one for all
                self.history.seconds, signals = processes.sum([clock, len(stop)]).tolist()
                stopped = signals > 0
                bar.update(task, completed=self.history.seconds, description=self._describe())
                if now - saved > self.config.checkpoint_minutes * 60:
                    self._save(state_file)
                    saved = self.config.clock()
        self._save(state_file)
        self.ema.values = self.best or self.ema.values  # only the first process holds photos out
        self.ema.apply()
        return not stopped

    def evaluate(self) -> list[float]:
        """Mean loss of each level over the held-out photos, in bits per dimension, noise from a fixed seed."""
        self.flows.eval()
        generator = torch.Generator().manual_seed(EVALUATION_SEED)
        losses: list[list[torch.Tensor]] = [[] for _ in self.levels]
        with torch.inference_mode():
            for batch in self._on_device(self.dataset.held_out_batches(self.config.batch)):
                batch = self._refined(batch)
                for level, parts in zip(self.levels, losses, strict=True):
                    parts.append(noisy_loss(self.cinn, level, batch, self.config.noise, 0.0, generator).nats)
        return [torch.cat(parts).mean().item() / NATS_PER_BIT for parts in losses]

    def _on_device(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        device = self.cinn.chroma_mean.device
        for features, lightness, chroma in batches:
            moved = ConditionFeatures(*(feature.to(device) for feature in features))
            yield Batch(moved, lightness.to(device), chroma.to(device))

    def _refined(self, batch: Batch) -> Batch:
        """A batch with features of h as it is now, where h is trained too."""
        return batch._replace(features=refine(self.cinn.network, batch.features)) if self.trains_network else batch

    @property
    def trains_network(self) -> bool:
        """Whether the late stages of h are trained beside the levels."""
        return "network" in self.trained

    def _step(self, batch: Batch, generator: torch.Generator) -> None:
        config, history = self.config, self.history
        self.flows.train()
        warm = min(1.0, (history.step + 1) / config.warmup_steps)
        done = min(1.0, history.seconds / (config.minutes * 60))
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * warm * (0.5 + 0.5 * math.cos(math.pi * done))
        self.optimizer.zero_grad(set_to_none=True)
        losses = self._losses(batch, generator)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        parts = [*self.flows, *([self.cinn.network] if self.trains_network else [])]
        norms = [nn.utils.clip_grad_norm_(part.parameters(), config.clip) for part in parts]
        nats = self.processes.sum(losses[0]) / self.processes.share.of
        history.step += 1
        if not all(bool(torch.isfinite(each).all()) for each in (nats, *norms)):
            history.skipped += 1
            return
        self.optimizer.step()
        self.ema.update(history.step)
        for i, loss in enumerate(nats.tolist()):
            value = loss / NATS_PER_BIT
            self.running[i] = (
                value if math.isnan(self.running[i]) else self.running[i] + 0.02 * (value - self.running[i])
            )

    def _compute_losses(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return (2, levels): nats per dimension, and weighted regressions; means over this process's batch."""
        config, batch = self.config, self._refined(batch)
        losses = [
            noisy_loss(self.cinn, level, batch, config.noise, config.coarser_noise, generator, self.processes.share)
            for level in self.levels
        ]
        nats = [loss.nats.mean() for loss in losses]
        regressions = [config.regression * loss.regression.mean() for loss in losses]
        return torch.stack((torch.stack(nats), torch.stack(regressions)))

    def _describe(self) -> str:
        sizes = (self.cinn.config.levels[level].size for level in self.levels)
        losses = ", ".join(f"{size}²: {bits:.4f}" for size, bits in zip(sizes, self.running, strict=True))
        rate = self.history.step * self.batch / max(self.history.seconds, 1e-9)
        return f"{losses} bits/dim, {rate:.0f} samples/s"

    def _save(self, state_file: Path) -> None:
        if not self.processes.first:
            return
        with self.ema.applied():
            held_out = self.evaluate()
        self.history.losses.append((self.history.step, list(self.running), held_out))
        mean = sum(held_out) / len(held_out)
        if mean < self.history.best:
            self.history.best = mean
            self.best = {name: value.clone() for name, value in self.ema.values.items()}
        state = {
            "trained": self.trained.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.values,
            "best": self.best,
            "history": vars(self.history),
            "running": self.running,
        }
        partial = state_file.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(state_file)
        print(
            f"step {self.history.step}, {self.history.seconds / 60:.1f} min: {self._describe()}; held out "
            f"{', '.join(f'{bits:.4f}' for bits in held_out)}; {self.history.skipped} steps skipped",
            flush=True,
        )

    def _load(self, state_file: Path) -> None:
        state = torch.load(state_file, map_location=self.cinn.chroma_mean.device, weights_only=True)
        self.trained.load_state_dict(state["trained"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.values, self.best = state["ema"], state["best"]
        self.history = History(**state["history"])
        self.running = state["running"]


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT in a list that becomes non-empty, instead of dying of them."""
    received: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = [signal.signal(number, lambda number, _: received.append(number)) for number in numbers]
    try:
        yield received
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)
