"""A program of a few training steps, for one process or torchrun: `steps.py FEATURES OUT`. Not a test itself."""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from model.flow.cinn import Cinn
from tests.networks import TINY
from training.dataset import FeatureDataset
from training.loop import LoopConfig, Trainer
from training.processes import joined
from training.run import OBJECTIVES
from training.standardize import standardize

CONFIG = replace(
    TINY, coarsest=replace(TINY.coarsest, dropout=0.0), decoder=replace(TINY.decoder, dropout=0.0)
)  # otherwise each process would drop other features
LOOP = LoopConfig(steps=5, checkpoint_steps=1, batch=16, warmup_steps=1, ema_decay=0)


def main(features: Path, out: Path) -> None:
    """Train two parts, and save their states."""
    with joined("cpu") as processes:
        torch.manual_seed(processes.share.rank)  # initial weights differ, as without a seed
        cinn = Cinn(CONFIG)
        dataset = FeatureDataset([[features]], held_out=0.2)
        standardize(cinn, dataset)
        cinn.network.requires_grad_(False)
        for part in ("coarsest", "details"):
            Trainer(cinn.network, OBJECTIVES[part](cinn), dataset, LOOP, processes).train(out / f"{part}.pt")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
