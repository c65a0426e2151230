"""The training loop of one level."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from model.cinn import Cinn
from model.haar import detail, pyramid
from model.level import FlowLevel
from training.dataset import Batch, FeatureDataset

__all__ = ["LoopConfig", "level_data", "level_loss", "standardize_level", "train_level"]


@dataclass(frozen=True)
class LoopConfig:
    """How a level is trained."""

    minutes: float
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup_steps: int = 300
    clip: float = 1.0
    """largest norm of the gradient"""
    noise: float = 0.05
    """standard deviation of the Gaussian noise on standardized a*b* at 64×64"""
    coarser_noise: float = 0.05
    """the same on the coarser a*b* that a level is conditioned on, which is a sample when the model is used"""
    ema_decay: float = 0.999
    checkpoint_minutes: float = 4
    seed: int = 0


def level_data(cinn: Cinn, level: int, chroma: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return what a level maps to its latent, and the coarser a*b* that it is conditioned on.

    chroma: (B, 2, 64, 64) a*b*.
    """
    sizes = pyramid((chroma - cinn.chroma_mean) / cinn.chroma_std, len(cinn.levels) - 1)
    return (detail(sizes[level]), sizes[level - 1]) if level else (sizes[0], None)


def level_loss(flow: FlowLevel, batch: Batch, data: Tensor, coarser: Tensor | None) -> Tensor:
    """Negative log-likelihood of each photo's level data, (B,) in nats per dimension of the level."""
    photo = flow.photo_condition(batch.features, batch.lightness)
    z, log_det = flow(data, flow.sample_condition(photo, coarser))
    squares: Tensor = 0.5 * z.square().sum(1) + 0.5 * flow.dims * math.log(2 * math.pi)
    return (squares - log_det) / flow.dims


def standardize_level(cinn: Cinn, level: int, dataset: FeatureDataset, photos: int = 2048) -> None:
    """Set a level's mean and scale from training photos."""
    rng = np.random.default_rng(0)
    batches = dataset.batches(256, rng)
    data = torch.cat([level_data(cinn, level, next(batches).chroma)[0] for _ in range(photos // 256)])
    flow = cinn.levels[level]
    flow.mean.copy_(data.mean((0, 2, 3))[:, None, None] if level == 0 else torch.zeros_like(flow.mean))
    flow.std.copy_(data.std((0, 2, 3))[:, None, None])


class Ema:
    """Exponential moving average of parameters; the average warms up so that early steps are forgotten."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {name: p.detach().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, p in module.named_parameters():
            self.values[name].lerp_(p.detach(), 1 - decay)

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[None]:
        """Swap the averages in for the duration of a block."""
        kept = {name: p.detach().clone() for name, p in module.named_parameters()}
        try:
            self._fill(module, self.values)
            yield
        finally:
            self._fill(module, kept)

    @staticmethod
    @torch.no_grad()
    def _fill(module: nn.Module, values: dict[str, Tensor]) -> None:
        for name, p in module.named_parameters():
            p.copy_(values[name])


class _StopFlag:
    """Set by SIGTERM and SIGINT, so that the loop ends after its step and writes a checkpoint."""

    def __init__(self) -> None:
        self.raised = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._raise)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        self.raised = True


def train_level(cinn: Cinn, level: int, dataset: FeatureDataset, config: LoopConfig, state_file: Path) -> bool:
    """Train one level in place, ending with the average of its weights; return False if a signal stopped it.

    state_file is written every few minutes and at the end; if it exists, training goes on from it.
    """
    flow = cinn.levels[level]
    stop = _StopFlag()
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    optimizer = torch.optim.AdamW(
        flow.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=config.weight_decay, fused=True
    )
    ema = Ema(flow, config.ema_decay)
    progress: dict[str, Any] = {"step": 0, "seconds": 0.0, "skipped": 0, "best": math.inf, "history": []}
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        flow.load_state_dict(state["flow"])
        optimizer.load_state_dict(state["optimizer"])
        ema.values, progress = state["ema"], state["progress"]
        rng = np.random.default_rng((config.seed, progress["step"]))
    flow.to(memory_format=torch.channels_last)
    batches = dataset.batches(config.batch, rng)
    begun = time.monotonic() - progress["seconds"]
    saved = shown = time.monotonic()
    running = math.nan

    def save() -> None:
        progress["seconds"] = time.monotonic() - begun
        with ema.applied(flow):
            held_out = evaluate_level(cinn, level, dataset, config)
        progress["history"].append([progress["step"], progress["seconds"], running, held_out])
        state = {"flow": flow.state_dict(), "optimizer": optimizer.state_dict(), "ema": ema.values}
        partial = state_file.with_suffix(".partial")
        torch.save({**state, "progress": progress}, partial)
        partial.rename(state_file)
        print(
            f"level {cinn.config.levels[level].size} · step {progress['step']} · {progress['seconds'] / 60:.1f} min · "
            f"train {bits(running):.4f}, held out {bits(held_out):.4f} bits/dim · {progress['skipped']} skipped",
            flush=True,
        )

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("", total=config.minutes * 60, completed=progress["seconds"])
        while (elapsed := time.monotonic() - begun) < config.minutes * 60 and not stop.raised:
            warm = min(1.0, (progress["step"] + 1) / config.warmup_steps)
            done = elapsed / (config.minutes * 60)
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * done))
            loss = _step(cinn, level, next(batches), config, optimizer)
            progress["step"] += 1
            if math.isfinite(loss):
                ema.update(flow, progress["step"])
                running = loss if math.isnan(running) else running + 0.02 * (loss - running)
            else:
                progress["skipped"] += 1
            now = time.monotonic()
            if now - shown > 1:
                shown = now
                rate = progress["step"] * config.batch / (now - begun)
                bar.update(
                    task,
                    completed=now - begun,
                    description=f"{cinn.config.levels[level].size}² {bits(running):.4f} bits/dim {rate:.0f} samples/s",
                )
            if now - saved > config.checkpoint_minutes * 60:
                save()
                saved = time.monotonic()
    save()
    Ema._fill(flow, ema.values)
    return not stop.raised


def bits(nats: float) -> float:
    """Nats to bits."""
    return nats / math.log(2)


def _step(cinn: Cinn, level: int, batch: Batch, config: LoopConfig, optimizer: torch.optim.Optimizer) -> float:
    """Take one optimizer step; return the loss, not finite where the step was skipped."""
    flow = cinn.levels[level]
    flow.train()
    noisy = batch.chroma + config.noise * cinn.chroma_std * torch.randn_like(batch.chroma)
    data, coarser = level_data(cinn, level, noisy)
    if coarser is not None:
        coarser = coarser + config.coarser_noise * torch.randn_like(coarser)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = level_loss(flow, batch, data, coarser).mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(flow.parameters(), config.clip)
    if not (torch.isfinite(loss) and torch.isfinite(norm)):
        return math.nan
    optimizer.step()
    return loss.item()


@torch.no_grad()
def evaluate_level(cinn: Cinn, level: int, dataset: FeatureDataset, config: LoopConfig) -> float:
    """Mean loss over the held-out photos, in nats per dimension, with the noise of training from a fixed seed."""
    flow = cinn.levels[level].eval()
    generator = torch.Generator().manual_seed(1)
    losses = []
    for batch in dataset.held_out_batches(config.batch):
        noise = torch.randn(batch.chroma.shape, generator=generator)
        data, coarser = level_data(cinn, level, batch.chroma + config.noise * cinn.chroma_std * noise)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            losses.append(level_loss(flow, batch, data, coarser))
    return torch.cat(losses).mean().item()
