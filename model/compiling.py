"""Functions that numba compiles, and keeps where it can."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import numba

__all__ = ["compiled"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., object])


def compiled(*signatures: Any, cache: bool = False, **options: Any) -> Callable[[FunctionT], FunctionT]:
    """Do what `numba.njit` does, and keep the function's type, which numba's own loses in some versions.

    cache: keep what was compiled, where there is a folder for it, and room; else every start compiles, where numba's
    own raises.
    """

    def decorate(function: FunctionT) -> FunctionT:
        made: Any = numba.njit(**options)(function)
        if made is function:  # numba is switched off
            return function
        if cache:
            with suppress(RuntimeError):  # no folder that can be written
                made.enable_caching()
                _forgive(made._cache)
        for signature in signatures:
            made.compile(signature)
        if signatures:
            made.disable_compile()
        result: FunctionT = made
        return result

    return decorate


def _forgive(cache: Any) -> None:
    """Let a cache whose files cannot be written or read be as good as none."""
    load, save = cache.load_overload, cache.save_overload

    def load_if_possible(*arguments: Any) -> Any:
        try:
            return load(*arguments)
        except (OSError, EOFError, UnpicklingError):
            return None

    def save_if_possible(*arguments: Any) -> None:
        try:
            save(*arguments)
        except (OSError, EOFError, UnpicklingError):
            with suppress(OSError):  # numba's list of files, which is written first, names what was not written
                Path(cache._cache_file._index_path).unlink()

    cache.load_overload, cache.save_overload = load_if_possible, save_if_possible
