"""Training of a rival with the features and the loop of the cINN; players are trained in turns."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from model.device import choose_device
from model.errors import InputError
from model.flow.checkpoint import load_checkpoint
from model.flow.cinn import Cinn
from research.rivals.checkpoint import RivalColorizer, save_rival
from research.rivals.decoder import DecoderConfig
from research.rivals.networks import RIVALS
from training.dataset import Batch, FeatureDataset
from training.loop import LoopConfig, Trainer
from training.objectives.objective import Losses, Objective
from training.precision import mixed_precision
from training.processes import Share
from training.run import RunConfig, prepare

__all__ = ["make_trainer", "train_rival"]


class PlayerObjective(Objective[Batch]):
    """One player's loss. Only the first player's loss is measured on photos kept back."""

    weight_decay = 0.02

    def __init__(self, colorizer: RivalColorizer, player: str, shown: bool) -> None:
        self.colorizer, self.player = colorizer, player
        self.names = (colorizer.name,) if shown else ()
        self.module = colorizer.rival.players()[player]

    def compute(self, batch: Batch, generator: torch.Generator, share: Share = Share()) -> Losses:
        """Compute the losses; see `Objective`. Latents are drawn for this process's photos alone."""
        with mixed_precision(batch.chroma.device):
            loss = self.colorizer.rival.loss(self.player, batch, self._target(batch), generator)
        return Losses(loss.detach().expand(len(self.names)), loss)

    def held_out(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the losses of photos held out, one value for the whole batch; see `Objective`."""
        photos, shown = len(batch.chroma), len(self.names)
        if not shown:
            return batch.chroma.new_empty(photos, 0)
        with mixed_precision(batch.chroma.device):
            return self.colorizer.rival.held_out_loss(batch, self._target(batch), generator).expand(photos, shown)

    def _target(self, batch: Batch) -> Tensor:
        return (batch.chroma - self.colorizer.chroma_mean) / self.colorizer.chroma_std


def make_trainer(colorizer: RivalColorizer, dataset: FeatureDataset, loop: LoopConfig) -> Trainer[Batch]:
    """Return a trainer of a rival's players, at the rival's own learning rate."""
    rival = colorizer.rival.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it
    settings = replace(loop, learning_rate=rival.learning_rate, betas=rival.betas)
    objectives = [PlayerObjective(colorizer, player, i == 0) for i, player in enumerate(rival.players())]
    return Trainer(None, objectives, dataset, settings)


def train_rival(name: str, run: RunConfig, loop: LoopConfig, config: DecoderConfig | None = None) -> Path | None:
    """Train a rival with h and scales from `run.init` or a new cINN; return the path of its weights.

    Returns None if a signal ended it early. Raises InputError for an unknown name, NoPhotosError without photos.
    """
    if name not in RIVALS:
        raise InputError("name", " or ".join(RIVALS), name)
    cinn = (load_checkpoint(run.init).cinn if run.init else Cinn()).to(choose_device(run.device))
    run.out.mkdir(parents=True, exist_ok=True)
    dataset = prepare(run, cinn)
    colorizer = RivalColorizer(name, config or DecoderConfig())
    colorizer.surround(cinn)
    colorizer.to(cinn.chroma_mean.device)
    trainer = make_trainer(colorizer, dataset, loop)
    if not trainer.train(run.out / f"{name}.pt"):
        return None
    path = run.out / f"{name}.safetensors"
    save_rival(colorizer, path)
    return path
