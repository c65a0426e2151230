"""Training of a baseline, on the same features and with the same settings as a level."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from model.device import choose_device
from model.errors import InputError
from model.flow.checkpoint import load_checkpoint
from model.flow.cinn import Cinn
from training.baselines.checkpoint import BaselineColorizer, save_baseline
from training.baselines.decoder import DecoderConfig
from training.baselines.networks import BASELINES
from training.dataset import Batch, FeatureDataset
from training.ema import Ema
from training.loop import EVALUATION_SEED, LoopConfig, stop_signals
from training.precision import mixed_precision
from training.run import RunConfig, prepare

__all__ = ["BaselineTrainer", "train_baseline"]


class BaselineTrainer:
    """Trains a baseline in place."""

    def __init__(self, colorizer: BaselineColorizer, dataset: FeatureDataset, config: LoopConfig) -> None:
        self.colorizer, self.dataset, self.config = colorizer, dataset, config
        self.baseline = colorizer.baseline
        self.device = colorizer.chroma_mean.device
        self.baseline.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it
        self.players = self.baseline.players()
        rate, betas = self.baseline.learning_rate, self.baseline.betas
        self.optimizers = {
            name: torch.optim.AdamW(
                player.parameters(), lr=rate, betas=betas, weight_decay=config.weight_decay, fused=True
            )
            for name, player in self.players.items()
        }
        self.ema = Ema(self.baseline, config.ema_decay)
        self.batch = min(config.batch, len(dataset.train))
        self.step = self.skipped = 0
        self.seconds = 0.0
        self.losses: list[tuple[int, float]] = []
        """step, and the loss held out"""

    def train(self, state_file: Path) -> bool:
        """Train until the minutes are over, ending with averaged weights; return False if a signal ended it early.

        state_file is written every few minutes and at the end; if it exists, training goes on from it.
        """
        if state_file.exists():
            self._load(state_file)
        torch.manual_seed(self.config.seed + self.step)  # dropout has no generator of its own
        generator = torch.Generator().manual_seed(self.config.seed + self.step)
        rng = np.random.default_rng((self.config.seed, self.step))
        batches = self.dataset.batches(self.batch, rng)
        resumed, begun = self.seconds, self.config.clock()
        saved = begun
        with stop_signals() as stop:
            while self.seconds < self.config.minutes * 60 and not stop:
                self.take_step(next(batches).to(self.device), generator)
                now = self.config.clock()
                self.seconds = resumed + now - begun
                if now - saved > self.config.checkpoint_minutes * 60:
                    self._save(state_file)
                    saved = self.config.clock()
        self._save(state_file)
        self.ema.apply()
        return not stop

    @torch.inference_mode()
    def evaluate(self) -> float:
        """Mean loss over the held-out photos, with latents from a fixed seed."""
        self.baseline.eval()
        generator = torch.Generator().manual_seed(EVALUATION_SEED)
        total = 0.0
        for held_out in self.dataset.held_out_batches(self.config.batch):
            batch = held_out.to(self.device)
            with mixed_precision(batch.chroma.device):
                loss = self.baseline.held_out_loss(batch, self._target(batch), generator)
            total += loss.item() * len(batch.chroma)
        return total / len(self.dataset.held_out)

    def take_step(self, batch: Batch, generator: torch.Generator) -> None:
        """Give each player its turn; one whose loss or gradient is not finite misses it."""
        self.baseline.train()
        warm = min(1.0, (self.step + 1) / self.config.warmup_steps)
        done = min(1.0, self.seconds / (self.config.minutes * 60))
        self.step += 1
        for name, player in self.players.items():
            optimizer = self.optimizers[name]
            optimizer.param_groups[0]["lr"] = (
                self.baseline.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * done))
            )
            with mixed_precision(batch.chroma.device):
                loss = self.baseline.loss(name, batch, self._target(batch), generator)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            norm = nn.utils.clip_grad_norm_(player.parameters(), self.config.clip)
            if not torch.isfinite(torch.stack((loss, norm))).all():
                self.skipped += 1
                continue
            optimizer.step()
        self.ema.update(self.step)

    def _target(self, batch: Batch) -> Tensor:
        return (batch.chroma - self.colorizer.chroma_mean) / self.colorizer.chroma_std

    def _save(self, state_file: Path) -> None:
        with self.ema.applied():
            self.losses.append((self.step, self.evaluate()))
        state = {
            "baseline": self.baseline.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "ema": self.ema.values,
            "progress": (self.step, self.skipped, self.seconds, self.losses),
        }
        partial = state_file.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(state_file)
        rate = self.step * self.batch / max(self.seconds, 1e-9)
        print(
            f"step {self.step}, {self.seconds / 60:.1f} min: held out {self.losses[-1][1]:.4f}, {rate:.0f} samples/s; "
            f"{self.skipped} steps skipped",
            flush=True,
        )

    def _load(self, state_file: Path) -> None:
        state = torch.load(state_file, map_location=self.device, weights_only=True)
        self.baseline.load_state_dict(state["baseline"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.ema.values = state["ema"]
        self.step, self.skipped, self.seconds, self.losses = state["progress"]


def train_baseline(
    name: str, run: RunConfig, config: DecoderConfig | None = None, loop: LoopConfig | None = None
) -> Path | None:
    """Train a baseline with h and the scales of `run.init`, or of a new cINN; return the path of its weights.

    None if a signal ended it early. Raises InputError for an unknown name, NoPhotosError for data without photos.
    """
    if name not in BASELINES:
        raise InputError("name", " or ".join(BASELINES), name)
    cinn = (load_checkpoint(run.init).cinn if run.init else Cinn()).to(choose_device(run.device))
    run.out.mkdir(parents=True, exist_ok=True)
    dataset = prepare(run, cinn)
    colorizer = BaselineColorizer(name, config or DecoderConfig())
    colorizer.surround(cinn)
    colorizer.to(cinn.chroma_mean.device)
    trainer = BaselineTrainer(colorizer, dataset, replace(loop or LoopConfig(processor_time=True), minutes=run.minutes))
    if not trainer.train(run.out / f"{name}.pt"):
        return None
    path = run.out / f"{name}.safetensors"
    save_baseline(colorizer, path)
    return path
