"""File names that are not too long for the file system."""

import os
from hashlib import sha256

__all__ = ["MAX_BYTES", "coloring_stem", "shortened"]

MAX_BYTES = 255
"""Maximum bytes of a file's name on Linux and macOS."""
ENDING_BYTES = len("-63.webp")
MARK_DIGITS = 8


def shortened(name: str, most: int) -> str:
    """Return a name of at most `most` bytes. A longer one is cut, and gets a hash of the whole, so it stays unique."""
    data = os.fsencode(name)
    if len(data) <= most:
        return name
    mark = f"~{sha256(data).hexdigest()[:MARK_DIGITS]}"
    return data[: most - len(mark)].decode(errors="ignore") + mark  # whole characters


def coloring_stem(photo: str, name: str) -> str:
    """Return the name of a photo's colorings without index and suffix: PHOTO-NAME, with a long PHOTO shortened."""
    return f"{shortened(photo, MAX_BYTES - ENDING_BYTES - len(os.fsencode(f'-{name}')))}-{name}"
