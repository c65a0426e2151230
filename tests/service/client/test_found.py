"""Selection of photos named on a command line."""

import errno
import os
from pathlib import Path

import pytest

from service.client.found import Trouble, find_photos

FILES = (
    "scans/a.jpg", "scans/b.JPG", "scans/notes.txt", "scans/.hidden.jpg", "scans/sub/c.tif", "scans/sub/deep/d.heic",
    "scans/.git/e.png", "scans/out/a-7-0.jpg", "odd/[1].jpg", "odd/a.jpg", "odd/a.png",
)  # fmt: skip


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        file = Path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return Path("scans")


def found(*arguments: str, out: str = "scans/out") -> dict[str, str]:
    photos, troubles = find_photos([Path(each) for each in arguments], Path(out))
    assert not troubles
    return {photo.source.as_posix(): photo.target.as_posix() for photo in photos}


BELOW_SUB = {"scans/sub/c.tif": "c", "scans/sub/deep/d.heic": "deep/d"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("scans", {"scans/a.jpg": "a", "scans/b.JPG": "b"} | {file: f"sub/{BELOW_SUB[file]}" for file in BELOW_SUB}),
        ("scans/*.jpg", {"scans/a.jpg": "a"}),
        ("scans/sub/**/*", BELOW_SUB),
        ("scans/sub/**", BELOW_SUB),
        ("scans/notes.txt missing.jpg", {"scans/notes.txt": "notes", "missing.jpg": "missing"}),  # since they are named
        ("odd/[1].jpg", {"odd/[1].jpg": "[1]"}),
        ("odd/a.jpg odd/a.png scans/b.JPG", {"odd/a.jpg": "a.jpg", "odd/a.png": "a.png", "scans/b.JPG": "b"}),
    ],
)
def test_what_names_folders_and_globs_find(scans: Path, arguments: str, expected: dict[str, str]) -> None:
    assert found(*arguments.split()) == expected


def test_absolute_names_find_each_photo_once(scans: Path) -> None:
    assert found(str(scans.resolve() / "s?b" / "*.tif")) == {(scans.resolve() / "sub/c.tif").as_posix(): "sub/c"}
    assert list(found("scans/a.jpg", "scans/*.jpg", str((scans / "a.jpg").resolve()))) == ["scans/a.jpg"]


def test_photos_that_would_become_the_same_file_are_told_of(scans: Path) -> None:
    (scans / "sub/a.jpg").touch()
    photos, troubles = find_photos([scans / "a.jpg", scans / "sub/a.jpg"], Path("out"))
    assert [photo.source for photo in photos] == [scans / "a.jpg"]
    assert [trouble.name for trouble in troubles] == ["scans/sub/a.jpg"]
    assert "scans/a.jpg" in troubles[0].reason


def test_what_cannot_be_read_below_a_folder_is_told_of(scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(folder: str) -> object:
        if Path(folder).name == "sub":
            raise PermissionError(errno.EACCES, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    (scans / "broken.jpg").symlink_to("missing.jpg")
    (scans / "linked").symlink_to(scans, target_is_directory=True)
    photos, troubles = find_photos([scans], Path("out"))
    assert [photo.source.name for photo in photos] == ["a.jpg", "b.JPG", "broken.jpg", "a-7-0.jpg"]
    assert [(trouble.name, trouble.reason) for trouble in troubles] == [("scans/sub", "Permission denied")]


@pytest.mark.usefixtures("scans")
def test_names_that_no_file_can_have_are_left_to_who_opens_them() -> None:
    Path("loop.jpg").symlink_to("loop.jpg")
    long = f"{'a' * 300}.jpg"
    assert list(found("loop.jpg", long, f"{long}/b.jpg")) == ["loop.jpg", long, f"{long}/b.jpg"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "a.jpg"), "Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (FileExistsError(errno.EEXIST, "File exists", "out/a"), "out/a: File exists"),
        (OSError("odd"), "odd"),
        (ValueError("odd"), "odd"),
    ],
)
def test_a_reason_has_no_number_and_names_no_path_twice(error: Exception, reason: str) -> None:
    assert Trouble.of(Path("a.jpg"), error) == Trouble("a.jpg", reason)
