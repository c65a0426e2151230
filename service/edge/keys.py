"""API keys: random, stored as hashes, compared in constant time."""

import fcntl
import hashlib
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limits import RateLimitItem

__all__ = ["Key", "KeyFileError", "KeyRing", "add_key", "parse_limits"]

PREFIX = "tintflow_"
"""prefix by which people and secret scanners recognize a key"""
SECRET_BYTES = 32
DIGEST = re.compile("[0-9a-f]{64}")
ENCODING = "utf-8-sig"  # some editors begin a file with a byte order mark


class KeyFileError(ValueError):
    """The file of keys is missing or malformed."""


@dataclass(frozen=True)
class Key:
    """A key's name, hash and limits, without the key itself."""

    name: str
    digest: str
    """SHA-256 of the key, in hexadecimal"""
    limits: "tuple[RateLimitItem, ...]" = ()
    """the key's own rate limits; empty: those of the settings"""


class KeyRing:
    """The keys in a file, one per line: `SHA-256  name  [rate limits]`; lines that begin with # are comments.

    SHA-256 is enough: a key is 256 random bits, which nobody can guess, so a slow hash would protect nothing and only
    delay every request, including those without a valid key.
    """

    def __init__(self, path: Path) -> None:
        """Read the file. Raises KeyFileError."""
        self._path = path
        self._state: tuple[int, ...] | None = None
        self._unread = ""
        """reason why the existing file could not be read at the last attempt"""
        self._keys: tuple[Key, ...] = ()
        self.reload()

    def reload(self) -> bool:
        """Read the file again if it has changed, and say whether it had.

        Raises KeyFileError, once per change, if it is missing or malformed; no key is valid until that is fixed.
        """
        state: tuple[int, ...] = ()  # state of a missing file
        with suppress(OSError):
            status = self._path.stat()
            # several changes may fall into one tick of the clock
            state = (status.st_mtime_ns, status.st_ino, status.st_size, status.st_mode, status.st_uid, status.st_gid)
        if state == self._state:
            return False
        self._state, self._keys = state, ()  # a malformed file must not keep a removed key valid
        try:
            text = self._path.read_text(ENCODING)
        except (OSError, UnicodeDecodeError) as error:
            if state and isinstance(error, OSError):
                self._state = None  # try again next time, even if the file has not changed
                if str(error) == self._unread:
                    return False
                self._unread = str(error)
            raise KeyFileError(f"{self._path}: cannot be read: {error}") from error
        self._unread = ""
        self._keys = _parse(text, self._path)
        return True

    def find(self, secret: str) -> Key | None:
        """Return the matching key, or None. Takes constant time, whether and wherever keys differ."""
        digest = _digest(secret)
        found = None
        for key in self._keys:
            if compare_digest(key.digest, digest):
                found = key
        return found


def add_key(path: Path, name: str, limits: str = "") -> str:
    """Add a new key's hash to a file, which is made if missing; return the key, which is not stored.

    Raises KeyFileError if the name, the limits or the file are malformed, the name is taken, or another user owns the
    file, or it cannot be read or written.
    """
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    line = "  ".join(part for part in (_digest(secret), name, limits) if part)
    if len(line.splitlines()) != 1 or name.split() != [name]:
        raise KeyFileError(f"name: expected one word, got {name!r}")
    path = Path(os.path.realpath(path))  # keeps links as links; `resolve` raises on a loop of links
    if os.path.lexists(path) and not path.is_file():  # a device or a pipe must not become a file
        raise KeyFileError(f"{path}: expected a file")
    try:
        with _locked(path.parent):
            _append(path, name, line)
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be written: {error.strerror}") from error
    return secret


def parse_limits(text: str) -> "tuple[RateLimitItem, ...]":
    """Parse `10/second; 1000/hour`; empty text means no limits. Raises ValueError."""
    if not text:
        return ()
    from limits import parse_many  # late: the command line alone needs it only for limits

    limits = tuple(parse_many(text))
    if any(limit.amount < 1 for limit in limits):
        raise ValueError(f"expected a rate limit of at least 1, got {text}")
    return limits


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change a folder: of two that add keys at once, the later would drop the other's."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems cannot lock folders
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _append(path: Path, name: str, line: str) -> None:
    """Add a key's line to the file, whole or not at all. Raises KeyFileError, and OSError."""
    try:
        before = path.read_text(ENCODING) if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{path}: cannot be read: {error}") from error
    text = "\n".join([*before.splitlines(), line, ""])
    if any(key.name == name for key in _parse(before, path)):
        raise KeyFileError(
            f"{path} has a key named {name}: choose another name, or delete its line first, which revokes it"
        )
    _parse(text, path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=path.name) as folder:
        new = Path(folder, path.name)
        new.touch(0o600)  # for its owner alone
        new.write_text(text, "utf-8")
        if path.exists():  # keep its readers, such as the service
            _let_read(new, path)
        new.replace(path)  # atomic


def _let_read(new: Path, path: Path) -> None:
    """Give a new file the owner and permissions of another."""
    status = path.stat()
    try:
        os.chown(new, status.st_uid, status.st_gid)
    except OSError as error:
        raise KeyFileError(f"{path}: only its owner, or root, may add keys") from error
    new.chmod(stat.S_IMODE(status.st_mode))


def _parse(text: str, path: Path) -> tuple[Key, ...]:
    keys: dict[str, Key] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        place = f"{path}, line {number}"
        digest, name, limits = [*line.split(maxsplit=2), "", ""][:3]
        if not DIGEST.fullmatch(digest) or not name:
            raise KeyFileError(f"{place}: expected a SHA-256 in hexadecimal and a name")  # not the line: maybe a key
        if name in keys:
            raise KeyFileError(f"{place}: a second key named {name}")
        try:
            keys[name] = Key(name, digest, parse_limits(limits.strip()))
        except ValueError as error:
            raise KeyFileError(f"{place}: {error}") from error
    return tuple(keys.values())


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
