"""A small convolutional classifier of digits, trained on real digits only, which judges generated ones."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from research.digits.digits import CLASSES, SIDE, Digits

__all__ = ["DigitClassifier", "classify", "train_classifier"]

BATCH = 128
LEARNING_RATE = 2e-3
MAX_SHIFT = 2
"""Largest shift of a batch in training, in pixels"""
CLASSIFYING_BATCH = 1000


class DigitClassifier(nn.Module):
    """Three convolutions and two fully connected layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 3 * 3, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, CLASSES),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """Classify images, (B, 784) uint8. Returns logits (B, 10)."""
        return self.layers(images.float().view(-1, 1, SIDE, SIDE) / 255)


def train_classifier(digits: Digits, epochs: int, seed: int = 0) -> DigitClassifier:
    """Train a new classifier on real digits, shifted a little."""
    torch.manual_seed(seed)  # layers and dropout take no generator
    generator = torch.Generator().manual_seed(seed)
    classifier = DigitClassifier()
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=LEARNING_RATE)
    steps = epochs * math.ceil(len(digits) / BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(epochs):
        total = 0.0
        for batch in torch.split(torch.randperm(len(digits), generator=generator), BATCH):
            shift = torch.randint(-MAX_SHIFT, MAX_SHIFT + 1, (2,), generator=generator).tolist()
            images = digits.images[batch].view(-1, SIDE, SIDE).roll(shift, (1, 2)).flatten(1)
            loss = F.cross_entropy(classifier(images), digits.labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        print(f"epoch {epoch + 1}: loss {total / len(digits):.4f}", flush=True)
    return classifier.eval().requires_grad_(False)


@torch.inference_mode()
def classify(classifier: DigitClassifier, images: Tensor) -> Tensor:
    """Return the likeliest class of each image, (N,). images: (N, 784) uint8."""
    return torch.cat([classifier(batch).argmax(1) for batch in torch.split(images, CLASSIFYING_BATCH)])
