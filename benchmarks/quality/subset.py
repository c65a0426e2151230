"""Figures of a subset of photos, with their bootstrap errors."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.quality.bootstrap import Statistic, Weights, mean, ratio, with_error
from benchmarks.quality.distances import Fid, Kid
from benchmarks.quality.records import Record

__all__ = ["cell", "figures_of"]

FID_REPLICATES = 20
"""Bootstrap replicates of FID; few, since FID is slow."""
PICTURES = {"": "drawn", "_default": "default", "_temperature_0": "zero", "_gray": "gray"}
"""Suffix of a figure's name, and the judged pictures that it describes."""


def figures_of(records: Sequence[Record]) -> dict[str, object]:
    """Return a method's figures on a subset, named as in the model card, and their known `standard_errors`."""
    figures: dict[str, float] = {}
    errors: dict[str, float] = {}
    for name, statistic in _statistics(records):
        replicates = {"replicates": FID_REPLICATES} if isinstance(statistic, Fid) else {}
        figure, error = with_error(statistic, len(records), **replicates)
        if np.isfinite(figure):
            figures[name] = figure
            if error is not None:
                errors[name] = error
    return {"photos": len(records)} | figures | {"standard_errors": errors}


def cell(report: Mapping[str, Any], name: str) -> object:
    """Return a table cell: a figure of a report, with its error if it has one."""
    errors = report["standard_errors"]
    return (report[name], errors[name]) if name in errors else report.get(name)


def _statistics(records: Sequence[Record]) -> Iterator[tuple[str, Statistic]]:
    values = {name: [record.values[name] for record in records] for name in records[0].values}
    for name, column in values.items():
        if not name.startswith("smooth_gradient"):
            yield name, mean(column)
    for suffix in ("", "_default"):
        yield f"colorfulness_share{suffix}", ratio(values[f"colorfulness{suffix}"], values["colorfulness_truth"])
        yield f"blotch{suffix}", ratio(values[f"smooth_gradient{suffix}"], values["smooth_gradient_truth"])
    if all(record.judgements for record in records):
        yield from _distances(records)
        if any(record.label is not None for record in records):
            yield from _recognition(records)


def _distances(records: Sequence[Record]) -> Iterator[tuple[str, Statistic]]:
    truth = np.concatenate([record.judgements["truth"].features for record in records])
    for suffix, pictures in PICTURES.items():
        features = np.stack([record.judgements[pictures].features for record in records])
        yield f"kid{suffix}", _scaled(Kid(features, truth), 1e3)
        yield f"fid{suffix}", Fid(features[:, 0], truth)


def _recognition(records: Sequence[Record]) -> Iterator[tuple[str, Statistic]]:
    known = np.array([record.label is not None for record in records], np.float64)
    for best in (1, 5):
        shares = {name: ratio(_hits(records, name, best), known) for name in (*PICTURES.values(), "truth")}
        for suffix, pictures in (PICTURES | {"_truth": "truth"}).items():
            yield f"top_{best}{suffix}", _scaled(shares[pictures], 100)
        gap = _gap_closed(shares["default"], shares["gray"], shares["truth"])
        yield f"top_{best}_gap_closed_default", gap


def _hits(records: Sequence[Record], pictures: str, best: int) -> list[float]:
    """Return the share of a photo's pictures whose class is among the best; 0 where the class is unknown."""
    rankings = [record.judgements[pictures].ranking[:, :best] for record in records]
    labels = [-1 if record.label is None else record.label for record in records]
    return [float((ranking == label).any(1).mean()) for ranking, label in zip(rankings, labels, strict=True)]


def _scaled(statistic: Statistic, scale: float) -> Statistic:
    return lambda weights: scale * statistic(weights)


def _gap_closed(colored: Statistic, gray: Statistic, truth: Statistic) -> Statistic:
    def statistic(weights: Weights) -> float:
        low, gap = gray(weights), truth(weights) - gray(weights)
        return (colored(weights) - low) / gap if gap else float("nan")

    return statistic
