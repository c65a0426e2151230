"""Methods measured side by side on the same photos: a table for each subset, and JSON."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.quality.classifier import load_classifier
from benchmarks.quality.collection import photos_of_subsets, seed_of
from benchmarks.quality.methods import DEFAULT_SAMPLES, CinnMethod, Method
from benchmarks.quality.records import Record, Reference, measure
from benchmarks.quality.subset import Subset
from benchmarks.report import write_json
from model.errors import InputError

__all__ = ["Comparison", "Judge", "Labels", "Limit", "Samples", "Temperature", "compare", "read_labels"]

ALL = "all"
"""Name of the subset of all photos, where there are several."""

Report = dict[str, dict[str, object]]

Labels = Annotated[
    Path | None, typer.Option(exists=True, help="ImageNet classes: a TSV with columns file and class_index.")
]
Judge = Annotated[bool, typer.Option(help="Let a classifier see the pictures, for KID, FID and top 1 and 5.")]
Temperature = Annotated[float, typer.Option(min=0, help="Temperature of the figures.")]
Samples = Annotated[int, typer.Option(min=2, help="Samples for each photo.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Measure only the first so many photos of a subset.")]


@dataclass(frozen=True)
class Comparison:
    """Settings of a measurement, and where its figures go."""

    data: Path
    """a tar or a folder of photos"""
    labels: Path | None
    """ImageNet classes of the photos"""
    judge: bool
    """whether a classifier sees the pictures"""
    temperature: float
    samples: int
    limit: int | None
    """photos of each subset"""
    json_file: str | None
    """path, or - for standard output"""


def compare(cinn: CinnMethod, others: Sequence[Method], comparison: Comparison) -> None:
    """Measure the cINN, and others beside it, on the same photos; print tables and write JSON.

    Raises InputError for labels of other photos, NoPhotosError for data without photos.
    """
    console, methods = Console(stderr=True), [cinn, *others]
    data, limit, samples = comparison.data, comparison.limit, comparison.samples
    classifier = load_classifier(cinn.colorizer.device) if comparison.judge else None
    classes = read_labels(comparison.labels) if comparison.labels else {}
    if classes and not any(name in classes for _, name, _ in photos_of_subsets(data, limit)):
        raise InputError("labels", f"classes of photos in {data}", f"those of {next(iter(classes))} and the like")
    mean_chroma = np.broadcast_to(cinn.colorizer.cinn.chroma_mean.cpu().numpy(), (2, 64, 64))
    records: dict[str, dict[str, list[Record]]] = defaultdict(lambda: {method.name: [] for method in methods})
    for subset, name, photo in track(photos_of_subsets(data, limit), "measuring", console=console):
        reference = Reference(photo, mean_chroma, classifier, classes.get(name))
        for method in methods:
            record = measure(method, reference, samples, comparison.temperature, seed_of(name))
            records[subset][method.name].append(record)
    if len(records) > 1:
        everything = {m.name: [record for part in records.values() for record in part[m.name]] for m in methods}
        records[ALL] = everything
    settings = {"samples": samples, "default_samples": DEFAULT_SAMPLES, "temperature": comparison.temperature}
    reports: dict[str, Report] = {
        method.name: {
            subset: Subset(parts[method.name]).report(samples) | settings | method.settings
            for subset, parts in track(records.items(), "bootstrapping", console=console)
        }
        for method in methods
    }
    for table in _tables(reports):
        console.print(table)
    write_json(_nest(reports, cinn.name), comparison.json_file)


def read_labels(path: Path) -> dict[str, int]:
    """Read the ImageNet class of each photo that a TSV with a header lists under `file` and `class_index`."""
    with path.open(newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        missing = {"file", "class_index"} - set(rows.fieldnames or ())
        if missing:
            raise InputError("labels", "a TSV with columns file and class_index", f"none named {sorted(missing)}")
        return {row["file"]: int(row["class_index"]) for row in rows}


def _nest(reports: Mapping[str, Report], main_method: str) -> Report:
    """Put the reports of the other methods below each subset of the cINN's."""
    others = {name: report for name, report in reports.items() if name != main_method}
    nested = {subset: dict(figures) for subset, figures in reports[main_method].items()}
    if others:
        for subset, figures in nested.items():
            figures["rivals"] = {name: report[subset] for name, report in others.items()}
    return nested


def _tables(reports: Mapping[str, Report]) -> Iterator[Table]:
    """Subsets side by side for a single method, else a table for each subset with the methods side by side."""
    if len(reports) == 1:
        yield _table("measure", next(iter(reports.values())))
        return
    for subset in next(iter(reports.values())):
        yield _table(subset, {method: report[subset] for method, report in reports.items()})


def _table(title: str, columns: Report) -> Table:
    table = Table()
    table.add_column(title, no_wrap=True)
    for column in columns:
        table.add_column(column)
    rows = dict.fromkeys(name for figures in columns.values() for name in figures if name != "standard_errors")
    for name in rows:
        table.add_row(name, *(_cell(figures, name) for figures in columns.values()))
    return table


def _cell(figures: dict[str, object], name: str) -> str:
    figure, errors = figures.get(name, ""), figures["standard_errors"]
    if not isinstance(figure, float) or not isinstance(errors, dict):
        return str(figure)[:12]
    return f"{figure:.4g}" + (f" ± {errors[name]:.2g}" if name in errors else "")
