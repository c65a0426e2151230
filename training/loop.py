"""The training loop for one part of a network, or several in turns, with any objectives."""

import io
import math
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from statistics import fmean
from typing import Generic, TypeVar, cast

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from model.errors import InputError, ModelError
from model.flow.condition import ConditionNetwork
from model.flow.weights_file import write_whole
from training.dataset import Batch, Dataset, to_device
from training.ema import Ema
from training.memory import keep_freed_memory
from training.objectives.objective import Losses, Objective
from training.processes import Processes
from training.unfreeze import refine, unfreeze

__all__ = ["DivergedError", "LoopConfig", "Trainer"]

EVALUATION_SEED = 1
FAR = 10.0
"""If the held-out loss was never below its first value plus this, training has diverged; usually bits per dimension."""
BatchT = TypeVar("BatchT")


class DivergedError(ModelError, RuntimeError):
    """Training left weights that are not finite, or far worse than those it began with."""


@dataclass(frozen=True)
class LoopConfig:
    """Settings of training one part of the network."""

    minutes: float = 30
    steps: int | None = None
    """Number of steps, in place of minutes; a run that was stopped and continued then ends with the same weights as an
    uninterrupted one."""
    batch: int = 64
    """photos of a step, over all processes; rounded down to a multiple of their number"""
    learning_rate: float = 1e-3
    """highest rate of AdamW, which trains everything except the matrices"""
    matrix_learning_rate: float = 2e-3
    """Highest rate of Muon, which trains matrices of transformers and kernels of convolutions, in AdamW's units. At 0,
    AdamW trains them, too: Muon's steps stay large when there is little left to learn, and undo earlier learning."""
    network_learning_rate: float = 0.0
    """highest rate of the late stages of h, which stay frozen at 0"""
    betas: tuple[float, float] = (0.9, 0.98)
    """betas of AdamW"""
    warmup_steps: int = 100
    hold: float = 0.55
    """share of the training after which learning rates fall linearly to 0"""
    clip: float = 1.0
    """maximum norm of AdamW's gradients, or of h's; Muon's steps do not depend on the gradient's norm"""
    ema_decay: float = 0.9985
    checkpoint_minutes: float = 4
    checkpoint_steps: int | None = None
    """number of steps, in place of these minutes"""
    processor_time: bool = False
    """whether minutes are processor time, which excludes other programs, or wall-clock time"""
    seed: int = 0

    def clock(self) -> float:
        """Return the current seconds of the clock that counts the minutes."""
        return time.process_time() if self.processor_time else time.monotonic()


@dataclass
class History:
    """Progress of a run."""

    step: int = 0
    seconds: float = 0.0
    skipped: int = 0
    """number of steps, or turns of one of several players, with a loss or gradient that was not finite"""
    losses: list[tuple[int, list[float], list[float]]] = field(default_factory=list)
    """step, then for each reported loss the running mean in training, and the held-out mean"""
    best: float = math.inf
    """the lowest mean of the held-out losses"""
    first: float = math.inf
    """the mean of the held-out losses before training; infinite in states that do not know it"""


class Player(Generic[BatchT]):
    """An objective with its optimizers."""

    def __init__(self, objective: Objective[BatchT], network: ConditionNetwork | None, config: LoopConfig) -> None:
        """network: h, if its late stages are trained with the objective's module; else None."""
        self.objective = objective
        self.trained = nn.ModuleDict({"part": objective.module})
        matrices = objective.matrices() if config.matrix_learning_rate else []
        names = {id(matrix) for matrix in matrices}
        others = [(name, p) for name, p in objective.module.named_parameters() if id(p) not in names]
        self.clipped = [[p for _, p in others]]
        groups = []
        for begin, pace in (*objective.paces.items(), ("", 1.0)):
            own = [(name, p) for name, p in others if name.startswith(begin)]
            others = [(name, p) for name, p in others if not name.startswith(begin)]
            groups.append({"params": [p for _, p in own], "lr": pace * config.learning_rate})
        if network is not None:
            self.trained["network"] = network
            groups.append({"params": unfreeze(network), "lr": config.network_learning_rate})
            self.clipped.append(list(network.parameters()))
        decay = objective.weight_decay
        adamw = torch.optim.AdamW(groups, betas=config.betas, weight_decay=decay, fused=True)
        self.optimizers: list[torch.optim.Optimizer] = [adamw]
        # a kernel is a matrix from patches to channels
        self.flat = [(weight, nn.Parameter(weight.detach().view(len(weight), -1))) for weight in matrices]
        if matrices:
            flat, rate = [matrix for _, matrix in self.flat], config.matrix_learning_rate
            muon = torch.optim.Muon(flat, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
            self.optimizers.append(muon)
        self.peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in self.optimizers]

    def begin_turn(self, factor: float) -> None:
        """Clear gradients, and set the learning rates to a share of their peaks."""
        for optimizer, peaks in zip(self.optimizers, self.peaks, strict=True):
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
            optimizer.zero_grad(set_to_none=True)

    def end_turn(self, clip: float) -> None:
        """Take a step along the gradients."""
        for part in self.clipped:
            nn.utils.clip_grad_norm_(part, clip)
        for weight, matrix in self.flat:
            matrix.grad = None if weight.grad is None else weight.grad.reshape(matrix.shape)
        for optimizer in self.optimizers:
            optimizer.step()


class Trainer(Generic[BatchT]):
    """Trains in place one part of a network, or several that take turns on every batch."""

    def __init__(
        self,
        network: ConditionNetwork | None,
        objective: Objective[BatchT] | Sequence[Objective[BatchT]],
        dataset: Dataset[BatchT],
        config: LoopConfig,
        processes: Processes | None = None,
    ) -> None:
        """network: h; its late stages are trained with the first objective if the configuration says so.

        Several objectives are players, as in a GAN. Raises InputError for fewer examples than processes, or for
        training a missing h.
        """
        self.network = network if config.network_learning_rate else None
        self.dataset, self.config, self.processes = dataset, config, processes or Processes()
        most, count = min(config.batch, len(dataset.train)), self.processes.share.of
        self.batch = most - most % count
        if not self.batch:
            raise InputError("data", f"a photo for each of {count} processes", most)
        objectives = list(objective) if isinstance(objective, Sequence) else [objective]
        self.names = [name for each in objectives for name in each.names]
        self.trained = nn.ModuleDict({f"part{i or ''}": each.module for i, each in enumerate(objectives)})
        if self.network is not None:
            self.trained["network"] = self.network
        elif config.network_learning_rate:
            raise InputError("network_learning_rate", "0 where there is no h", config.network_learning_rate)
        first, *rest = objectives
        self.players = [Player(first, self.network, config), *(Player(each, None, config) for each in rest)]
        averaging = self.processes.averaging  # gradients are means over all processes
        self._losses = [averaging(player.trained, partial(self._compute, player)) for player in self.players]
        self.ema = Ema(self.trained, config.ema_decay)
        self.history = History()
        self.best: dict[str, Tensor] = {}
        """averaged weights with the best held-out loss"""
        self.running = [math.nan] * len(self.names)

    def train(self, state_file: Path) -> bool:
        """Train until the minutes or steps are over; return False if a signal ended training early.

        Evaluates averaged weights on held-out photos every few minutes and at the end, writes state_file each time, and
        ends with the best of these weights. Continues from an existing state_file; raises InputError if that is damaged
        or from other options, and DivergedError, which keeps the last state_file.
        """
        if resumes := state_file.exists():
            self._load(state_file)
        keep_freed_memory()
        config, history, processes = self.config, self.history, self.processes
        generator, rng = torch.Generator(), np.random.default_rng(config.seed)
        batches = self.dataset.batches(self.batch, rng, processes.share, history.step)
        resumed, begun = history.seconds, config.clock()
        saved, stopped = begun, False
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with stop_signals() as stop, Progress(*columns, transient=True, disable=not processes.first) as bar:
            if processes.first:
                began = f"training {', '.join(self.names)} from step {history.step}"
                if not resumes:
                    history.first = fmean(self.evaluate())
                    began += f"; held out {history.first:.4f}"
                print(began, flush=True)
            task = bar.add_task("", total=1.0)
            while self._done() < 1 and not stopped:
                self._seed(generator)
                self._step(to_device(next(batches), self._device), generator)
                now = config.clock()
                # one clock for all, so that all save at the same time
                told = [resumed + now - begun, float(self._is_due(now - saved))] if processes.first else [0.0, 0.0]
                history.seconds, due, signals = processes.sum([*told, len(stop)]).tolist()
                bar.update(task, completed=self._done(), description=self._describe())
                if due:
                    self._save(state_file)
                    saved = config.clock()
                    signals = processes.sum([len(stop)]).item()
                stopped = signals > 0
            if not stopped:
                if not history.losses or history.losses[-1][0] != history.step:
                    self._save(state_file)
                stopped = processes.sum([len(stop)]).item() > 0
        if stopped:
            self._write(state_file)
            processes.wait()  # torchrun ends all as soon as one exits with a status other than 0
        elif processes.first and history.best - history.first > 1e-4:
            print(f"no gain: held out {history.best:.4f} at best, {history.first:.4f} before training", flush=True)
        self.ema.values = self._of_first(self.best or self.ema.values)  # only the first process has held-out photos
        self.ema.apply()
        self._losses.clear()  # else they keep the processes' connections until Python ends, which may then abort
        return not stopped

    def _of_first(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the first process's values in every process."""
        if self.processes.share.of == 1:
            return values
        factor = float(self.processes.first)
        return {name: self.processes.sum(factor * value).to(value) for name, value in values.items()}

    def evaluate(self) -> list[float]:
        """Return the mean of each reported loss over held-out photos, with noise from a fixed seed."""
        for player in self.players:
            player.objective.module.eval()
        generator = torch.Generator().manual_seed(EVALUATION_SEED)
        losses = []
        with torch.inference_mode():
            for batch in self.dataset.held_out_batches(self.config.batch):
                seen = self._refined(to_device(batch, self._device))
                losses.append(torch.cat([player.objective.held_out(seen, generator) for player in self.players], 1))
        return torch.cat(losses).mean(0).tolist()

    @property
    def _device(self) -> torch.device:
        return next(self.trained.parameters()).device

    def _refined(self, batch: BatchT) -> BatchT:
        """Return a batch with features of the present h, if h is trained, too."""
        if self.network is None:
            return batch
        photos = cast(Batch, batch)
        return cast(BatchT, photos._replace(features=refine(self.network, photos.features)))

    def _done(self) -> float:
        """Return the share of the training that is over."""
        config, history = self.config, self.history
        if config.steps is not None:
            return history.step / config.steps if config.steps else 1.0
        return history.seconds / (config.minutes * 60) if config.minutes else 1.0

    def _is_due(self, seconds: float) -> bool:
        """Say whether to evaluate and save, so many seconds after the last time."""
        if self.config.checkpoint_steps is not None:
            return self.history.step % self.config.checkpoint_steps == 0
        return seconds > self.config.checkpoint_minutes * 60

    def _seed(self, generator: torch.Generator) -> None:
        """Seed a step by the run's seed and its number alone, so that continued runs draw like uninterrupted ones."""
        entropy = np.random.SeedSequence((self.config.seed, self.history.step))
        seed = int(entropy.generate_state(1, np.uint64)[0]) >> 1
        generator.manual_seed(seed)
        # dropout has no own generator, and must differ between processes
        torch.manual_seed((seed + self.processes.share.rank) % 2**63)

    def _step(self, batch: BatchT, generator: torch.Generator) -> None:
        config, history = self.config, self.history
        warm = min(1.0, (history.step + 1) / config.warmup_steps)
        factor = warm * min(1.0, max(0.0, 1 - self._done()) / (1 - config.hold))
        for player in self.players:
            player.objective.module.train()
        skipped, shown = 0, []
        for player, compute in zip(self.players, self._losses, strict=True):
            player.begin_turn(factor)
            losses = compute(batch, generator)
            losses.minimized.backward()  # type: ignore[no-untyped-call]
            means = self.processes.sum(losses.shown) / self.processes.share.of
            if self._is_finite(losses.minimized, player.trained):
                player.end_turn(config.clip)
            else:
                skipped += 1
                means = means * math.nan
            shown += means.tolist()
        history.step += 1
        history.skipped += skipped
        if skipped < len(self.players):
            self.ema.update(history.step)
        for i, value in enumerate(shown):
            known = self.running[i]
            if not math.isnan(value):  # NaN: a loss left out of this step, or a skipped turn
                self.running[i] = value if math.isnan(known) else known + 0.02 * (value - known)

    def _is_finite(self, loss: Tensor, trained: nn.Module) -> bool:
        """Say whether the loss and all gradients are finite in every process."""
        gradients = [p.grad for p in trained.parameters() if p.grad is not None]
        norms = torch.stack(torch._foreach_norm(gradients))
        broken = float(not (bool(torch.isfinite(loss)) and bool(torch.isfinite(norms).all())))
        return self.processes.sum([broken]).item() == 0

    def _compute(self, player: Player[BatchT], batch: BatchT, generator: torch.Generator) -> Losses:
        return player.objective.compute(self._refined(batch), generator, self.processes.share)

    def _describe(self) -> str:
        losses = ", ".join(f"{name}: {loss:.4f}" for name, loss in zip(self.names, self.running, strict=True))
        rate = self.history.step * self.batch / max(self.history.seconds, 1e-9)
        return f"{losses}, {rate:.0f} samples/s"

    def _save(self, state_file: Path) -> None:
        """Evaluate the averaged weights on held-out photos, and write the state."""
        if not self.processes.first:
            return
        with self.ema.applied():
            held_out = self.evaluate()
        mean = fmean(held_out)
        if not math.isfinite(mean) or min(mean, self.history.best) > self.history.first + FAR:
            kept = f"continue {state_file} with --resume" if state_file.exists() else "begin again"
            raise DivergedError(
                f"training diverged: at step {self.history.step}, the held-out loss is {mean:.4g}, and it began with "
                f"{self.history.first:.4g}; {self.history.skipped} steps skipped; {kept}, at a lower --learning-rate"
            )
        self.history.losses.append((self.history.step, list(self.running), held_out))
        if mean < self.history.best:
            self.history.best = mean
            self.best = {name: value.clone() for name, value in self.ema.values.items()}
        self._write(state_file)
        print(
            f"step {self.history.step}, {self.history.seconds / 60:.1f} min: {self._describe()}; held out "
            f"{', '.join(f'{loss:.4f}' for loss in held_out)}; {self.history.skipped} steps skipped",
            flush=True,
        )

    def _write(self, state_file: Path) -> None:
        if not self.processes.first:
            return
        state = {
            "trained": self.trained.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "ema": self.ema.values,
            "best": self.best,
            "history": vars(self.history),
            "running": self.running,
        }
        buffer = io.BytesIO()  # since torch hides a full disk
        torch.save(state, buffer)
        write_whole(state_file, buffer.getbuffer())

    def _load(self, state_file: Path) -> None:
        try:
            state = torch.load(state_file, map_location=self._device, weights_only=True)
            self.trained.load_state_dict(state["trained"])
            for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
            self.ema.values, self.best = state["ema"], state["best"]
            self.history = History(**state["history"])
            self.running = state["running"]
        except (EOFError, KeyError, RuntimeError, TypeError, UnpicklingError, ValueError) as error:
            expected = "the whole state of a run with the same options; a new folder begins anew"
            raise InputError("state", expected, f"{state_file} ({error!s:.200})") from error

    @property
    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Return all players' optimizers, in the order of their turns."""
        return [optimizer for player in self.players for optimizer in player.optimizers]


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT in a list, instead of ending the process."""
    received: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = [signal.signal(number, lambda number, _: received.append(number)) for number in numbers]
    try:
        yield received
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)
