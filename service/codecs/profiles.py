"""ICC profiles: conversion of colors and grays to sRGB. Broken or unsuitable profiles are ignored."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from service.codecs.decoded_photo import Photo

__all__ = ["INTENT", "SRGB", "gray_to_srgb", "is_srgb", "to_srgb"]

INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
MODES = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK"}
"""Pillow mode by ICC color space name"""
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
LEVELS = np.arange(256, dtype=np.uint8)
RAMP = Image.fromarray(LEVELS[None, :])
GRAYS_AND_TINTS = Image.fromarray(np.stack([np.stack([LEVELS] * 3, 1), np.stack([LEVELS, LEVELS[::-1], LEVELS], 1)]))
"""gray from black to white, and colors from green to magenta"""
NEAR = 3
"""Maximum difference, in 8-bit levels, between profiles of sRGB: their curves are tables of different lengths"""


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert an image of mode RGB, CMYK or LAB (CIELAB, D50, whatever the profile) to RGB in sRGB."""
    if image.mode == "LAB":
        return ImageCms.buildTransform(ImageCms.createProfile("LAB"), SRGB, "LAB", "RGB", INTENT, FLAGS).apply(image)
    transform = _transform(profile, image.mode)
    if transform is not None:
        return transform.apply(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def gray_to_srgb(gray: Photo, profile: bytes | None, modes: tuple[str, ...] = ("L", "RGB")) -> Photo:
    """Convert gray levels to sRGB-encoded gray of the same bits; of an RGB profile, the neutral axis is used.

    A profile for none of the modes is ignored.
    """
    for mode in modes:
        transform = _transform(profile, mode, FLAGS | ImageCms.Flags.NOOPTIMIZE)  # optimized, it is coarse in the darks
        if transform is None:
            continue
        table: NDArray[np.uint8] = np.asarray(transform.apply(RAMP.convert(mode)).getchannel("G"))[0]
        if gray.dtype == np.uint8:
            return np.take(table, gray)
        # Pillow cannot convert to 16-bit sRGB gray; the curve is smooth, so its 256 levels are interpolated
        curve = np.rint(np.interp(np.arange(65_536), LEVELS * 257.0, table * 257.0))
        return np.take(curve.astype(np.uint16), gray)
    return gray


def is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    """Say whether a profile is sRGB's, by name and colors: some of linear light or another gamut have the same name."""
    if "sRGB" not in (profile.profile.profile_description or ""):
        return False
    mode = MODES[profile.profile.xcolor_space]
    samples = GRAYS_AND_TINTS.convert(mode)
    converted = ImageCms.buildTransform(profile, SRGB, mode, "RGB", INTENT, FLAGS).apply(samples)
    return int(np.abs(np.asarray(converted, np.int16) - np.asarray(samples.convert("RGB"))).max()) <= NEAR


def _transform(profile: bytes | None, mode: str, flags: ImageCms.Flags = FLAGS) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from a profile to sRGB; None if there's no need or the profile isn't one for this mode."""
    if not profile:
        return None
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if MODES.get(source.profile.xcolor_space) != mode or is_srgb(source):
            return None
        return ImageCms.buildTransform(source, SRGB, mode, "RGB", INTENT, flags)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):  # Pillow raises these for a broken profile
        return None
