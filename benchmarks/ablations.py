"""`python -m benchmarks.ablations`: the cINN with one thing left out at a time, all trained for the same short time.

Every variant starts untrained, sees the same photos, and is measured on the same ones at temperature 1. The networks
are smaller than the released one, for short training of that says nothing.
The levels at 8×8 and 16×16 train together, then those at 32×32 and 64×64 alone, each turn for its share of the minutes;
the chain has but one level. Results of each variant lie in a folder of its own below OUT, and a command that was ended
goes on from there. Figures are those of benchmarks.quality, `failed` the share of photos whose samples overflow.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from benchmarks.quality.collection import photos_of_subsets, seed_of
from benchmarks.quality.methods import CinnMethod
from benchmarks.quality.records import Record, Reference, measure
from benchmarks.quality.subset import Subset
from benchmarks.variants import SMALL_CHAIN, SMALL_FLOW, VARIANTS, Variant
from model.colorizer import CinnColorizer
from model.device import choose_device
from model.errors import InputError, ModelError, NonFiniteError
from model.flow.chain import ChainConfig
from model.flow.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.flow.cinn import Cinn, CinnConfig
from training.data import NoPhotosError
from training.dataset import Batch, FeatureDataset
from training.loop import LoopConfig, Trainer
from training.run import SHARES, WEIGHT_DECAYS, RunConfig, origin, prepare
from training.standardize import standardize
from training.unfreeze import refine

__all__ = ["StudyConfig", "figure", "study"]

TOGETHER = (8, 16)
"""Sizes of the levels that train on the same batches, and with h where it is trained."""
SHOWN = {
    "bits_per_dim_noisy": "bits per dimension",
    "best_of_8_pixel": "best of 8, per pixel",
    "best_of_8_photo": "best of 8, per photo",
    "temperature_0": "temperature 0",
    "variance": "variance ×10⁴",
    "blotch": "blotch index",
}
"""Figures that are drawn, with their titles."""
COLUMNS = (*SHOWN, "best_of_1", "colourfulness_share", "failed", "skipped_steps", "samples", "parameters")
SAMPLES = 8

Row = dict[str, Any]


@dataclass(frozen=True)
class StudyConfig:
    """How all variants are trained and measured."""

    photos: Path
    """to measure on"""
    out: Path
    minutes: float
    limit: int = 50
    """photos measured of each subset"""
    flow: CinnConfig = SMALL_FLOW
    chain: ChainConfig = SMALL_CHAIN
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(batch=32, processor_time=True))
    trained_on: Mapping[str, object] = field(default_factory=dict)
    """what tells the photos, their views and h from others: a variant is trained anew where it differs"""


def study(
    config: StudyConfig, source: Cinn, dataset: FeatureDataset, names: Sequence[str]
) -> Iterator[tuple[str, Row]]:
    """Train and measure variants; yield the row of each. Ends early if a signal ends a training run.

    source: has the h that the features were made with.
    """
    for name in names:
        folder = config.out / name.replace(",", "").replace(" ", "-")
        file = folder / "result.json"
        about = {"minutes": config.minutes, "limit": config.limit}
        _claim(folder, config, VARIANTS[name])
        row: Row | None = json.loads(file.read_text()) if file.exists() else None
        if row is None or row["limit"] != config.limit:
            print(f"{name}, {config.minutes:g} minutes", flush=True)
            trained = _train(config, VARIANTS[name], source, dataset, folder)
            if trained is None:
                return
            cinn, progress = trained
            row = _measure(cinn, config) | progress | about | {"against": VARIANTS[name].against}
            file.write_text(json.dumps(row, indent=2) + "\n")
        yield name, row


def _claim(folder: Path, config: StudyConfig, variant: Variant) -> None:
    """Remove from a variant's folder what was trained with other settings or photos."""
    model, loop = variant.model(config.flow, config.chain), replace(config.loop, **dict(variant.loop))  # type: ignore[arg-type]
    belongs = {"minutes": config.minutes, "model": repr(model), "loop": repr(loop), **config.trained_on}
    claim = folder / "belongs.json"
    folder.mkdir(parents=True, exist_ok=True)
    if not claim.exists() or json.loads(claim.read_text()) != belongs:
        for file in (*folder.glob("level-*.pt"), *folder.glob("result.json")):
            file.unlink()
    claim.write_text(json.dumps(belongs))


class _RefinedDataset(FeatureDataset):
    """Batches whose late features are those of an h that has been trained."""

    def __init__(self, dataset: FeatureDataset, cinn: Cinn) -> None:
        self.__dict__.update(vars(dataset))
        self.network = cinn.network

    @torch.no_grad()
    def _read(self, rows: Sequence[tuple[int, int, int]]) -> Batch:
        batch = super()._read(rows).to(self.network.stem.weight.device)
        return batch._replace(features=refine(self.network, batch.features))


def _train(
    config: StudyConfig, variant: Variant, source: Cinn, dataset: FeatureDataset, folder: Path
) -> tuple[Cinn, dict[str, float]] | None:
    """Train a new cINN; return it with what the training was like, or None if a signal ended it early."""
    torch.manual_seed(config.loop.seed)  # which layers are initialized with
    cinn = Cinn(variant.model(config.flow, config.chain))
    cinn.network.load_state_dict(source.network.state_dict())
    cinn.network.requires_grad_(False)
    cinn.to(source.chroma_mean.device)
    standardize(cinn, dataset)
    sizes = [level.size for level in cinn.config.levels]
    together = [size for size in sizes if size in TOGETHER]
    turns = [turn for turn in (together, *([size] for size in sizes if size not in TOGETHER)) if turn]
    total = sum(SHARES[size] for size in sizes)
    data, skipped, seen = dataset, 0, 0
    for turn in turns:
        options = dict(variant.loop)
        if turn != together and options.pop("network_learning_rate", 0):
            data = _RefinedDataset(dataset, cinn)
        decay = max(WEIGHT_DECAYS.get(size, config.loop.weight_decay) for size in turn)
        minutes = config.minutes * sum(SHARES[size] for size in turn) / total
        loop = replace(config.loop, minutes=minutes, weight_decay=decay, **options)  # type: ignore[arg-type]
        trainer = Trainer(cinn, [sizes.index(size) for size in turn], data, loop)
        if not trainer.train(folder / f"level-{'-'.join(str(size) for size in turn)}.pt"):
            return None
        skipped += trainer.history.skipped
        seen += trainer.history.step * trainer.batch * len(turn)
    save_checkpoint(Checkpoint(cinn, "ablation", 1.0, (1.0,) * len(sizes)), folder / "cinn.safetensors")
    flow = sum(p.numel() for level in cinn.levels for p in level.parameters())
    return cinn, {"skipped_steps": skipped, "samples": seen, "parameters": flow}


def _measure(cinn: Cinn, config: StudyConfig) -> Row:
    cinn.eval().requires_grad_(False)
    checkpoint = Checkpoint(cinn, "ablation", 1.0, (1.0,) * len(cinn.levels))
    method = CinnMethod(CinnColorizer(checkpoint, cinn.chroma_mean.device.type))
    mean_chroma = np.broadcast_to(cinn.chroma_mean.cpu().numpy(), (2, cinn.chroma_size, cinn.chroma_size))
    tried = 0
    records: list[Record] = []
    for _, name, photo in photos_of_subsets(config.photos, config.limit):
        tried += 1
        try:
            records.append(measure(method, Reference(photo, mean_chroma), SAMPLES, 1.0, seed_of(name)))
        except NonFiniteError:
            continue
    report = Subset(records).report(SAMPLES) if records else {"standard_errors": {}}
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
        axis.axvline(values[-1], color="grey", linewidth=0.8)
        axis.set_yticks(range(len(names)), names)
        axis.set_title(title, fontsize=10)
        axis.grid(axis="x", alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(path, dpi=120)


def _table(rows: Mapping[str, Row]) -> Table:
    table = Table("variant", *(name.replace("_", " ") for name in COLUMNS))
    for name, row in rows.items():
        cells = []
        for column in COLUMNS:
            error = row["standard_errors"].get(column)
            cells.append(f"{row.get(column, float('nan')):.4g}" + (f" ± {error:.2g}" if error else ""))
        table.add_row(name, *cells)
    return table


def main(
    data: Annotated[Path, typer.Option(exists=True, help="Photos to train on: a folder of photos or of tar shards.")],
    photos: Annotated[Path, typer.Option(exists=True, help="Photos to measure on: a tar or a folder.")],
    minutes: Annotated[float, typer.Option(min=0, help="Of training, for each variant.")] = 20,
    out: Annotated[Path, typer.Option(help="States, weights, results, table and figure go here.")] = Path(
        "runs/ablations"
    ),
    features: Annotated[Path | None, typer.Option(help="Where condition features lie; below OUT if left out.")] = None,
    views: Annotated[int, typer.Option(min=1, help="Of each photo: one whole, the others random crops.")] = 4,
    init: Annotated[Path | None, typer.Option(exists=True, help="Weights of a cINN whose h to use.")] = None,
    variant: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Photos measured of each subset.")] = 50,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
) -> None:
    """Train and measure the cINN with one thing left out at a time: one table and one figure."""
    console = Console(stderr=True, width=200)
    names = variant or list(VARIANTS)
    try:
        unknown = set(names) - set(VARIANTS)
        if unknown:
            raise InputError("variant", f"some of {list(VARIANTS)}", sorted(unknown))
        source = (load_checkpoint(init).cinn if init else Cinn()).to(choose_device(device))
        run = RunConfig(data, out, minutes, views=views, init=init, features=features)
        dataset = prepare(run, source)
        config = StudyConfig(photos, out, minutes, limit, trained_on=origin(run) | {"views": views})
        rows = dict(study(config, source, dataset, names))
    except (ModelError, NoPhotosError) as error:
        console.print(str(error))
        raise typer.Exit(2) from error
    if not rows:
        raise typer.Exit(1)
    console.print(_table(rows))
    out.mkdir(parents=True, exist_ok=True)
    (out / "ablations.json").write_text(json.dumps(rows, indent=2) + "\n")
    figure(rows, out / "ablations.png")
    print(f"{out / 'ablations.json'}, {out / 'ablations.png'}")


if __name__ == "__main__":
    typer.run(main)
