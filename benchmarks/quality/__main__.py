"""`python -m benchmarks.quality`: how good the colors are, on photos that training never saw.

Every photo is squeezed to 256×256. Its own lightness is colorized and compared with its own colours. Errors are root
mean squares over the pixels and channels of a photo, in hundredths of the sRGB range, then averaged over the photos; so
is the variance over samples. This is how the paper's authors compute their table (Ardizzone et al. 2019, arXiv
1907.02392, table 3; vislearn/conditional_INNs, colorization_cINN/compare_methods.py).
All figures come with bootstrap errors over the photos.

Figures are at the temperature that is measured, those named `_default` at the one that the service uses; `grey` is the
photo's lightness alone. A classifier that is not h (EfficientNet-Lite2) gives KID (×10³), FID and, where ImageNet
classes are known, how many percent of the photos it still recognizes.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.quality.classifier import load_classifier
from benchmarks.quality.collection import photos_of_subsets, seed_of
from benchmarks.quality.methods import DEFAULT_SAMPLES, BaselineMethod, CinnMethod, Method
from benchmarks.quality.records import Record, Reference, measure
from benchmarks.quality.subset import Subset
from model.colorizer import CinnColorizer, load_colorizer
from model.errors import InputError, ModelError
from training.baselines.checkpoint import load_baseline
from training.data import NoPhotosError

__all__ = ["load_method", "main", "read_labels"]

ALL = "all"
"""Name of the subset of all photos, where there are several."""

Report = dict[str, dict[str, object]]


def main(
    data: Annotated[Path, typer.Option(exists=True, help="Photos: a tar or a folder; its folders are the subsets.")],
    weights: Annotated[Path, typer.Option(help="Weights to measure.")] = Path("weights/cinn.safetensors"),
    json_file: Annotated[
        str | None, typer.Option("--json", help="Write JSON to this file, - for standard output.")
    ] = None,
    baseline: Annotated[
        list[Path] | None, typer.Option(help="Weights of a baseline to measure beside; may be repeated.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(exists=True, help="ImageNet classes: a TSV with columns file and class_index.")
    ] = None,
    judge: Annotated[
        bool, typer.Option(help="Let a classifier see the pictures, for KID, FID and top 1 and 5.")
    ] = True,
    temperature: Annotated[float, typer.Option(min=0, help="At which the figures are taken.")] = 1.0,
    samples: Annotated[int, typer.Option(min=2, help="Samples for each photo.")] = 8,
    limit: Annotated[int | None, typer.Option(min=1, help="Measure only the first so many photos of a subset.")] = None,
    exponent: Annotated[
        list[float] | None, typer.Option(help="γ of each level, coarse to fine, in place of the checkpoint's.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
) -> None:
    """Measure the colors of photos whose true colours are known."""
    console = Console(stderr=True)
    try:
        cinn = load_method(weights, exponent, device)
        classifier = load_classifier(cinn.colorizer.device) if judge else None
        classes = read_labels(labels) if labels else {}
        if classes and not any(name in classes for _, name, _ in photos_of_subsets(data, limit)):
            raise InputError("labels", f"the class of a photo in {data}", f"of {next(iter(classes))} and the like")
        mean_chroma = np.broadcast_to(cinn.colorizer.cinn.chroma_mean.cpu().numpy(), (2, 64, 64))
        methods: list[Method] = [cinn]
        methods += [BaselineMethod(load_baseline(path, cinn.colorizer.device), path.stem) for path in baseline or ()]
        records: dict[str, dict[str, list[Record]]] = defaultdict(lambda: {method.name: [] for method in methods})
        for subset, name, photo in track(photos_of_subsets(data, limit), "measuring", console=console):
            reference = Reference(photo, mean_chroma, classifier, classes.get(name))
            for method in methods:
                records[subset][method.name].append(measure(method, reference, samples, temperature, seed_of(name)))
    except (ModelError, NoPhotosError, ModuleNotFoundError) as error:
        console.print(str(error))
        raise typer.Exit(2) from error
    if len(records) > 1:
        everything = {m.name: [record for part in records.values() for record in part[m.name]] for m in methods}
        records[ALL] = everything
    settings = {"samples": samples, "default_samples": DEFAULT_SAMPLES, "temperature": temperature}
    reports: dict[str, Report] = {
        method.name: {
            subset: Subset(parts[method.name]).report(samples) | settings | method.settings
            for subset, parts in track(records.items(), "bootstrapping", console=console)
        }
        for method in methods
    }
    for table in _tables(reports):
        console.print(table)
    text = json.dumps(_nest(reports, cinn.name), indent=2)
    if json_file == "-":
        print(text)
    elif json_file:
        Path(json_file).write_text(text + "\n")


def read_labels(path: Path) -> dict[str, int]:
    """Read the ImageNet class of each photo that a TSV with a header lists under `file` and `class_index`."""
    with path.open(newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        missing = {"file", "class_index"} - set(rows.fieldnames or ())
        if missing:
            raise InputError("labels", "a TSV with columns file and class_index", f"none named {sorted(missing)}")
        return {row["file"]: int(row["class_index"]) for row in rows}


def load_method(weights: Path, exponents: list[float] | None, device: str) -> CinnMethod:
    """Load weights to measure; exponents: γ of each level in place of the checkpoint's. Raises ModelError."""
    colorizer = load_colorizer(weights, device)
    if exponents:
        if len(exponents) != len(colorizer.cinn.dims):
            raise InputError("exponent", f"{len(colorizer.cinn.dims)} of them", len(exponents))
        checkpoint = replace(colorizer.checkpoint, temperature_exponents=tuple(exponents))
        colorizer = CinnColorizer(checkpoint, colorizer.device)
    return CinnMethod(colorizer)


def _nest(reports: Mapping[str, Report], main_method: str) -> Report:
    """Put the reports of the other methods below each subset of the cINN's."""
    others = {name: report for name, report in reports.items() if name != main_method}
    nested = {subset: dict(figures) for subset, figures in reports[main_method].items()}
    if others:
        for subset, figures in nested.items():
            figures["baselines"] = {name: report[subset] for name, report in others.items()}
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


if __name__ == "__main__":
    typer.run(main)
