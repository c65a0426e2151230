"""Measures by known values, and the whole measurement on a tiny network."""

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from typer import Typer
from typer.testing import CliRunner

from benchmarks.measures import best_of_pixel, colourfulness, rmse, variance
from benchmarks.quality import Subset, main

app = Typer()
app.command()(main)


def flat(*rgb: float) -> np.ndarray:
    return np.full((4, 4, 3), rgb, np.float32)


def test_errors_of_known_samples() -> None:
    samples = np.stack([flat(0, 0, 0), flat(0.5, 0.5, 0.5)])
    np.testing.assert_allclose(rmse(samples, flat(0.5, 0.5, 0.5)), (0.5, 0))
    expected = np.sqrt((0.09 / 3, (0.25 + 0.25 + 0.04) / 3))
    np.testing.assert_allclose(rmse(samples, flat(0, 0, 0.3)), expected, rtol=1e-6)


def test_each_channel_of_each_pixel_takes_its_best_sample() -> None:
    truth = flat(0, 0, 0)
    truth[:2] = 1
    black, white = flat(0, 0, 0), flat(1, 1, 1)
    assert best_of_pixel(np.stack([black, white]), truth) == 0
    assert best_of_pixel(np.stack([black, black]), truth) == pytest.approx(0.5**0.5)
    assert best_of_pixel(np.stack([black, white]), flat(0, 1, 0.5)) == pytest.approx((0.25 / 3) ** 0.5)


def test_errors_are_averaged_over_photos_after_the_root() -> None:
    subset = Subset()
    for error in (0.01, 0.03):
        values = dict.fromkeys(("best_pixel", "best_photo", "first", "zero", "grey", "mean_colour"), error)
        subset.add(**values, bits_per_dim=0, variance=error, colourfulness=1, colourfulness_truth=1)
    report = subset.report(8)
    for name in ("best_of_8_pixel", "best_of_8_photo", "best_of_1", "temperature_0", "grey", "mean_colour"):
        assert report[name] == pytest.approx(2)


def test_variance_over_samples() -> None:
    assert variance(np.stack([flat(0, 0, 0), flat(1, 0, 0)])) == pytest.approx(0.25 / 3)
    assert variance(np.stack([flat(0.2, 0.4, 0.6)] * 3)) == pytest.approx(0)


def test_colourfulness() -> None:
    assert colourfulness(flat(0.3, 0.3, 0.3)) == pytest.approx(0, abs=1e-5)
    # All red: red−green is 255 and yellow−blue 127.5 everywhere, so only their means count.
    assert colourfulness(flat(1, 0, 0)) == pytest.approx(0.3 * np.hypot(255, 127.5))
    half = flat(1, 0, 0)
    half[:2] = 0
    spread = np.hypot(127.5, 63.75)
    assert colourfulness(half) == pytest.approx(spread + 0.3 * spread)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for subset, photo in (("pets", skimage.data.chelsea()), ("people", skimage.data.astronaut())):
        (tmp_path / "data" / subset).mkdir(parents=True)
        Image.fromarray(photo[::4, ::4]).save(tmp_path / "data" / subset / "0.png")
    return tmp_path / "data"


def test_one_object_for_each_subset(photos: Path, tiny_weights: Path) -> None:
    result = CliRunner().invoke(app, ["--data", str(photos), "--weights", str(tiny_weights), "--json", "-"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert set(report) == {"pets", "people"}
    for figures in report.values():
        assert figures["photos"] == 1
        assert all(np.isfinite(value) for value in figures.values() if isinstance(value, float))
        assert figures["best_of_8_pixel"] < figures["best_of_8_photo"] <= figures["best_of_1"]
        assert figures["variance"] > 0


def test_temperature_zero_has_no_variance(photos: Path, tiny_weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    arguments = ["--data", str(photos), "--weights", str(tiny_weights), "--temperature", "0", "--json", str(out)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    for figures in json.loads(out.read_text()).values():
        assert figures["variance"] == 0
        assert figures["best_of_1"] == pytest.approx(figures["temperature_0"])


def test_a_sheet_of_the_photos_that_are_named(photos: Path, tiny_weights: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    arguments = ["--data", str(photos), "--weights", str(tiny_weights), "--sheet", "pets/*", "--sheet-file", str(sheet)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    with Image.open(sheet) as image:
        width, height = image.size
    assert width == 9 * 260 - 4
    assert height == 18 + 256


def test_a_name_that_is_not_there(photos: Path, tiny_weights: Path) -> None:
    result = CliRunner().invoke(app, ["--data", str(photos), "--weights", str(tiny_weights), "--sheet", "birds/*"])
    assert result.exit_code == 2
    assert "no photo in" in result.stderr
