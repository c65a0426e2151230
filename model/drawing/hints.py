"""Hints: latents are optimised through the inverse flow until the samples have the wished colours at some points.

Each sample starts from a latent z₀ of its own and minimizes ‖z − z₀‖²/2 + ‖a*b* − wished‖²/(2·SIGMA²), so that with z₀
drawn from the Gaussian prior the results differ too, the more the farther from a hint. The idea is that of
randomize-then-optimize (Bardsley et al. 2014), which perturbs what is wished for as well.
Only the coarse latents move: they carry the colours, change them broadly, and are cheap to decode.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.errors import InputError
from model.flow.cinn import Cinn
from model.flow.haar import join_detail
from model.pixels.bilateral import upsample_points
from model.pixels.color import rgb_to_lab
from model.pixels.gamut import map_to_gamut
from model.protocol import Hint, HintMatch

__all__ = ["follow_hints", "match_hints"]

MAX_HINTS = 32
MOVED_SIZE = 16
"""Latents of the levels up to this size move."""
ROUNDS = 2
"""After each but the last, what the finer levels added at the points is taken off what is wished for."""
STEPS = 10
"""Of Adam, each round."""
RATE = 0.1
SIGMA = 1.0
"""Standard deviation, in units of a*b*, that a hint leaves the colour."""


def follow_hints(
    cinn: Cinn, condition: Sequence[Tensor], latents: Sequence[Tensor], lightness: Tensor, hints: Sequence[Hint]
) -> list[Tensor]:
    """Return the latents moved by Adam so that the samples follow the hints.

    condition: of the photo. latents: (N, dim) of each level. lightness: (H, W) L* of the photo at any size; colours are
    looked at in its pixels. A colour that sRGB lacks at a point's lightness is replaced by the nearest of the same hue.
    Raises InputError for a hint out of range.
    """
    _check(hints)
    moved = sum(level.size <= MOVED_SIZE for level in cinn.config.levels)
    points = [_pixel(hint, lightness.shape) for hint in hints]
    wished = _wished_chroma(hints, lightness[tuple(zip(*points, strict=True))])
    weights = _weights_of_points(cinn.config.levels[moved - 1].size, cinn.chroma_size, lightness, points)
    start = [z.to(lightness.device) for z in latents]
    coarse, fine = start[:moved], start[moved:]
    target = wished
    for i in range(ROUNDS):
        if i:
            samples = cinn.sample(condition, [*coarse, *fine]).chroma
            target = wished - (upsample_points(samples, lightness, points) - _chroma(cinn, condition, coarse, weights))
        coarse = _optimised(cinn, condition, coarse, start, weights, target)
    return [z.to(latents[0]) for z in (*coarse, *fine)]


def _chroma(cinn: Cinn, condition: Sequence[Tensor], coarse: Sequence[Tensor], weights: Tensor) -> Tensor:
    """Return the (N, K, 2) a*b* that coarse latents give at K points."""
    return torch.einsum("khw,nchw->nkc", weights, cinn.sample(condition, coarse).chroma)


def _optimised(
    cinn: Cinn,
    condition: Sequence[Tensor],
    coarse: Sequence[Tensor],
    start: Sequence[Tensor],
    weights: Tensor,
    target: Tensor,
) -> list[Tensor]:
    with torch.enable_grad():
        latents = [z.clone().requires_grad_() for z in coarse]
        adam = torch.optim.Adam(latents, lr=RATE)
        for _ in range(STEPS):
            adam.zero_grad()
            moved = torch.stack([(z - z0).square().sum() for z, z0 in zip(latents, start, strict=False)]).sum()
            missed = (_chroma(cinn, condition, latents, weights) - target).square().sum()
            (moved / 2 + missed / (2 * SIGMA**2)).backward()  # type: ignore[no-untyped-call]
            adam.step()
    return [z.detach() for z in latents]


def match_hints(images: NDArray[np.uint8], hints: Sequence[Hint]) -> tuple[tuple[HintMatch, ...], ...]:
    """Say how well each of (N, H, W, 3) sRGB images follows each hint."""
    points = [_pixel(hint, images.shape[1:3]) for hint in hints]
    wished = _lab([hint.color for hint in hints])
    matches = []
    for image in images:
        colors = [tuple(image[point].tolist()) for point in points]
        difference = _lab(colors) - wished
        total, chroma = difference.norm(dim=0).tolist(), difference[1:].norm(dim=0).tolist()
        matches.append(tuple(HintMatch(*each) for each in zip(colors, total, chroma, strict=True)))
    return tuple(matches)


def _check(hints: Sequence[Hint]) -> None:
    if len(hints) > MAX_HINTS:
        raise InputError("hints", f"at most {MAX_HINTS}", len(hints))
    for hint in hints:
        if not (0 <= hint.x <= 1 and 0 <= hint.y <= 1 and all(0 <= value <= 255 for value in hint.color)):
            raise InputError("hints", "x and y from 0 to 1, color from 0 to 255", hint)


def _pixel(hint: Hint, shape: Sequence[int]) -> tuple[int, int]:
    return min(int(hint.y * shape[0]), shape[0] - 1), min(int(hint.x * shape[1]), shape[1] - 1)


def _lab(colors: Sequence[tuple[int, int, int]]) -> Tensor:
    """Return (3, K) CIELAB of K sRGB colours."""
    return rgb_to_lab(torch.tensor(colors, dtype=torch.float32).T[None, :, None] / 255)[0, :, 0]


def _wished_chroma(hints: Sequence[Hint], lightness: Tensor) -> Tensor:
    """Return (K, 2) a*b* of the hints, mapped to the gamut at the points' (K,) lightness."""
    lab = _lab([hint.color for hint in hints]).to(lightness)
    return map_to_gamut(torch.cat((lightness[None], lab[1:]))[None])[0, 1:].T


def _weights_of_points(
    coarse_size: int, fine_size: int, lightness: Tensor, points: Sequence[tuple[int, int]]
) -> Tensor:
    """Return by which (K, size, size) weights the pixels of a coarse map make the upsampled one at K points.

    Finer levels are taken to add no detail. All of it is linear, so the weights are its gradient.
    """
    with torch.enable_grad():
        coarse = torch.zeros(len(points), 2, coarse_size, coarse_size, device=lightness.device, requires_grad=True)
        fine = coarse
        while fine.shape[-1] < fine_size:
            fine = join_detail(fine, fine.new_zeros(fine.shape[0], 6, *fine.shape[2:]))
        values = upsample_points(fine, lightness, points)[..., 0].diagonal()  # of map k at point k
        (gradient,) = torch.autograd.grad(values.sum(), coarse)
    return gradient[:, 0]
