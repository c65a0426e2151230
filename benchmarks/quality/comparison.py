"""Comparison of methods on the same photos: a table for each subset, and JSON."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from benchmarks.quality.classifier import load_classifier
from benchmarks.quality.collection import photos_of_subsets, seed_of
from benchmarks.quality.methods import DEFAULT_SAMPLES, CinnMethod, Method
from benchmarks.quality.records import Record, Reference, measure
from benchmarks.quality.subset import cell, figures_of
from benchmarks.report import progress, show, table, write_json
from model.errors import InputError

__all__ = ["Judge", "Labels", "Limit", "Samples", "Temperature", "compare"]

ALL = "all"
"""Name of the subset of all photos, where there are several subsets."""

Report = dict[str, dict[str, object]]

Labels = Annotated[
    Path | None, typer.Option(exists=True, help="TSV of ImageNet classes, with columns file and class_index.")
]
Judge = Annotated[bool, typer.Option(help="Also measure KID, FID and top 1 and 5, by a classifier.")]
Temperature = Annotated[float, typer.Option(min=0, help="Temperature of the figures.")]
Samples = Annotated[int, typer.Option(min=2, help="Samples for each photo.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Maximum number of photos per subset.")]


def compare(
    cinn: CinnMethod,
    others: Sequence[Method],
    data: Path,
    labels: Path | None,
    judge: bool,
    temperature: float,
    samples: int,
    limit: int | None,
    json_file: str | None,
) -> None:
    """Measure the cINN and other methods on the same photos; print tables and write JSON.

    Raises InputError for labels of other photos, NoPhotosError for data without photos.
    """
    methods = [cinn, *others]
    classifier = load_classifier(cinn.colorizer.device) if judge else None
    classes = read_labels(labels) if labels else {}
    if classes and not any(name in classes for _, name, _ in photos_of_subsets(data, limit)):
        raise InputError("labels", f"classes of photos in {data}", f"those of {next(iter(classes))} and the like")
    mean_chroma = cinn.colorizer.cinn.chroma_mean.cpu().numpy()
    records: dict[str, dict[str, list[Record]]] = defaultdict(lambda: {method.name: [] for method in methods})
    for subset, name, photo in progress("measuring", photos_of_subsets(data, limit)):
        reference = Reference(photo, mean_chroma, classifier, classes.get(name))
        for method in methods:
            records[subset][method.name].append(measure(method, reference, samples, temperature, seed_of(name)))
    if len(records) > 1:
        records[ALL] = {m.name: [record for part in records.values() for record in part[m.name]] for m in methods}
    settings = {"samples": samples, "default_samples": DEFAULT_SAMPLES, "temperature": temperature}
    reports: dict[str, Report] = {
        subset: {m.name: figures_of(parts[m.name]) | settings | m.settings for m in methods}
        for subset, parts in progress("bootstrapping", records.items())
    }
    own = {subset: report[cinn.name] for subset, report in reports.items()}
    shown = reports if others else {"measure": own}
    show([_table(title, columns) for title, columns in shown.items()], json_file)
    if others:
        for subset, report in reports.items():
            own[subset] |= {"rivals": {method.name: report[method.name] for method in others}}
    write_json(own, json_file)


def read_labels(path: Path) -> dict[str, int]:
    """Read the ImageNet class of each photo from a TSV with columns `file` and `class_index`."""
    with path.open(newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        missing = {"file", "class_index"} - set(rows.fieldnames or ())
        if missing:
            raise InputError("labels", "a TSV with columns file and class_index", f"none named {sorted(missing)}")
        try:
            return {row["file"]: int(row["class_index"]) for row in rows}
        except (TypeError, ValueError) as error:
            raise InputError("labels", "a whole number as class_index in every row", error) from error


def _table(title: str, columns: Report) -> Table:
    """Make a table of the figures of subsets or methods, with their errors."""
    names = dict.fromkeys(name for figures in columns.values() for name in figures if name != "standard_errors")
    return table("", [{title: name} | {column: cell(f, name) for column, f in columns.items()} for name in names])
