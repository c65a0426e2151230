"""A file that is written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.client.file_names import MAX_BYTES, shortened

__all__ = ["whole_file"]


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """Yield a temporary path beside the file; then move it into the file's place, or remove it after an error.

    Raises OSError, which names the file itself, if that fails.
    """
    part = file.with_name(f".{shortened(file.name, MAX_BYTES - len('..part'))}.part")
    try:
        try:
            yield part
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        if str(error.filename) == str(part):  # the user does not know the temporary name
            error.filename = str(file)
        raise
