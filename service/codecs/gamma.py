"""Gamma of a PNG, its gAMA chunk: conversion to sRGB."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.codecs.decoded_photo import Photo

__all__ = ["gamma_to_srgb", "png_gamma"]

SRGB_GAMMA = 1 / 2.2
TOLERANCE = 0.05
"""Maximum relative difference that does not matter, as in libpng: files say 0.45 or 0.45455 and mean sRGB"""
LEVELS_AT_ONCE = 1 << 18


def png_gamma(image: Image.Image, data: bytes) -> float | None:
    """Return the exponent by which an opened PNG encodes light; None if there is none, or if it is about sRGB's.

    data: the file. cICP, iCCP and sRGB take precedence over gAMA.
    Source: Portable Network Graphics (PNG) Specification (Third Edition), sections 4.3 and 11.3.2.2.
    """
    gamma = image.info.get("gamma")
    has_better = "srgb" in image.info or image.info.get("icc_profile") or data.find(b"cICP", 0, data.find(b"IDAT")) > 0
    return None if not gamma or has_better or abs(gamma / SRGB_GAMMA - 1) <= TOLERANCE else gamma


def gamma_to_srgb(levels: Photo, gamma: float) -> Photo:
    """Convert levels, encoded as light to the power of gamma, to sRGB of the same bits."""
    top = np.iinfo(levels.dtype).max
    light = np.linspace(0, 1, top + 1) ** (1 / gamma)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    table: NDArray[Any] = np.rint(top * encoded).astype(levels.dtype)
    flat = levels.reshape(-1)
    converted = np.empty_like(flat)
    for start in range(0, flat.size, LEVELS_AT_ONCE):  # numpy makes an index of 8 bytes of each
        part = slice(start, start + LEVELS_AT_ONCE)
        converted[part] = table[flat[part]]
    return converted.reshape(levels.shape)
