"""`python -m benchmarks.figures.temperatures`: quality against temperature, one figure.

The figures are those of benchmarks.quality, each measured at several temperatures on the same photos and seeds.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from matplotlib.figure import Figure

from benchmarks.network import load_colorizer
from benchmarks.quality.collection import photos_of_subsets, seed_of
from benchmarks.quality.methods import CinnMethod
from benchmarks.quality.records import Record, Reference, measure
from benchmarks.quality.subset import figures_of
from benchmarks.report import progress
from training.commands import RELEASED, Device, HeldOutPhotos, Weights, errors_printed

TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 0.95, 1.0, 1.2)
SHOWN = {
    "best_of_8_photo": "best of 8, per photo",
    "best_of_8_pixel": "best of 8, per pixel",
    "best_of_1": "best of 1",
    "variance": "variance ×10⁴",
    "colorfulness_share": "colorfulness, share of truth's",
    "blotch": "blotch index",
}
"""Figures to draw, with their titles."""
TRUTH = {"colorfulness_share": 1.0, "blotch": 1.0}
"""Values of true photos."""
SAMPLES = 8


def main(
    data: HeldOutPhotos,
    weights: Weights = RELEASED,
    limit: Annotated[int, typer.Option(min=1, help="Number of photos measured of each subset.")] = 50,
    out: Annotated[Path, typer.Option(help="Folder of the JSON and the figure.")] = Path("out/temperatures"),
    device: Device = "auto",
) -> None:
    """Measure at several temperatures."""
    with errors_printed():
        out.mkdir(parents=True, exist_ok=True)  # fails early, before anything is measured
        method = CinnMethod(load_colorizer(weights, device))
        mean_chroma = method.colorizer.cinn.chroma_mean.cpu().numpy()
        records: dict[float, list[Record]] = {temperature: [] for temperature in TEMPERATURES}
        for _, name, photo in progress("measuring", photos_of_subsets(data, limit)):
            reference = Reference(photo, mean_chroma)
            for temperature, parts in records.items():
                parts.append(measure(method, reference, SAMPLES, temperature, seed_of(name)))
    reports = {f"{temperature:g}": figures_of(parts) for temperature, parts in records.items()}
    (out / "temperatures.json").write_text(json.dumps(method.settings | reports, indent=2) + "\n")
    draw(reports, out / "temperatures.png")
    print(f"{out / 'temperatures.json'}, {out / 'temperatures.png'}")


def draw(reports: dict[str, dict[str, object]], path: Path) -> None:
    """Draw the figures of SHOWN against temperature, with bootstrap errors."""
    drawing = Figure(figsize=(11, 6), layout="constrained")
    temperatures = [float(each) for each in reports]
    for axis, (name, title) in zip(drawing.subplots(2, 3).flat, SHOWN.items(), strict=True):
        values = np.array([report.get(name, np.nan) for report in reports.values()], np.float64)
        errors = np.array([report["standard_errors"].get(name, 0.0) for report in reports.values()], np.float64)  # type: ignore[attr-defined]
        axis.errorbar(temperatures, values, yerr=errors, fmt="o-", color="black", capsize=3)
        if name in TRUTH:
            axis.axhline(TRUTH[name], color="gray", linewidth=0.8)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("temperature")
        axis.grid(alpha=0.3)
    drawing.savefig(path, dpi=120)


if __name__ == "__main__":
    typer.run(main)
