"""A few steps of training, alone or as torchrun starts it: `steps.py FEATURES OUT`. Not a test itself."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from model.flow.cinn import Cinn
from tests.networks import TINY
from training.dataset import FeatureDataset
from training.loop import LoopConfig, Trainer
from training.processes import joined
from training.run import OBJECTIVES
from training.standardize import standardize

STEPS = 5
PARTS = ("coarsest", "details")
CONFIG = replace(
    TINY, coarsest=replace(TINY.coarsest, dropout=0.0), decoder=replace(TINY.decoder, dropout=0.0)
)  # else the processes would hide features of their own


def main(features: Path, out: Path) -> None:
    """Write the losses of every step, and the held-out losses after the last, as JSON."""
    found: dict[str, list[list[float]]] = {"steps": [], "held_out": []}
    with joined("cpu") as processes:
        torch.manual_seed(processes.share.rank)  # weights begin differently, as they do without a seed
        cinn = Cinn(CONFIG)
        dataset = FeatureDataset([[features]], held_out=0.2)
        standardize(cinn, dataset)
        cinn.network.requires_grad_(False)
        for part in PARTS:
            objective = OBJECTIVES[part](cinn)
            trainer = Trainer(cinn.network, objective, dataset, LoopConfig(batch=16, warmup_steps=1), processes)
            generator = torch.Generator().manual_seed(0)
            batches = dataset.batches(trainer.batch, np.random.default_rng(0), processes.share)
            for _ in range(STEPS):
                trainer.running = [math.nan] * len(objective.names)  # so that it is this step's alone
                trainer._step(next(batches), generator)
                found["steps"].append([loss for loss in trainer.running if not math.isnan(loss)])
            if processes.first:
                found["held_out"].append(trainer.evaluate())
        if processes.first:
            out.write_text(json.dumps(found))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
