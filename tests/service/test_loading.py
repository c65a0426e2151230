"""State of the service after loading its model."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.drawing.passes import DRAWS, MOST_DRAWS
from model.errors import CheckpointError
from service.loading import fill_cache, load_colorizer
from service.settings import Settings
from tests.service.fakes import FakeColorizer


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


def test_what_later_photos_need_is_prepared_once_the_first_is_drawn(start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.loading.PAUSE_SECONDS", 0.01)
    assert start().colorizer.prepared.wait(30)


def test_what_cannot_be_prepared_is_left_to_who_needs_it(start, grey_png, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: FakeColorizer) -> Iterator[None]:
        self.prepared.set()
        raise CheckpointError("no such weights")
        yield

    monkeypatch.setattr(FakeColorizer, "prepare_rest", fail)
    service = start()
    assert service.colorizer.prepared.wait(30)
    assert service.post(grey_png).status_code == 200


def test_what_is_left_to_prepare_keeps_no_process_from_its_end() -> None:
    program = """
from types import SimpleNamespace
from threading import Thread
from service import loading
loading.PAUSE_SECONDS = 60
Thread(target=loading._prepare_rest, args=(SimpleNamespace(prepare_rest=lambda: iter([None] * 9)),)).start()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)  # noqa: S603 - this Python, our program


@pytest.mark.slow
def test_the_cache_of_an_image_holds_what_requests_of_every_kind_need(tiny_weights: Path, tmp_path: Path) -> None:
    fill_cache(Settings(weights=tiny_weights, device="cpu", cache=tmp_path))
    graphs = {path.name.partition("-")[0] for path in tmp_path.rglob("*-*")}
    assert graphs == {"condition", "details", "encode", "mixtures", "step"}
    draws_at_once = {path.name.split("-")[2] for path in tmp_path.rglob("step-*")}
    assert draws_at_once == {str(DRAWS["cpu"]), str(MOST_DRAWS["cpu"])}
