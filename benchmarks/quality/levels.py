"""`python -m benchmarks.quality.levels`: quality of each level of the flow by itself.

- `nats` at 8²: negative log-likelihood of the true a*b*, nats per dimension of standardized a*b*.
- `energy` at 8²: energy score of samples at temperature 1, as ‖·‖/√dim of standardized a*b*; lower is better.
- `unexplained`: mean square error of the details at z = 0, given the true coarser a*b*, as a share of that of a bicubic
  upsampling.
Source of the energy score: Gneiting and Raftery 2007, Strictly Proper Scoring Rules, Prediction, and Estimation.
"""

import json
from collections import defaultdict
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from benchmarks.network import load_colorizer
from benchmarks.quality.bootstrap import mean, ratio, with_error
from benchmarks.quality.collection import photos_of_subsets, seed_of, square
from benchmarks.quality.methods import condition_of
from benchmarks.report import progress
from model.colorizer import CinnColorizer
from model.drawing.latents import draw_latents
from model.flow.haar import split
from model.pixels.resizing import photo_to_chroma
from training.commands import RELEASED, Device, HeldOutPhotos, Weights, errors_printed

__all__ = ["measure_levels"]

SAMPLES = 8


def measure_levels(colorizer: CinnColorizer, photo: np.ndarray, seed: int) -> dict[str, float]:
    """Measure every level on one (H, W, 3) sRGB photo; squares are sums, which `main` divides."""
    cinn = colorizer.cinn
    chroma = torch.from_numpy(photo_to_chroma(photo, cinn.chroma_size)).permute(2, 0, 1)[None]
    with torch.no_grad():
        condition = condition_of(colorizer, photo)
        sizes = cinn.pyramid(chroma.to(colorizer.device))
        level = cinn.coarsest
        log_prob = level.log_prob(sizes[0], condition[0]).sum() - level.std.log().sum() * level.dims / 2
        found = {"nats 8²": float(-log_prob / level.dims)}
        z = torch.from_numpy(draw_latents(cinn.dims[:1], (1.0,), seed, range(SAMPLES))[0]).to(colorizer.device)
        drawn, _ = level.inverse(z, condition[0])
        found["energy 8²"] = _energy(drawn.flatten(1), sizes[0].flatten())
        for i, finer in enumerate(cinn.details):
            true = split(sizes[i + 1])[1]
            zero = torch.zeros(1, finer.dims, device=colorizer.device)
            details, _ = finer.inverse(zero, finer.sample_condition(condition[i + 1], sizes[i]))
            smooth = split(F.interpolate(sizes[i], scale_factor=2, mode="bicubic", align_corners=False))[1]
            found[f"left {finer.config.size}²"] = float((details - true).square().sum())
            found[f"bicubic {finer.config.size}²"] = float((smooth - true).square().sum())
    return found


def _energy(drawn: Tensor, true: Tensor) -> float:
    """Return E‖x − y‖ − E‖x − x'‖/2 over samples x, x' and the truth y, divided by √dim."""
    far = (drawn - true).norm(dim=1).mean()
    apart = torch.cdist(drawn, drawn).sum() / (len(drawn) * (len(drawn) - 1))
    return float((far - apart / 2) / true.numel() ** 0.5)


def main(
    data: HeldOutPhotos,
    weights: Weights = RELEASED,
    limit: Annotated[int | None, typer.Option(min=1, help="Maximum number of photos per subset.")] = None,
    device: Device = "auto",
) -> None:
    """Measure every level by itself; print JSON."""
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    with errors_printed():
        colorizer = load_colorizer(weights, device)
        for subset, name, photo in progress("measuring", photos_of_subsets(data, limit)):
            found[subset].append(measure_levels(colorizer, square(photo), seed_of(name)))
    report = {}
    for subset, rows in found.items():
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        statistics = {name: mean(columns[name]) for name in ("nats 8²", "energy 8²")}
        for level in colorizer.cinn.details:
            size = f"{level.config.size}²"
            statistics[f"unexplained {size}"] = ratio(columns[f"left {size}"], columns[f"bicubic {size}"])
        report[subset] = {
            name: [None if value is None else round(value, 4) for value in with_error(statistic, len(rows))]
            for name, statistic in statistics.items()
        } | {"photos": len(rows)}
    print(json.dumps(report, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    typer.run(main)
