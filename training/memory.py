"""Memory of a process that trains on a CPU."""

import ctypes

__all__ = ["keep_freed_memory"]

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""glibc's numbers of what `mallopt` sets"""
MORE = 256 * 2**20
"""bytes that are asked for beyond what is needed"""


def keep_freed_memory() -> None:
    """Let the C library keep freed tensors' memory for those of the next step, where it is glibc.

    By itself, it gives all above 32 MiB back, and every step gets the same pages anew, filled with zeros: nearly half
    of the time of a step of h's.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another library, or Windows
        return
    mallopt(M_MMAP_MAX, 0)  # no piece of memory of its own for a large tensor
    mallopt(M_TRIM_THRESHOLD, -1)  # never
    mallopt(M_TOP_PAD, MORE)
