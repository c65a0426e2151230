"""The memory budget: the most memory of all work in flight, with a term for each limit."""

from service.codecs.sandbox_limits import BYTES_PER_PIXEL, HEADER_BYTES, QUICK_PIXELS
from service.scheduling.lanes import LARGE_AT_ONCE, LARGE_PIXELS, Lanes
from service.settings import Settings

__all__ = ["most_memory"]

REST_BYTES = 1_200_000_000
"""Resident at rest after 10,000 requests, decoders included: 980 MB (`python -m benchmarks.load.soak`). While requests
of 16 and choices among 64 are drawn, 66 MB more. The rest is to spare."""
CONNECTION_BYTES = 768 * 1024
"""A connection whose client does not read: 199 KB of its own, and 520 KB of the kernel's for its socket, which counts
in a container (measured with 200 connections that ask for a script of a megabyte)."""
DECODED_BYTES = 4  # per pixel of a photo: RGB and alpha
WORK_BYTES = 27
"""A pixel of a request in work at full size, besides its images and unread files: 8 of upsampling, 13 of its encoder,
6 to spare; measured 10.5 with the image, and 10 while PNG encodes."""
IDLE_DECODER_BYTES = 30_000_000
COPIES = 2  # of an upload: as received, and as read


def most_memory(settings: Settings) -> dict[str, int]:
    """Return each part's largest memory in bytes, with every limit reached at once."""
    decoders, lanes = settings.codec_threads, Lanes(settings.codec_threads, settings.max_pixels)
    return {
        "rest": REST_BYTES,
        "decoders of slow files at rest": max(1, decoders // 2) * IDLE_DECODER_BYTES,
        "connections": settings.max_connections * CONNECTION_BYTES,
        "uploads and unread answers": COPIES * settings.queue_bytes,
        "uploads in decoders": decoders * (HEADER_BYTES + COPIES * settings.max_bytes),
        "decoders": BYTES_PER_PIXEL * (settings.max_pixels + QUICK_PIXELS),
        "decoded photos": DECODED_BYTES * settings.queue_pixels,
        "work of small requests": decoders * WORK_BYTES * LARGE_PIXELS,
        "work of large requests": LARGE_AT_ONCE * WORK_BYTES * settings.max_pixels,
        "images and unread files of small requests": lanes.small.memory,
        "images and unread files of large requests": lanes.large.memory,
    }
