"""Gamut mapping by its laws."""

import pytest
import torch
from torch import Tensor

from model.pixels.color import lab_to_linear, lab_to_rgb, rgb_to_lab
from model.pixels.gamut import TOLERANCE, map_to_gamut

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def extreme_colors(dtype: torch.dtype) -> Tensor:
    """Return any lightness, black and white among them, with chroma from faint to absurd."""
    generator = torch.Generator().manual_seed(0)
    lightness = torch.rand(20_000, generator=generator, dtype=torch.float64) * 100
    lightness[:1000], lightness[1000:2000] = 0, 100
    chroma = torch.randn(2, 20_000, generator=generator, dtype=torch.float64)
    chroma *= 10 ** (torch.rand(20_000, generator=generator, dtype=torch.float64) * 4 - 1)
    return torch.cat((lightness[None], chroma))[None].to(dtype)


def is_inside(lab: Tensor, slack: float) -> Tensor:
    linear = lab_to_linear(lab)
    return (linear.amin(1) >= -slack) & (linear.amax(1) <= 1 + slack)


@DTYPES
def test_every_color_is_brought_into_srgb(dtype: torch.dtype) -> None:
    lab = extreme_colors(dtype)
    before = lab.clone()
    mapped = map_to_gamut(lab)
    assert mapped.dtype == dtype
    assert not is_inside(lab, TOLERANCE).all()
    assert is_inside(mapped, 1.1 * TOLERANCE).all()
    torch.testing.assert_close(lab, before, atol=0, rtol=0)


@DTYPES
def test_lightness_and_hue_are_kept(dtype: torch.dtype) -> None:
    lab = extreme_colors(dtype)
    mapped = map_to_gamut(lab)
    torch.testing.assert_close(mapped[:, 0], lab[:, 0], atol=0, rtol=0)
    cross = mapped[:, 1] * lab[:, 2] - mapped[:, 2] * lab[:, 1]
    size = mapped[:, 1:].norm(dim=1) * lab[:, 1:].norm(dim=1)
    assert (cross.abs() <= 4 * torch.finfo(dtype).eps * size).all()  # parallel within rounding …
    assert ((mapped[:, 1:] * lab[:, 1:]).sum(1) >= 0).all()  # … and not reversed
    assert (mapped[:, 1:].norm(dim=1) <= lab[:, 1:].norm(dim=1)).all()


def test_chroma_shrinks_no_more_than_it_must() -> None:
    lab = extreme_colors(torch.float64)
    lab = lab[:, :, ~is_inside(lab, TOLERANCE)[0]]
    factor = map_to_gamut(lab)[:, 1:].norm(dim=1) / lab[:, 1:].norm(dim=1)
    a_bit_more = torch.cat((lab[:, :1], lab[:, 1:] * (factor + 2e-5)), 1)
    assert not is_inside(a_bit_more, TOLERANCE).any()


@DTYPES
def test_colors_of_srgb_are_unchanged(dtype: torch.dtype) -> None:
    level = torch.arange(0, 256, 15, dtype=dtype) / 255
    rgb = torch.stack(torch.meshgrid(level, level, level, indexing="ij")).flatten(1)[None, :, None]
    lab = rgb_to_lab(rgb)
    torch.testing.assert_close(map_to_gamut(lab), lab, atol=0, rtol=0)
    torch.testing.assert_close(lab_to_rgb(map_to_gamut(lab)), rgb, atol=2e-5, rtol=0)
