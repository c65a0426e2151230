"""State of the service once it has loaded its model."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import torch

from service.loading import load_colorizer
from service.settings import Settings


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_no_operation_takes_threads_that_would_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.colorizer.load_colorizer", lambda *given: given)
    load_colorizer(Settings(weights=Path("weights/cinn.safetensors"), device="cpu"))
    found = [torch.get_num_threads()]
    begun_later = Thread(target=lambda: found.append(torch.get_num_threads()))
    begun_later.start()
    begun_later.join()
    assert found == [1, 1]


def test_weights_are_a_file_or_a_folder_of_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("model.colorizer.load_colorizer", lambda *given: given)
    with pytest.raises(FileNotFoundError, match="got 0"):
        load_colorizer(Settings(weights=tmp_path))
    file, cache = tmp_path / "a.safetensors", tmp_path / "cache"
    file.touch()
    for weights in (tmp_path, file):
        assert load_colorizer(Settings(weights=weights, device="cpu", cache=cache)) == (file, "cpu", cache)
    (tmp_path / "b.safetensors").touch()
    with pytest.raises(FileNotFoundError, match="got 2"):
        load_colorizer(Settings(weights=tmp_path))
