"""Ablations of a flow of couplings, all trained for the same short time.

All variants start untrained, train on the same photos, and are measured on the same photos at temperature 1. The
networks are small, because a short training of large ones shows nothing. The levels at 8×8 and 16×16 train together,
then the levels at 32×32 and 64×64 one by one, each turn for its share of the minutes; the chain has only one level.
Each variant has a folder below OUT, from which a stopped command continues. Figures are those of benchmarks.quality;
`failed` is the share of photos whose samples overflow.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.quality.collection import photos_of_subsets, seed_of
from benchmarks.quality.records import Record, Reference, measure
from benchmarks.quality.subset import figures_of
from model.errors import NonFiniteError
from model.flow.condition import ConditionNetwork
from research.ablations.variants import SMALL_CHAIN, VARIANTS, Variant
from research.couplings.chain import ChainConfig
from research.couplings.cinn import CouplingCinn, CouplingConfig
from research.couplings.method import CouplingMethod
from research.couplings.objective import LevelsObjective
from training.dataset import Batch, FeatureDataset, to_device
from training.loop import LoopConfig, Trainer
from training.standardize import draw_chroma
from training.unfreeze import refine

__all__ = ["COLUMNS", "Row", "StudyConfig", "figure", "study"]

SHARES: Mapping[int, float] = {8: 0.27, 16: 0.26, 32: 0.23, 64: 0.24}
"""Each level's share of the minutes. Coarse levels decide coherence, and see several times more samples a minute."""
TURNS = ((8, 16), (32,), (64,))
"""Sizes of the levels that train on the same batches. Where h is trained, it is in the first turn."""
SHOWN = {
    "bits_per_dim_noisy": "bits per dimension",
    "best_of_8_pixel": "best of 8, per pixel",
    "best_of_8_photo": "best of 8, per photo",
    "temperature_0": "temperature 0",
    "variance": "variance ×10⁴",
    "blotch": "blotch index",
}
"""Figures to draw, with their titles."""
COLUMNS = (*SHOWN, "best_of_1", "colorfulness_share", "failed", "skipped_steps", "samples", "parameters")
SAMPLES = 8

Row = dict[str, Any]


@dataclass(frozen=True)
class StudyConfig:
    """Settings of training and measuring, the same for all variants."""

    photos: Path
    """to measure on"""
    out: Path
    minutes: float
    limit: int = 50
    """number of photos measured of each subset"""
    flow: CouplingConfig = CouplingConfig()
    chain: ChainConfig = SMALL_CHAIN
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(batch=32, processor_time=True))
    trained_on: Mapping[str, object] = field(default_factory=dict)
    """identifies the photos, their views and h; if it has changed, a variant is trained again"""
    measured_on: str = ""
    """identifies the photos to measure on; if it has changed, a variant is measured again"""


def study(
    config: StudyConfig, network: ConditionNetwork, dataset: FeatureDataset, names: Sequence[str]
) -> Iterator[tuple[str, Row]]:
    """Train and measure variants; yield a row for each. Stops early if a signal ends a training run.

    network: the h that the features were made with.
    """
    measured = {"limit": config.limit, "measured_on": config.measured_on}
    for name in names:
        folder = config.out / name.replace(",", "").replace(" ", "-")
        file = folder / "result.json"
        _claim(folder, config, VARIANTS[name])
        row: Row | None = json.loads(file.read_text()) if file.exists() else None
        if row is None or not measured.items() <= row.items():
            print(f"{name}, {config.minutes:g} minutes", flush=True)
            trained = _train(config, VARIANTS[name], network, dataset, folder)
            if trained is None:
                return
            cinn, progress = trained
            row = _measure(cinn, config) | progress | {"minutes": config.minutes} | measured
            row["against"] = VARIANTS[name].against
            file.write_text(json.dumps(row, indent=2) + "\n")
        yield name, row


def _claim(folder: Path, config: StudyConfig, variant: Variant) -> None:
    """Remove results of other settings or photos from a variant's folder."""
    model, loop = variant.model(config.flow, config.chain), replace(config.loop, **dict(variant.loop))  # type: ignore[arg-type]
    belongs = {"minutes": config.minutes, "model": repr(model), "loop": repr(loop), "noise": repr(variant.noise)}
    belongs |= config.trained_on
    claim = folder / "belongs.json"
    folder.mkdir(parents=True, exist_ok=True)
    if not claim.exists() or json.loads(claim.read_text()) != belongs:
        for file in (*folder.glob("level-*.pt"), *folder.glob("result.json")):
            file.unlink()
    claim.write_text(json.dumps(belongs))


class _RefinedDataset(FeatureDataset):
    """Batches with late features from the trained h."""

    def __init__(self, dataset: FeatureDataset, cinn: CouplingCinn) -> None:
        self.__dict__.update(vars(dataset))
        self.network = cinn.network

    @torch.no_grad()
    def _read(self, rows: NDArray[np.int64]) -> Batch:
        batch = to_device(super()._read(rows), self.network.stem.weight.device)
        return batch._replace(features=refine(self.network, batch.features))


def _train(
    config: StudyConfig, variant: Variant, network: ConditionNetwork, dataset: FeatureDataset, folder: Path
) -> tuple[CouplingCinn, dict[str, float]] | None:
    """Train a new network; return it with statistics of the training, or None if a signal ended it early."""
    torch.manual_seed(config.loop.seed)  # initializes layers
    cinn = CouplingCinn(variant.model(config.flow, config.chain))
    cinn.network.load_state_dict(network.state_dict())
    cinn.network.requires_grad_(False)
    cinn.to(network.stem.weight.device)
    cinn.standardize(draw_chroma(dataset).to(cinn.chroma_mean.device))
    sizes = [level.size for level in cinn.config.levels]
    turns = [turn for turn in TURNS if set(turn) <= set(sizes)]
    total = sum(SHARES[size] for size in sizes)
    data, skipped, seen = dataset, 0, 0
    for turn in turns:
        options = dict(variant.loop)
        if turn != TURNS[0] and options.pop("network_learning_rate", 0):
            data = _RefinedDataset(dataset, cinn)
        minutes = config.minutes * sum(SHARES[size] for size in turn) / total
        loop = replace(config.loop, minutes=minutes, **options)  # type: ignore[arg-type]
        objective = LevelsObjective(cinn, [sizes.index(size) for size in turn], variant.noise)
        trainer = Trainer(cinn.network, objective, data, loop)
        if not trainer.train(folder / f"level-{'-'.join(str(size) for size in turn)}.pt"):
            return None
        skipped += trainer.history.skipped
        seen += trainer.history.step * trainer.batch * len(turn)
    flow = sum(p.numel() for level in cinn.levels for p in level.parameters())
    return cinn, {"skipped_steps": skipped, "samples": seen, "parameters": flow}


def _measure(cinn: CouplingCinn, config: StudyConfig) -> Row:
    method = CouplingMethod(cinn)
    mean_chroma = cinn.chroma_mean.cpu().numpy()
    tried = 0
    records: list[Record] = []
    for _, name, photo in photos_of_subsets(config.photos, config.limit):
        tried += 1
        try:
            records.append(measure(method, Reference(photo, mean_chroma), SAMPLES, 1.0, seed_of(name)))
        except NonFiniteError:
            continue
    report = figures_of(records) if records else {"standard_errors": {}}
    return report | {"failed": 1 - len(records) / tried}


def figure(rows: Mapping[str, Row], path: Path) -> None:
    """Draw the figures of SHOWN for each variant, with bootstrap errors."""
    drawing = Figure(figsize=(11, 1.5 + 0.55 * len(rows)), layout="constrained")
    axes = drawing.subplots(2, 3, sharey=True).flat
    names = list(rows)[::-1]
    for axis, (figure_name, title) in zip(axes, SHOWN.items(), strict=True):
        values = [rows[name].get(figure_name, float("nan")) for name in names]
        errors = [rows[name]["standard_errors"].get(figure_name, 0.0) for name in names]
        axis.errorbar(values, range(len(names)), xerr=errors, fmt="o", color="black", capsize=3)
        axis.axvline(values[-1], color="gray", linewidth=0.8)
        axis.set_yticks(range(len(names)), names)
        axis.set_title(title, fontsize=10)
        axis.grid(axis="x", alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(path, dpi=120)
