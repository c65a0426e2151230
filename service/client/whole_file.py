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
        # The user does not know the temporary name. A write to a full disk fails without a name.
        if str(error.filename) == str(part) or (error.filename is None and error.errno is not None):
            error.filename = str(file)
        raise
