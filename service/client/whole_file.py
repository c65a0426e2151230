"""A file that is never there in part."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["whole_file"]


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """Yield a path beside the file's, to write to; then put it into the file's place, or remove it after an error.

    Raises OSError, which names the file itself, where it cannot be put there.
    """
    part = file.with_name(f".{file.name}.part")
    try:
        try:
            yield part
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        if str(error.filename) == str(part):  # nobody knows it by this name
            error.filename = str(file)
        raise
