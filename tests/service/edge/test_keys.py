"""The file of API keys: hashes only, strict reading, comparison in constant time."""

import hashlib
import os
import stat
import time
from concurrent.futures import Executor
from pathlib import Path
from unittest.mock import Mock

import pytest

from service.cli.program import app
from service.edge import keys
from service.edge.keys import KeyFileError, KeyRing, add_key
from tests.programs import run

DIGEST = "0" * 64


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "keys"


def test_a_key_is_found_by_its_hash_alone(path) -> None:
    first, second = add_key(path, "ann"), add_key(path, "bob", "10/second; 1000/hour")
    assert first != second
    assert len(first.removeprefix(keys.PREFIX)) == 43  # 256 random bits, 6 per letter
    ring = KeyRing(path)
    assert ring.find(first).name == "ann"  # type: ignore[union-attr]
    found = ring.find(second)
    assert (found.name, [limit.amount for limit in found.limits]) == ("bob", [10, 1000])
    for wrong in ("", first[:-1], first + "x", first.swapcase(), "ann", found.digest):
        assert ring.find(wrong) is None
    text = path.read_text()
    assert first not in text
    assert first.removeprefix(keys.PREFIX) not in text
    assert hashlib.sha256(first.encode()).hexdigest() in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(24, "Too many open files")])
def test_a_file_that_cannot_be_read_revokes_until_it_can(path, monkeypatch, error: OSError) -> None:
    """The log reports this once, until it changes."""
    secret = add_key(path, "ann")
    ring = KeyRing(path)
    path.chmod(0o400)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", Mock(side_effect=error))  # simulated, since root may read all files
        with pytest.raises(KeyFileError, match=f"cannot be read: .*{error.strerror}"):
            ring.reload()
        assert not ring.reload()
        assert ring.find(secret) is None
    assert ring.reload()
    assert ring.find(secret) is not None


def test_a_new_key_changes_nothing_of_who_may_read_the_file(path) -> None:
    add_key(path, "ann")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 12345, 12346)
    before = path.stat()
    add_key(path, "bob")
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino


def test_a_key_is_added_to_the_file_that_a_link_names(path, tmp_path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    add_key(path, "ann")
    secret = add_key(link, "bob")
    assert link.is_symlink()
    assert KeyRing(path).find(secret) is not None


def test_keys_added_at_once_are_all_kept(path, monkeypatch, pool: Executor) -> None:
    parse = keys._parse

    def parse_slowly(text: str, path: Path) -> tuple[keys.Key, ...]:
        time.sleep(0.05)
        return parse(text, path)

    monkeypatch.setattr(keys, "_parse", parse_slowly)
    names = ["ann", "bob", "cyd"]
    secrets = [each.result() for each in [pool.submit(add_key, path, name) for name in names]]
    ring = KeyRing(path)
    assert [key.name for secret in secrets if (key := ring.find(secret))] == names


def test_no_key_is_added_if_the_file_would_change_its_owner(path, tmp_path, monkeypatch) -> None:
    secret = add_key(path, "ann")
    monkeypatch.setattr(os, "chown", Mock(side_effect=PermissionError))
    with pytest.raises(KeyFileError, match="only its owner, or root"):
        add_key(path, "bob")
    assert [each.name for each in tmp_path.iterdir()] == ["keys"]
    assert KeyRing(path).find(secret) is not None


def test_every_key_is_compared_in_constant_time(path, monkeypatch) -> None:
    secrets = [add_key(path, name) for name in ("ann", "bob", "cyd")]
    ring, compare = KeyRing(path), Mock(wraps=keys.compare_digest)
    monkeypatch.setattr(keys, "compare_digest", compare)
    for secret in (secrets[0], secrets[2], "wrong"):
        compare.reset_mock()
        ring.find(secret)
        assert compare.call_count == 3, "the time would tell which key it is"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tintflow_secret  ann\n", "line 1: expected a SHA-256"),
        (f"{DIGEST}\n", "and a name"),
        (f"# keys\n\n{DIGEST}  ann  often\n", "line 3"),
        (f"{DIGEST}  ann  0/minute\n", "at least 1"),
        (f"{DIGEST}  ann\n{'1' * 64}  ann\n", "line 2: a second key named ann"),
        ("\udcff", "cannot be read"),
    ],
)
def test_malformed_file(path, text: str, words: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(KeyFileError, match=words) as error:
        KeyRing(path)
    assert "tintflow_secret" not in str(error.value), "a key written in clear by mistake must not reach the log"


def test_a_file_from_an_editor_with_a_byte_order_mark_and_indented_comments(path) -> None:
    path.write_text(f"\ufeff{DIGEST}  ann\n  # until June\n", "utf-8")
    secret = add_key(path, "bøb")
    assert [key.name for key in KeyRing(path)._keys] == ["ann", "bøb"]
    assert KeyRing(path).find(secret) is not None


@pytest.mark.parametrize("replaced", [True, False])
def test_a_change_within_one_tick_of_the_clock_is_seen(path, tmp_path, replaced: bool) -> None:
    ann = add_key(path, "ann")
    ring, before = KeyRing(path), path.stat().st_mtime_ns
    if replaced:
        (tmp_path / "new").write_text(f"{DIGEST}  ann\n")
        (tmp_path / "new").replace(path)
    else:
        path.write_text("")
    os.utime(path, ns=(before, before))
    assert ring.reload()
    assert ring.find(ann) is None


@pytest.mark.parametrize("name", ["", "two words", "two\nlines", " "])
def test_a_name_is_one_word(path, name: str) -> None:
    with pytest.raises(KeyFileError, match="one word"):
        add_key(path, name)
    assert not path.exists()


def test_command_shows_the_key_once_and_writes_its_hash(path, monkeypatch) -> None:
    path.write_text("# ours")
    secret = run(app, "keys", "add", "ann", "--file", path, "--rate-limit", "5/minute").stdout.strip()
    key = KeyRing(path).find(secret)
    assert (key.name, [limit.amount for limit in key.limits]) == ("ann", [5])
    assert path.read_text().startswith("# ours\n")
    monkeypatch.setenv("TINTFLOW_API_KEYS_FILE", str(path))
    refusal = run(app, "keys", "add", "ann", status=2).stderr.replace("\n", " ")
    assert "has a key named ann: choose another name, or delete its line first" in refusal
    assert len(path.read_text().splitlines()) == 2


def test_command_names_a_file_that_cannot_be_read_or_written_and_leaves_nothing(path, tmp_path, monkeypatch) -> None:
    def refuse_to_add(file: Path, words: str) -> None:
        result = run(app, "keys", "add", "ann", "--file", file, status=2)
        assert result.stdout == ""
        assert result.stderr.startswith(f"{file}: {words}")

    loop, pipe, folder = tmp_path / "loop", tmp_path / "pipe", tmp_path / "folder"
    loop.symlink_to(loop)
    os.mkfifo(pipe)
    folder.mkdir()
    for no_file in (loop, pipe, folder):  # as /dev/null is none, which root could replace by a file
        refuse_to_add(no_file, "expected a file\n")
    assert pipe.is_fifo()
    refuse_to_add(tmp_path / "none" / "keys", "cannot be written: No such file or directory")
    path.write_bytes(b"\xff")
    refuse_to_add(path, "cannot be read: 'utf-8'")
    path.write_text("# ours\n")
    monkeypatch.setattr(Path, "write_text", Mock(side_effect=OSError(28, "No space left on device")))
    refuse_to_add(path, "cannot be written: No space left on device")
    assert {*tmp_path.iterdir()} == {path, loop, pipe, folder}
    assert path.read_text() == "# ours\n"
