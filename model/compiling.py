"""Functions compiled by numba, and cached where possible."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import numba

__all__ = ["compiled"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., object])


def compiled(*signatures: Any, cache: bool = False, **options: Any) -> Callable[[FunctionT], FunctionT]:
    """Compile as `numba.njit` does, but keep the function's type, which some versions of numba lose.

    cache: store the compiled code on disk. Without a writable folder or room, every start compiles; numba would raise.
    """

    def decorate(function: FunctionT) -> FunctionT:
        made: Any = numba.njit(**options)(function)
        if made is function:  # numba is switched off
            return function
        if cache:
            with suppress(RuntimeError):  # no writable folder
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
    """Turn a cache with unwritable or unreadable files into no cache."""
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
            with suppress(OSError):  # remove numba's index, which is written first and names files that are missing
                Path(cache._cache_file._index_path).unlink()

    cache.load_overload, cache.save_overload = load_if_possible, save_if_possible
