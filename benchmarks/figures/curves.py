"""Training curves from saved states: `python -m benchmarks.figures.curves STATE…`."""

from pathlib import Path
from typing import Annotated

import torch
import typer
from matplotlib.figure import Figure

__all__ = ["draw", "main"]


def main(
    states: Annotated[list[Path], typer.Argument(exists=True, help="level-*.pt of run folders.")],
    out: Annotated[Path, typer.Option(help="Where the figure goes.")] = Path("out/curves.png"),
) -> None:
    """Draw bits per dimension against steps: the running mean in training, and held out."""
    out.parent.mkdir(parents=True, exist_ok=True)
    histories = {path: torch.load(path, map_location="cpu", weights_only=True)["history"]["losses"] for path in states}
    draw(histories, out)
    print(out)


def draw(histories: dict[Path, list[tuple[int, list[float], list[float]]]], path: Path) -> None:
    """Draw a panel for each state, in order; a state of several levels gets a line for each."""
    drawing = Figure(figsize=(3.4 * len(histories), 3), layout="constrained")
    panels = drawing.subplots(1, len(histories), squeeze=False)[0]
    for axis, (state, losses) in zip(panels, histories.items(), strict=True):
        steps = [step for step, _, _ in losses]
        sizes = state.stem.removeprefix("level-").split("-")
        for i, size in enumerate(sizes):
            axis.plot(steps, [held[i] for _, _, held in losses], "o-", markersize=3, label=f"{size}², held out")
            axis.plot(steps, [running[i] for _, running, _ in losses], ":", label=f"{size}², in training")
        axis.set_xlabel("steps")
        axis.set_ylabel("bits per dimension, with noise")
        axis.legend(fontsize=7)
        axis.grid(alpha=0.3)
    drawing.savefig(path, dpi=120)


if __name__ == "__main__":
    typer.run(main)
