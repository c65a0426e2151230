"""Training of the digits' cINN, by epochs."""

from dataclasses import replace

from research.digits.dataset import DigitDataset
from research.digits.digits import Digits
from research.digits.flow import DigitFlow
from research.digits.objective import DigitObjective
from training.loop import LoopConfig, Trainer

__all__ = ["EPOCHS", "LOOP", "make_trainer"]

EPOCHS = 36
HELD_OUT = 2000
"""The last digits, kept back: so many, or a tenth of them."""
LOOP = LoopConfig(batch=256, betas=(0.9, 0.99), warmup_steps=300, ema_decay=0.998, processor_time=True)


def make_trainer(flow: DigitFlow, digits: Digits, epochs: int, loop: LoopConfig = LOOP) -> Trainer[Digits]:
    """Return a trainer for so many passes over the digits, which judges and saves after each."""
    dataset = DigitDataset(digits, min(HELD_OUT, len(digits) // 10))
    epoch = max(1, len(dataset.train) // loop.batch)
    return Trainer(None, DigitObjective(flow), dataset, replace(loop, steps=epochs * epoch, checkpoint_steps=epoch))
