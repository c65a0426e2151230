"""Memory and processor time that a decoder may take for a file."""

__all__ = ["BRIEF_SECONDS", "BYTES_PER_PIXEL", "FIRST_SECONDS", "HEADER_BYTES", "QUICK_PIXELS", "processor_seconds"]

HEADER_BYTES = 64 * 2**20
"""bytes of memory that a decoder may take besides the upload and its pixels"""
BYTES_PER_PIXEL = 20
"""bytes of memory per pixel in the header that a decoder may take; at 12 megapixels none took over 14"""
FIRST_SECONDS = 2.0
"""Processor time that every file has; more is added per pixel"""
QUICK_PIXELS = 13_000_000
"""Largest photo that a first try decodes: 12 megapixels, which phones write as 4080×3072."""
QUICK_SECONDS = 0.5
"""Processor time that every file has on its first try"""
QUICK_SECONDS_A_PIXEL = 2e-7
"""Further time for each pixel: at 12 megapixels, HEIC takes 1.0 s of 2.9, other formats up to 0.6."""
QUICK_SECONDS_A_BYTE = 2e-6
"""Limit of this further time for each byte: a file of 12 megapixels and 50 kB is either flat, or made to be slow."""
BRIEF_SECONDS = 0.2
"""Processor time of a first try if the owner has just sent a slow file: ten times the time of a small photo."""


def processor_seconds(seconds: float, pixels: int, max_pixels: int, quick_bytes: int | None = None) -> float:
    """Return the maximum processor time of a file: FIRST_SECONDS, and more with its pixels, up to `seconds` in all.

    quick_bytes: size of a file on its first try, which has at most QUICK_SECONDS, and more with pixels and bytes.
    """
    first = min(FIRST_SECONDS, seconds)
    whole = first + (seconds - first) * pixels / max_pixels
    if quick_bytes is None:
        return whole
    return min(whole, QUICK_SECONDS + min(QUICK_SECONDS_A_PIXEL * pixels, QUICK_SECONDS_A_BYTE * quick_bytes))
