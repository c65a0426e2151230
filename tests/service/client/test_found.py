"""Selection of the photos that a command line names."""

import errno
import os
from pathlib import Path

import pytest

from service.client.found import Trouble, find_photos

FILES = (
    "a.jpg", "b.JPG", "notes.txt", ".hidden.jpg", "sub/c.tif", "sub/deep/d.heic", ".git/e.png", "out/a-7-0.jpg",
)  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def scans(folder: Path) -> Path:
    for name in FILES:
        file = folder / "scans" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return Path("scans")


def found(*arguments: str, out: str = "scans/out") -> dict[str, str]:
    photos, troubles = find_photos([Path(each) for each in arguments], Path(out))
    assert not troubles
    return {photo.source.as_posix(): photo.target.as_posix() for photo in photos}


def test_a_folder_with_all_below_it_but_for_hidden_files_and_the_output(scans: Path) -> None:
    assert found("scans") == {
        "scans/a.jpg": "a",
        "scans/b.JPG": "b",
        "scans/sub/c.tif": "sub/c",
        "scans/sub/deep/d.heic": "sub/deep/d",
    }


def test_globs(scans: Path) -> None:
    assert found("scans/*.jpg") == {"scans/a.jpg": "a"}
    for pattern in ("scans/sub/**/*", "scans/sub/**"):
        assert found(pattern) == {"scans/sub/c.tif": "c", "scans/sub/deep/d.heic": "deep/d"}
    assert found(str(scans.resolve() / "s?b" / "*.tif")) == {(scans.resolve() / "sub/c.tif").as_posix(): "sub/c"}


def test_a_file_that_is_named_is_taken_whatever_it_is(scans: Path) -> None:
    assert found("scans/notes.txt", "missing.jpg") == {"scans/notes.txt": "notes", "missing.jpg": "missing"}


def test_a_file_whose_name_looks_like_a_glob(scans: Path) -> None:
    (scans / "[1].jpg").touch()
    assert found("scans/[1].jpg") == {"scans/[1].jpg": "[1]"}


def test_each_photo_once(scans: Path) -> None:
    assert list(found("scans/a.jpg", "scans/*.jpg", str((scans / "a.jpg").resolve()))) == ["scans/a.jpg"]


def test_photos_of_one_name_keep_their_suffix(scans: Path) -> None:
    (scans / "a.png").touch()
    assert found("scans/a.jpg", "scans/a.png", "scans/b.JPG") == {
        "scans/a.jpg": "a.jpg",
        "scans/a.png": "a.png",
        "scans/b.JPG": "b",
    }


def test_photos_that_would_become_the_same_file_are_told_of(scans: Path) -> None:
    (scans / "sub/a.jpg").touch()
    photos, troubles = find_photos([scans / "a.jpg", scans / "sub/a.jpg"], Path("out"))
    assert [photo.source for photo in photos] == [scans / "a.jpg"]
    assert [trouble.name for trouble in troubles] == ["scans/sub/a.jpg"]
    assert "scans/a.jpg" in troubles[0].reason


def test_nothing_there_is_told_of(scans: Path) -> None:
    (scans / "empty").mkdir()
    for argument in ("scans/empty", "scans/*.gif"):
        photos, troubles = find_photos([Path(argument)], Path("out"))
        assert not photos
        assert [trouble.name for trouble in troubles] == [argument]


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


def test_names_that_no_file_can_have_are_left_to_who_opens_them(folder: Path) -> None:
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
