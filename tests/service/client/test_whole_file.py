"""Files that are never there in part."""

from pathlib import Path

import pytest

from service.client.whole_file import whole_file


def write(file: Path) -> None:
    with whole_file(file) as part:
        part.write_text("all of it")


def test_it_replaces_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("before")
    write(file)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["all of it"]


def test_an_error_names_the_file_and_not_the_hidden_one_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "notes").touch()
    for file in (folder, tmp_path / "notes" / "file", tmp_path / "none" / "file"):
        with pytest.raises(OSError, match="directory") as error:
            write(file)
        assert error.value.filename == str(file)
    assert {each.name for each in tmp_path.iterdir()} == {"folder", "notes"}


def test_an_error_about_another_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error, whole_file(tmp_path / "file"):
        (tmp_path / "other").read_text()
    assert Path(error.value.filename) == tmp_path / "other"
