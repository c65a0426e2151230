"""State of the service once it has loaded its model."""

from pathlib import Path

import pytest

from service.loading import fill_cache, load_colorizer
from service.settings import Settings


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


@pytest.mark.slow
def test_the_cache_of_an_image_holds_what_requests_of_every_kind_need(tiny_weights: Path, tmp_path: Path) -> None:
    fill_cache(Settings(weights=tiny_weights, device="cpu", cache=tmp_path))
    graphs = {path.name.partition("-")[0] for path in tmp_path.rglob("*-*")}
    assert graphs == {"condition", "details", "encode", "mixtures", "picture", "step"}
    assert {path.name.split("-")[2] for path in tmp_path.rglob("step-*")} >= {"8", "16"}  # draws at once
