"""Functions that numba compiles, and keeps where it can."""

from collections.abc import Callable
from contextlib import suppress
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
        if cache:
            with suppress(RuntimeError):  # no folder that can be written
                made.enable_caching()
            save = made._cache.save_overload

            def save_if_there_is_room(*arguments: Any) -> None:
                with suppress(OSError):
                    save(*arguments)

            made._cache.save_overload = save_if_there_is_room
        for signature in signatures:
            made.compile(signature)
        if signatures:
            made.disable_compile()
        result: FunctionT = made
        return result

    return decorate
