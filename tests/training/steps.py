"""A few steps of training, alone or as torchrun starts it: `steps.py FEATURES OUT`. Not a test itself."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch

from model.flow.cinn import Cinn, CinnConfig
from model.flow.level import LevelConfig
from training.dataset import FeatureDataset
from training.loop import LoopConfig, Trainer
from training.processes import joined
from training.standardize import standardize

STEPS = 5
LEVELS = (0, 2)


def main(features: Path, out: Path) -> None:
    """Write the losses of every step, and the held-out losses after the last, as JSON."""
    with joined("cpu") as processes:
        torch.manual_seed(processes.share.rank)  # weights begin differently, as they do without a seed
        sizes = (8, 16, 32, 64)
        cinn = Cinn(
            CinnConfig(levels=tuple(LevelConfig(n, 2, 8, head_width=8, head_blocks=1, joint_blocks=1) for n in sizes))
        )
        dataset = FeatureDataset([[features]], held_out=0.2)
        standardize(cinn, dataset)
        cinn.network.requires_grad_(False)
        config = LoopConfig(batch=16, warmup_steps=1)
        trainer = Trainer(cinn, LEVELS, dataset, config, processes)
        generator = torch.Generator().manual_seed(0)
        batches = dataset.batches(trainer.batch, np.random.default_rng(0), processes.share)
        losses = []
        for _ in range(STEPS):
            trainer.running = [math.nan] * len(LEVELS)  # so that it is this step's alone
            trainer._step(next(batches), generator)
            losses.append(trainer.running)
        if processes.first:
            out.write_text(json.dumps({"steps": losses, "held_out": trainer.evaluate()}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
