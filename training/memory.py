"""Memory of a process that trains on a CPU."""

import ctypes

__all__ = ["keep_freed_memory"]

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""glibc's numbers of `mallopt` parameters"""
MORE = 256 * 2**20
"""bytes requested beyond the need"""


def keep_freed_memory() -> None:
    """Let glibc, if it is the C library, keep freed tensors' memory for the next step.

    By default, it returns all pieces above 32 MiB, and every step gets them again, filled with zeros. This takes nearly
    half of the time of h's steps.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another library, or Windows
        return
    mallopt(M_MMAP_MAX, 0)  # no separate mapping for a large tensor
    mallopt(M_TRIM_THRESHOLD, -1)  # never trim
    mallopt(M_TOP_PAD, MORE)
