"""How the service's process keeps its memory together."""

import ctypes
import sys

__all__ = ["share_arenas"]

M_ARENA_MAX = -8  # of glibc's malloc.h
ARENAS = 2
"""Pools that memory comes from. By default glibc gives each thread one, and each keeps what its work once needed."""


def share_arenas() -> None:
    """Let all threads allocate from a few pools; to be called before they start. Without glibc, do nothing."""
    if sys.platform != "linux":
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_ARENA_MAX, ARENAS)
