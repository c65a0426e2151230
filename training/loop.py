"""The training loop: one part of a network, whatever its objective."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from model.errors import InputError
from model.flow.condition import ConditionFeatures, ConditionNetwork
from training.dataset import Batch, FeatureDataset
from training.ema import Ema
from training.objectives.objective import Losses, Objective
from training.processes import Processes
from training.unfreeze import refine, unfreeze

__all__ = ["LoopConfig", "Trainer", "stop_signals"]

EVALUATION_SEED = 1


@dataclass(frozen=True)
class LoopConfig:
    """How a part of the network is trained."""

    minutes: float = 30
    batch: int = 64
    """photos of a step, of all processes together, who take equal shares of as many as can be shared so"""
    learning_rate: float = 1e-3
    """of AdamW, which trains all but the matrices of transformers"""
    matrix_learning_rate: float = 2e-3
    """of Muon, which trains these, in the units of AdamW"""
    network_learning_rate: float = 0.0
    """of the late stages of h, which stay frozen at 0"""
    warmup_steps: int = 100
    hold: float = 0.55
    """share of the minutes after which learning rates fall, evenly, to 0"""
    clip: float = 1.0
    """largest norm of the gradient of what AdamW trains, or of h; Muon's steps do not depend on the gradient's norm"""
    ema_decay: float = 0.9985
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
    """step, then each loss shown: running mean in training, and held out"""
    best: float = math.inf
    """the least mean of the held-out losses"""


class Trainer:
    """Trains one part of a network in place."""

    def __init__(
        self,
        network: ConditionNetwork,
        objective: Objective,
        dataset: FeatureDataset,
        config: LoopConfig,
        processes: Processes | None = None,
    ) -> None:
        """network: h, whose late stages are trained too where the configuration says so.

        Raises InputError for fewer photos than processes.
        """
        self.network, self.objective, self.dataset, self.config = network, objective, dataset, config
        self.processes = processes or Processes()
        most, count = min(config.batch, len(dataset.train)), self.processes.share.of
        self.batch = most - most % count
        if not self.batch:
            raise InputError("data", f"a photo for each of {count} processes", most)
        self.trained = nn.ModuleDict({"part": objective.module})
        matrices = objective.matrices()
        names = {id(matrix) for matrix in matrices}
        self.others = [p for p in objective.module.parameters() if id(p) not in names]
        groups = [{"params": self.others, "lr": config.learning_rate}]
        if config.network_learning_rate:
            groups.append({"params": unfreeze(network), "lr": config.network_learning_rate})
            self.trained["network"] = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it
        decay = objective.weight_decay
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=decay, fused=True)
        ]
        if matrices:
            self.optimizers.append(
                torch.optim.Muon(
                    matrices, lr=config.matrix_learning_rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"
                )
            )
        self.peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in self.optimizers]
        self._losses = self.processes.averaging(self.trained, self._compute_losses, not self.trains_network)
        self.ema = Ema(self.trained, config.ema_decay)
        self.history = History()
        self.best: dict[str, Tensor] = {}
        """averaged weights when held-out photos were likeliest"""
        self.running = [math.nan] * len(objective.names)

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
        resumed, begun = self.history.seconds, self.config.clock()
        saved = begun
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        stopped = False
        with stop_signals() as stop, Progress(*columns, transient=True, disable=not processes.first) as bar:
            if processes.first:
                print(f"training {', '.join(self.objective.names)} from step {self.history.step}", flush=True)
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
        """Mean of each loss shown over the held-out photos, noise from a fixed seed."""
        self.objective.module.eval()
        generator = torch.Generator().manual_seed(EVALUATION_SEED)
        with torch.inference_mode():
            losses = [
                self.objective.held_out(self._refined(batch), generator)
                for batch in self._on_device(self.dataset.held_out_batches(self.config.batch))
            ]
        return torch.cat(losses).mean(0).tolist()

    def _on_device(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        device = self.network.stem.weight.device
        for features, lightness, chroma in batches:
            moved = ConditionFeatures(*(feature.to(device) for feature in features))
            yield Batch(moved, lightness.to(device), chroma.to(device))

    def _refined(self, batch: Batch) -> Batch:
        """A batch with features of h as it is now, where h is trained too."""
        return batch._replace(features=refine(self.network, batch.features)) if self.trains_network else batch

    @property
    def trains_network(self) -> bool:
        """Whether the late stages of h are trained too."""
        return "network" in self.trained

    def _step(self, batch: Batch, generator: torch.Generator) -> None:
        config, history = self.config, self.history
        self.objective.module.train()
        warm = min(1.0, (history.step + 1) / config.warmup_steps)
        left = 1 - min(1.0, history.seconds / max(config.minutes * 60, 1e-9))
        factor = warm * min(1.0, left / (1 - config.hold))
        for optimizer, peaks in zip(self.optimizers, self.peaks, strict=True):
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
            optimizer.zero_grad(set_to_none=True)
        losses = self._losses(batch, generator)
        losses.minimized.backward()  # type: ignore[no-untyped-call]
        shown = self.processes.sum(losses.shown) / self.processes.share.of
        history.step += 1
        if not self._is_finite(losses.minimized):
            history.skipped += 1
            return
        parts = [self.others, *([list(self.network.parameters())] if self.trains_network else [])]
        for part in parts:
            nn.utils.clip_grad_norm_(part, config.clip)
        for optimizer in self.optimizers:
            optimizer.step()
        self.ema.update(history.step)
        for i, value in enumerate(shown.tolist()):
            known = self.running[i]
            if not math.isnan(value):  # a loss that this step left out
                self.running[i] = value if math.isnan(known) else known + 0.02 * (value - known)

    def _is_finite(self, loss: Tensor) -> bool:
        """Whether the loss and every gradient are finite, in every process."""
        gradients = [p.grad for p in self.trained.parameters() if p.grad is not None]
        norms = torch.stack(torch._foreach_norm(gradients))
        broken = float(not (bool(torch.isfinite(loss)) and bool(torch.isfinite(norms).all())))
        return self.processes.sum([broken]).item() == 0

    def _compute_losses(self, batch: Batch, generator: torch.Generator) -> Losses:
        return self.objective.compute(self._refined(batch), generator, self.processes.share)

    def _describe(self) -> str:
        losses = ", ".join(f"{name}: {loss:.4f}" for name, loss in zip(self.objective.names, self.running, strict=True))
        rate = self.history.step * self.batch / max(self.history.seconds, 1e-9)
        return f"{losses}, {rate:.0f} samples/s"

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
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
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
            f"{', '.join(f'{loss:.4f}' for loss in held_out)}; {self.history.skipped} steps skipped",
            flush=True,
        )

    def _load(self, state_file: Path) -> None:
        state = torch.load(state_file, map_location=self.network.stem.weight.device, weights_only=True)
        self.trained.load_state_dict(state["trained"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
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
