"""Training of a rival, on the same features as the cINN, by the same loop."""

from dataclasses import replace
from pathlib import Path

import torch

from model.device import choose_device
from model.errors import InputError
from model.flow.checkpoint import load_checkpoint
from model.flow.cinn import Cinn
from research.rivals.checkpoint import RivalColorizer, save_rival
from research.rivals.decoder import DecoderConfig
from research.rivals.networks import RIVALS
from research.rivals.objective import objectives
from training.dataset import Batch, FeatureDataset
from training.loop import LoopConfig, Trainer
from training.run import RunConfig, prepare

__all__ = ["make_trainer", "train_rival"]


def make_trainer(colorizer: RivalColorizer, dataset: FeatureDataset, loop: LoopConfig) -> Trainer[Batch]:
    """Return a trainer of a rival's players, at the rival's own learning rate."""
    rival = colorizer.rival.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it
    settings = replace(loop, learning_rate=rival.learning_rate, betas=rival.betas)
    return Trainer(None, objectives(colorizer), dataset, settings)


def train_rival(
    name: str, run: RunConfig, config: DecoderConfig | None = None, loop: LoopConfig | None = None
) -> Path | None:
    """Train a rival with h and the scales of `run.init`, or of a new cINN; return the path of its weights.

    None if a signal ended it early. Raises InputError for an unknown name, NoPhotosError for data without photos.
    """
    if name not in RIVALS:
        raise InputError("name", " or ".join(RIVALS), name)
    cinn = (load_checkpoint(run.init).cinn if run.init else Cinn()).to(choose_device(run.device))
    run.out.mkdir(parents=True, exist_ok=True)
    dataset = prepare(run, cinn)
    colorizer = RivalColorizer(name, config or DecoderConfig())
    colorizer.surround(cinn)
    colorizer.to(cinn.chroma_mean.device)
    trainer = make_trainer(colorizer, dataset, replace(loop or LoopConfig(processor_time=True), minutes=run.minutes))
    if not trainer.train(run.out / f"{name}.pt"):
        return None
    path = run.out / f"{name}.safetensors"
    save_rival(colorizer, path)
    return path
