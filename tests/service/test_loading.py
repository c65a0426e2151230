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
    monkeypatch.setattr("model.colorizer.load_colorizer", lambda path, device, cache: (path, device, cache))
    assert load_colorizer(Settings(weights=Path("weights/cinn.safetensors"), device="cpu", cache=Path("cache"))) == (
        Path("weights/cinn.safetensors"),
        "cpu",
        Path("cache"),
    )
    found = [torch.get_num_threads()]
    begun_later = Thread(target=lambda: found.append(torch.get_num_threads()))
    begun_later.start()
    begun_later.join()
    assert found == [1, 1]
