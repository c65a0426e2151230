"""Training of the digits' cINN, by epochs."""

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from training.ema import Ema
from training.loop import stop_signals
from training.mnist.digits import Digits, continuous
from training.mnist.flow import DigitFlow
from training.objective import NATS_PER_BIT
from training.precision import mixed_precision

__all__ = ["DigitTrainer", "TrainConfig"]

HELD_OUT_SEED = 1


@dataclass(frozen=True)
class TrainConfig:
    """How the digits' cINN is trained."""

    epochs: int = 36
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    warmup_steps: int = 300
    clip: float = 1.0
    """largest norm of the gradient"""
    ema_decay: float = 0.998
    held_out: int = 2000
    """digits kept back, the last ones, to see how the likelihood holds on new digits"""
    seed: int = 0


class DigitTrainer:
    """Trains a DigitFlow in place."""

    def __init__(self, flow: DigitFlow, digits: Digits, config: TrainConfig) -> None:
        self.flow, self.config = flow, config
        self.digits, self.held_out = digits.part(slice(-config.held_out)), digits.part(slice(-config.held_out, None))
        self.optimizer = torch.optim.AdamW(
            flow.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=config.weight_decay, fused=True
        )
        self.ema = Ema(flow, config.ema_decay)
        self.epoch = self.step = self.skipped = 0
        self.seconds = 0.0

    def train(self, state_file: Path) -> bool:
        """Train until the epochs are over, ending with averaged weights; return False if a signal ended it early.

        state_file is written after every epoch; if it exists, training goes on from it.
        """
        if state_file.exists():
            self._load(state_file)
        with stop_signals() as stop:
            while self.epoch < self.config.epochs:
                begun = time.process_time()
                nats = self._train_epoch(stop)
                if stop:
                    return False
                self.epoch += 1
                self.seconds += time.process_time() - begun
                self._save(state_file)
                with self.ema.applied():
                    held_out = self.evaluate()
                print(
                    f"epoch {self.epoch}, {self.seconds / 60:.1f} min of CPU: {nats / NATS_PER_BIT:.4f} bits/dim, "
                    f"held out {held_out:.4f}; {self.skipped} steps skipped",
                    flush=True,
                )
        self.ema.apply()
        return True

    @torch.no_grad()
    def evaluate(self) -> float:
        """Bits per dimension of the held-out digits, under the noise of training, from a fixed seed."""
        generator = torch.Generator().manual_seed(HELD_OUT_SEED)
        pixels = continuous(self.held_out.images, self.flow.config.noise, generator)
        return self.flow.nats(pixels, self.held_out.labels).mean().item() / NATS_PER_BIT

    def _train_epoch(self, stop: list[int]) -> float:
        generator = torch.Generator().manual_seed(self.config.seed + self.epoch)
        batches = torch.split(torch.randperm(len(self.digits), generator=generator), self.config.batch)
        batches = batches[: max(1, len(self.digits) // self.config.batch)]  # none that is shorter than the others
        total = 0.0
        for batch in batches:
            if stop:
                break
            total += self._step(self.digits.part(batch), len(batches), generator)
        return total / len(batches)

    def _step(self, batch: Digits, steps_per_epoch: int, generator: torch.Generator) -> float:
        config = self.config
        warm = min(1.0, (self.step + 1) / config.warmup_steps)
        done = self.step / (config.epochs * steps_per_epoch)
        self.optimizer.param_groups[0]["lr"] = config.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * done))
        pixels = continuous(batch.images, self.flow.config.noise, generator)
        with mixed_precision(pixels.device):  # subnets only: the couplings compute in the pixels' float32
            nats = self.flow.nats(pixels, batch.labels).mean()
        self.optimizer.zero_grad(set_to_none=True)
        nats.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.flow.parameters(), config.clip)
        self.step += 1
        if not torch.isfinite(torch.stack((nats, norm))).all():
            self.skipped += 1
            return 0.0
        self.optimizer.step()
        self.ema.update(self.step)
        return nats.item()

    def _save(self, state_file: Path) -> None:
        state = {
            "config": asdict(self.config),
            "flow": self.flow.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.values,
            "progress": (self.epoch, self.step, self.skipped, self.seconds),
        }
        partial = state_file.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(state_file)

    def _load(self, state_file: Path) -> None:
        state = torch.load(state_file, weights_only=True)
        self.flow.load_state_dict(state["flow"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.values = state["ema"]
        self.epoch, self.step, self.skipped, self.seconds = state["progress"]
