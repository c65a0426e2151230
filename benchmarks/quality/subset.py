"""Figures of one subset of photos, with their bootstrap errors."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.bootstrap import Statistic, Weights, mean, ratio, with_error
from benchmarks.quality.distances import Fid, Kid
from benchmarks.quality.records import Record

__all__ = ["Subset", "cell"]

FID_REPLICATES = 20
"""Bootstrap replicates of FID, which takes long."""
PICTURES = {"": "drawn", "_default": "default", "_temperature_0": "zero", "_gray": "gray"}
"""Suffix of a figure's name, and the judged pictures that it is of."""


class Subset:
    """Records of the photos of one subset, by one method."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records

    def report(self) -> dict[str, object]:
        """Figures under the names that the model card uses, and `standard_errors` under the same names."""
        photos = len(self.records)
        figures: dict[str, float] = {}
        errors: dict[str, float] = {}
        for name, statistic in self._statistics():
            replicates = {"replicates": FID_REPLICATES} if isinstance(statistic, Fid) else {}
            figure, error = with_error(statistic, photos, **replicates)
            if np.isfinite(figure):
                figures[name], errors[name] = figure, error
        return {"photos": photos} | figures | {"standard_errors": errors}

    def _statistics(self) -> Iterator[tuple[str, Statistic]]:
        values = {name: [record.values[name] for record in self.records] for name in self.records[0].values}
        for name, column in values.items():
            if not name.startswith("smooth_gradient"):
                yield name, mean(column)
        for suffix in ("", "_default"):
            yield f"colorfulness_share{suffix}", ratio(values[f"colorfulness{suffix}"], values["colorfulness_truth"])
            yield f"blotch{suffix}", ratio(values[f"smooth_gradient{suffix}"], values["smooth_gradient_truth"])
        if all(record.judgements for record in self.records):
            yield from self._distances()
            if any(record.label is not None for record in self.records):
                yield from self._recognition()

    def _distances(self) -> Iterator[tuple[str, Statistic]]:
        truth = self._features("truth")[:, 0]
        for suffix, pictures in PICTURES.items():
            features = self._features(pictures)
            yield f"kid{suffix}", _scaled(Kid(features, truth), 1e3)
            yield f"fid{suffix}", Fid(features[:, 0], truth)

    def _recognition(self) -> Iterator[tuple[str, Statistic]]:
        known = np.array([record.label is not None for record in self.records], np.float64)
        for best in (1, 5):
            shares = {name: ratio(self._hits(name, best), known) for name in (*PICTURES.values(), "truth")}
            for suffix, pictures in (PICTURES | {"_truth": "truth"}).items():
                yield f"top_{best}{suffix}", _scaled(shares[pictures], 100)
            gap = _gap_closed(shares["default"], shares["gray"], shares["truth"])
            yield f"top_{best}_gap_closed_default", gap

    def _features(self, pictures: str) -> NDArray[np.float32]:
        return np.stack([record.judgements[pictures].features for record in self.records])

    def _hits(self, pictures: str, best: int) -> NDArray[np.float64]:
        """Share of a photo's pictures whose class is among the best ones; 0 where the class is not known."""
        rankings = (record.judgements[pictures].ranking[:, :best] for record in self.records)
        labels = (-1 if record.label is None else record.label for record in self.records)
        return np.array([(ranking == label).any(1).mean() for ranking, label in zip(rankings, labels, strict=True)])


def cell(report: Mapping[str, Any], name: str) -> object:
    """Return a figure of a report for a table, with its error if it has one."""
    errors = report["standard_errors"]
    return (report[name], errors[name]) if name in errors else report.get(name)


def _scaled(statistic: Statistic, scale: float) -> Statistic:
    return lambda weights: scale * statistic(weights)


def _gap_closed(colored: Statistic, gray: Statistic, truth: Statistic) -> Statistic:
    def statistic(weights: Weights) -> float:
        low, gap = gray(weights), truth(weights) - gray(weights)
        return (colored(weights) - low) / gap if gap else float("nan")

    return statistic
