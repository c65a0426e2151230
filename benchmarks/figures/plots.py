"""Plots of `make bench`: `python -m benchmarks.figures.plots`, from build/benchmarks/ to docs/pictures/."""

import json
from pathlib import Path
from typing import Annotated, Any

import matplotlib as mpl
import typer

mpl.use("agg")  # draws to files only
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

PICTURES = Path("docs/pictures")
OURS_COLOR = "#c2410c"
OTHERS = ("#334155", "#0e7490", "#7c6f9b", "#8a8f98", "#15803d", "#a16207", "#be185d")


def upsampling(figures: dict[str, Any], left: Axes, right: Axes) -> None:
    """Plot the seconds of each method at each size, and of each first call."""
    found = figures["results"]
    _lines(left, found, "method", "megapixels", "seconds")
    left.set(xscale="log", yscale="log", title=f"{figures['samples']} maps to full size")
    left.legend(fontsize=8)
    first = {row["method"]: row["first_seconds"] for row in found if "first_seconds" in row}
    _bars(right, first, "seconds", "first call in a process")


def sampling(figures: dict[str, Any], left: Axes, right: Axes) -> None:
    """Plot the seconds for n samples, and of each variant."""
    numbers = [row["n"] for row in figures["by_number"]]
    condition = [1000 * row["condition_seconds"] for row in figures["by_number"]]
    sample = [1000 * row["sample_seconds"] for row in figures["by_number"]]
    places = [str(n) for n in numbers]
    left.bar(places, condition, color=OTHERS[0], label="condition, once")
    left.bar(places, sample, bottom=condition, color=OURS_COLOR, label="inverse")
    left.set(xlabel="n", ylabel="ms", title="one photo, n samples")
    left.legend(fontsize=8)
    ways = {row["name"]: 1000 * (row["condition_seconds"] + row["sample_seconds"]) for row in figures["variants"]}
    ways["the authors' network"] = 1000 * figures["authors_seconds"]
    _bars(right, ways, "ms", "n=8, by variant")


def codecs(figures: dict[str, Any], left: Axes, right: Axes) -> None:
    """Plot the milliseconds of each encoder."""
    for axes, kinds in ((left, ("encode png",)), (right, ("encode jpeg", "encode webp"))):
        own = [row for row in figures["results"] if row["what"] in kinds]
        names = {
            f"{row['what'].removeprefix('encode ')}: {row['name']}, {row['megabytes']:.1f} MB": 1000 * row["seconds"]
            for row in own
        }
        _bars(axes, names, "ms", "12 megapixels, one thread")


def serving(figures: dict[str, Any], left: Axes, right: Axes) -> None:
    """Plot requests per second and p99 against the number of clients."""
    _lines(left, figures["outcomes"], "server", "clients", "per_second")
    _lines(right, figures["outcomes"], "server", "clients", "p99_seconds")
    left.set_xscale("log", base=2)
    left.set(ylabel="requests/s", title="512×512 JPEG, n=4", ylim=(0, None))
    right.set(xscale="log", yscale="log", ylabel="p99, seconds", title="99 of 100 are answered in")
    left.legend(fontsize=8)


def end_to_end(figures: dict[str, Any], left: Axes, right: Axes) -> None:
    """Plot the share of each stage, and of each function."""
    stages = {name: 1000 * seconds for name, seconds in figures["stages"].items()}
    stages |= {f"floor: {name}": 1000 * seconds for name, seconds in figures["floor_seconds"].items()}
    _bars(left, stages, "ms", f"12 megapixels, n=4: p50 {figures['p50_seconds']:.2f} s")
    _bars(right, figures["profile"], "% of busy threads", "innermost Python function")


PLOTS = {plot.__name__: plot for plot in (upsampling, sampling, codecs, serving, end_to_end)}


def _lines(axes: Axes, rows: list[dict[str, Any]], name: str, x: str, y: str) -> None:
    """Plot a line for each value of column `name`: a method or a server."""
    for i, each in enumerate(dict.fromkeys(row[name] for row in rows)):
        own = [row for row in rows if row[name] == each]
        color = OURS_COLOR if each == "tintflow" else OTHERS[i % len(OTHERS)]
        axes.plot([row[x] for row in own], [row[y] for row in own], "o-", color=color, label=each)
    axes.set(xlabel=x, ylabel=y)


def _bars(axes: Axes, values: dict[str, float], label: str, title: str) -> None:
    names = list(values)
    colors = [OURS_COLOR if "tintflow" in name else OTHERS[0] for name in names]
    bars = axes.barh(names, list(values.values()), color=colors)
    axes.bar_label(bars, fmt=lambda v: f"{v:.3g}" if v < 1000 else f"{v:.0f}", fontsize=7, padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.18)
    axes.tick_params(axis="y", labelsize=7)
    axes.set(xlabel=label, title=title)


def main(
    figures: Annotated[Path, typer.Option(help="Folder of the measured figures.")] = Path("build/benchmarks"),
    pictures: Annotated[Path, typer.Option(help="Folder of the plots.")] = PICTURES,
) -> None:
    """Draw the plots whose figures have been measured; leave other plots as they are."""
    for name, plot in PLOTS.items():
        file = figures / f"{name}.json"
        if not file.exists():
            continue
        found = json.loads(file.read_text())
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
        plot(found, left, right)
        hardware = found["hardware"]
        where = hardware["gpu"] if found.get("device") == "cuda" else f"{hardware['cpu']}, {hardware['cores']} cores"
        figure.supxlabel(f"{where}, {found['date'][:10]}", fontsize=7, color="gray")
        figure.savefig(pictures / f"benchmark-{name.replace('_', '-')}.png", dpi=110)
        plt.close(figure)


if __name__ == "__main__":
    typer.run(main)
