"""Compiled graphs on disk, so that a later process need not compile them again."""

import hashlib
import logging
import os
import platform
import re
import shutil
import tempfile
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["GraphCache", "processor"]

CHECKSUM_BYTES = hashlib.sha256().digest_size
UNUSED_SECONDS = 30 * 86_400
"""Age after which unused graphs of other weights, versions or processors are deleted."""
LEFTOVER_SECONDS = 3600
"""Age after which partial files are deleted: their process was killed."""
OUR_FOLDER = re.compile("[0-9a-f]{32}")
SOURCES = (Path(__file__).resolve().parent, Path(__file__).resolve().parents[2] / "flow")
"""Folders whose modules determine the compiled networks."""

log = logging.getLogger(__name__)


class GraphCache:
    """Graphs of one network, compiled by this version of OpenVINO for this processor.

    A file appears whole or not at all, and is checked before use. After any failure, a graph is compiled: an unreadable
    or unwritable folder costs only time, and a warning. No other user should be able to write to the folder.
    """

    def __init__(self, folder: Path, weights: str) -> None:
        """weights: SHA-256 of the network's weights."""
        made_of = (weights, version("openvino"), processor(), _sources())
        self._parent = folder
        self._folder = folder / hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:32]
        self._has_warned = False
        for part in self._parent.glob("*/.*"):
            with suppress(OSError):
                if OUR_FOLDER.fullmatch(part.parent.name) and time.time() - part.stat().st_mtime > LEFTOVER_SECONDS:
                    part.unlink()

    def load(self, name: str) -> NDArray[np.uint8] | None:
        """Map a stored graph into memory; return None if it is missing or damaged."""
        try:
            data = np.memmap(self._folder / name, np.uint8, mode="c")  # OpenVINO refuses read-only memory
        except (OSError, ValueError):  # an empty file cannot be mapped
            return None
        blob = data[:-CHECKSUM_BYTES]
        if hashlib.sha256(blob.data).digest() != data[-CHECKSUM_BYTES:].tobytes():
            return None
        with suppress(OSError):
            os.utime(self._folder)  # it is in use
        return blob

    def store(self, name: str, blob: bytes) -> None:
        """Store a compiled graph. If the folder is not writable or the disk is full, warn once."""
        try:
            self._write(name, blob)
        except OSError as error:
            if not self._has_warned:
                self._has_warned = True
                log.warning("%s: cannot keep compiled networks, so every start compiles them: %s", self._parent, error)

    def _write(self, name: str, blob: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f".{name}-", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(blob)
                file.write(hashlib.sha256(blob).digest())
            Path(part).chmod(0o644)  # in an image, root writes it and others read it
            Path(part).replace(self._folder / name)
        except OSError:
            Path(part).unlink(missing_ok=True)
            raise
        with suppress(OSError):
            self._remove_unused()

    def _remove_unused(self) -> None:
        for each in self._parent.iterdir():
            if OUR_FOLDER.fullmatch(each.name) and time.time() - each.stat().st_mtime > UNUSED_SECONDS:
                shutil.rmtree(each, ignore_errors=True)


def processor() -> str:
    """Describe this processor: its name and instructions where the system lists them."""
    found = [platform.machine(), platform.processor()]
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text()
        for name in ("model name", "flags", "Features"):
            found += re.findall(rf"^{name}\s*:\s*(.*)$", text, re.MULTILINE)[:1]
    return "\n".join(found)


def _sources() -> str:
    digest = hashlib.sha256()
    for path in (path for folder in SOURCES for path in sorted(folder.glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()
