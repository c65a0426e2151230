"""Memory and processor time that a decoder may take for a file."""

__all__ = ["BRIEF_SECONDS", "BYTES_PER_PIXEL", "FIRST_SECONDS", "HEADER_BYTES", "QUICK_PIXELS", "processor_seconds"]

HEADER_BYTES = 64 * 2**20
"""memory that a decoder may take beside the upload and its pixels"""
BYTES_PER_PIXEL = 20
"""memory that a decoder may take for each pixel announced by the header; at 12 megapixels none took over 14"""
FIRST_SECONDS = 2.0
"""Processor time that every file has; the rest of what one may take grows with its pixels."""
QUICK_PIXELS = 13_000_000
"""Largest photo that a first try decodes: 12 megapixels, which phones write as 4080×3072."""
QUICK_SECONDS = 0.5
"""Processor time that every file has on its first try"""
QUICK_SECONDS_A_PIXEL = 2e-7
"""and more for each pixel: at 12 megapixels, HEIC takes 1.0 s of 2.9, other formats up to 0.6,"""
QUICK_SECONDS_A_BYTE = 2e-6
"""but for no more than its bytes may hold: a file of 12 megapixels and 50 kB is either flat, or made to be slow."""
BRIEF_SECONDS = 0.2
"""Processor time of a first try of who has just sent a file that took too long: ten times what a small photo takes."""


def processor_seconds(seconds: float, pixels: int, max_pixels: int, quick_bytes: int | None = None) -> float:
    """Return the processor time that a file has: FIRST_SECONDS, and more with its pixels, up to `seconds` of all.

    quick_bytes: size of a file on its first try, which has QUICK_SECONDS, and more with pixels and bytes, at most.
    """
    first = min(FIRST_SECONDS, seconds)
    whole = first + (seconds - first) * pixels / max_pixels
    if quick_bytes is None:
        return whole
    return min(whole, QUICK_SECONDS + min(QUICK_SECONDS_A_PIXEL * pixels, QUICK_SECONDS_A_BYTE * quick_bytes))
