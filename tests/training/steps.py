"""A few steps of training, alone or as torchrun starts it: `steps.py FEATURES OUT`. Not a test itself."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch

from model.flow.autoregressive import AutoregressiveConfig
from model.flow.cinn import Cinn, CinnConfig
from model.flow.critic import CriticConfig
from model.flow.decoder import DecoderConfig
from model.flow.detail_level import DetailConfig
from training.dataset import FeatureDataset
from training.loop import LoopConfig, Trainer
from training.processes import joined
from training.run import OBJECTIVES
from training.standardize import standardize

STEPS = 5
PARTS = ("coarsest", "details")
TINY = CinnConfig(
    AutoregressiveConfig(width=16, heads=2, encoder_blocks=1, decoder_blocks=1, components=3, dropout=0.0),
    DecoderConfig((8, 8, 8, 8), (4, 4, 4), (1, 1, 1, 1), (1, 1, 0, 0), dropout=0.0),
    tuple(DetailConfig(size, condition_width=8, blocks=2, width=6, recalled=2) for size in (16, 32, 64)),
    CriticConfig(width=16, heads=2, blocks=1),
)


def main(features: Path, out: Path) -> None:
    """Write the losses of every step, and the held-out losses after the last, as JSON."""
    found: dict[str, list[list[float]]] = {"steps": [], "held_out": []}
    with joined("cpu") as processes:
        torch.manual_seed(processes.share.rank)  # weights begin differently, as they do without a seed
        cinn = Cinn(TINY)
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
