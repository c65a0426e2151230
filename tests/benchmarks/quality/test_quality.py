"""Measures, compared with known values, and the whole benchmark on a tiny network."""

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image

from benchmarks.quality.__main__ import main
from benchmarks.quality.measures import best_of_pixel, colorfulness, smooth_gradient
from benchmarks.quality.methods import Bits, Colors
from benchmarks.quality.records import Record, Reference, measure
from benchmarks.quality.subset import _gap_closed, figures_of
from tests.programs import run


def flat(*rgb: float) -> np.ndarray:
    return np.full((4, 4, 3), rgb, np.float32)


def test_each_channel_of_each_pixel_takes_its_best_sample() -> None:
    truth = flat(0, 0, 0)
    truth[:2] = 1
    black, white = flat(0, 0, 0), flat(1, 1, 1)
    assert best_of_pixel(np.stack([black, white]), truth) == 0
    assert best_of_pixel(np.stack([black, black]), truth) == pytest.approx(0.5**0.5)
    assert best_of_pixel(np.stack([black, white]), flat(0, 1, 0.5)) == pytest.approx((0.25 / 3) ** 0.5)


class FakeMethod:
    """A method that gives every pixel of sample i a* = b* = 10·(i + 1)."""

    name = "fake"
    settings: ClassVar[dict[str, object]] = {}

    def colorize(self, photo: np.ndarray, samples: int, temperature: float, seed: int) -> Colors:
        drawn = np.arange(10, 10 * samples + 1, 10, np.float32)[:, None, None, None].repeat(2, 1)
        drawn = np.broadcast_to(drawn, (samples, 2, 64, 64))
        return Colors(drawn, drawn[:3], drawn[:1], Bits(3.5, 1.5, np.arange(samples, dtype=float)))


@pytest.fixture
def record() -> Record:
    photo = np.full((64, 64, 3), 128, np.uint8)
    return measure(FakeMethod(), Reference(photo, np.full((2, 1, 1), 20, np.float32)), 3, 1.0, 0)


def test_errors_are_averaged_over_photos_after_the_root(record: Record) -> None:
    records = [Record(dict.fromkeys(record.values, error)) for error in (1, 3)]
    report: Any = figures_of(records)
    for name in ("best_of_3_pixel", "best_of_3_photo", "best_of_1", "temperature_0", "gray", "mean_color"):
        assert report[name] == pytest.approx(2)
        # Bootstrap samples of two photos have means of 1, 2, 2 and 3; 256 replicates give their spread to some percent.
        assert report["standard_errors"][name] == pytest.approx(0.5**0.5, rel=0.15)


def test_a_record_of_known_colorings(record: Record) -> None:
    values = record.values
    gray, ten, twenty, thirty = (skimage.color.lab2rgb((53.585, ab, ab)) for ab in (0, 10, 20, 30))  # of 128 levels
    errors = [100 * np.sqrt(np.square(each - gray).mean()) for each in (ten, twenty)]
    assert values["temperature_0"] == values["best_of_1"] == values["best_of_3_photo"]
    # 8 bits resolve 0.1 of the errors' unit, a hundredth of the range.
    assert (values["best_of_1"], values["mean_color"]) == pytest.approx(errors, abs=0.2)
    assert values["gray"] == pytest.approx(0, abs=0.1)
    assert values["variance"] == pytest.approx(1e4 * np.var((ten, twenty, thirty), 0).mean(), rel=0.05)
    # Samples lie 10·√2, 10·√2 and 20·√2 apart.
    assert values["pairwise_difference"] == pytest.approx(40 * 2**0.5 / 3)
    assert values["smooth_gradient"] == pytest.approx(0, abs=0.01)
    assert (values["bits_per_dim"], values["bits_per_dim_noisy"], values["truth_in_range"]) == (3.5, 1.5, 1)


def test_gradients_count_where_the_lightness_is_smooth() -> None:
    a = np.zeros((256, 256), np.float32)
    a[:, 128:] = 40
    lightness = np.full((256, 256), 60, np.float32)
    red_half = painted(lightness, a)
    # One column in 63 has a step of 40.
    assert smooth_gradient(red_half) == pytest.approx(40 / 63, rel=0.01)
    lightness[:, 128:] = 30
    assert smooth_gradient(painted(lightness, a)) == pytest.approx(0, abs=0.01)


def painted(lightness: np.ndarray, a: np.ndarray) -> np.ndarray:
    return skimage.color.lab2rgb(np.dstack((lightness, a, 0 * a))).astype(np.float32)


def test_colorfulness() -> None:
    assert colorfulness(flat(0.3, 0.3, 0.3)) == pytest.approx(0, abs=1e-5)
    # All red: red−green is 255 and yellow−blue 127.5 everywhere, so only their means count.
    assert colorfulness(flat(1, 0, 0)) == pytest.approx(0.3 * np.hypot(255, 127.5))
    half = flat(1, 0, 0)
    half[:2] = 0
    spread = np.hypot(127.5, 63.75)
    assert colorfulness(half) == pytest.approx(spread + 0.3 * spread)


def test_the_share_of_the_gap_that_colors_close() -> None:
    assert _gap_closed(lambda _: 0.6, lambda _: 0.5, lambda _: 0.75)(np.ones(3)) == pytest.approx(0.4)


def test_one_object_for_each_subset(subsets: Path, tiny_file: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.tsv"
    labels.write_text("file\tclass_index\npets/0.png\t285\n")
    done = run(main, "--data", subsets, "--weights", tiny_file, "--labels", labels, "--json", "-")
    report = json.loads(done.stdout)
    assert [(name, figures["photos"]) for name, figures in report.items()] == [("people", 1), ("pets", 1), ("all", 2)]
    for figures in report.values():
        assert all(np.isfinite(value) for value in figures.values() if isinstance(value, float))
        assert figures["best_of_8_pixel"] < figures["best_of_8_photo"] <= figures["best_of_1"]
        assert figures["variance"] > 0
        assert set(figures["standard_errors"]) < set(figures)
        assert bool(figures["standard_errors"]) == (figures["photos"] > 1)
    assert {name for name, figures in report.items() if "top_5" in figures} == {"pets", "all"}
    assert {name for name, figures in report.items() if "kid_default" in figures} == {"all"}  # needs several photos
    assert report["pets"]["top_1_truth"] == 100


def test_weights_are_those_of_the_service_s_setting(
    subsets: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_weights.write_bytes(b"damaged")
    for weights in (tiny_weights, tiny_weights.parent):
        monkeypatch.setenv("TINTFLOW_WEIGHTS", str(weights))
        assert f"{tiny_weights} is damaged" in run(main, "--data", subsets, status=2).stderr


def test_gray_photos_alone_are_nothing_to_compare_with(subsets: Path, tiny_file: Path, tmp_path: Path) -> None:
    gray = tmp_path / "gray"
    gray.mkdir()
    Image.open(subsets / "pets" / "0.png").convert("L").save(gray / "0.png")
    done = run(main, "--data", gray, "--weights", tiny_file, "--no-judge", status=2)
    assert "only near-gray photos in" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("photo\tclass\n", "a TSV with columns file and class_index"),
        ("file\tclass_index\n0.png\t285\n", "of 0.png"),  # lacks the folder
        ("file\tclass_index\npets/0.png\tcat\n", "a whole number as class_index"),
        ("file\tclass_index\npets/0.png\n", "a whole number as class_index"),
    ],
)
def test_labels_that_do_not_fit(subsets: Path, tiny_file: Path, tmp_path: Path, content: str, message: str) -> None:
    labels = tmp_path / "labels.tsv"
    labels.write_text(content)
    words = ["--data", subsets, "--weights", tiny_file, "--labels", labels, "--no-judge"]
    assert message in " ".join(run(main, *words, status=2).stderr.split())
