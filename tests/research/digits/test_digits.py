"""The digits' cINN: data, laws, training, measures, figures and released weights."""

import gzip
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.testing import assert_close

from model.errors import CheckpointError
from research.digits.__main__ import CLASSIFIER_FILE, FLOW_FILE, app
from research.digits.checkpoint import load_classifier, load_flow, save_classifier, save_flow
from research.digits.classifier import DigitClassifier, train_classifier
from research.digits.digits import CLASSES, PIXELS, SIDE, BadIdxError, Digits, continuous, read_digits, whole
from research.digits.figures import FIGURES, Source
from research.digits.flow import DigitFlow, DigitFlowConfig
from research.digits.measure import bits_per_dim, encode, latent_statistics, recognized, sample
from research.digits.train import LOOP, make_trainer
from tests.networks import generator
from tests.programs import run

ROOT = Path(__file__).parents[3]
TINY = DigitFlowConfig(blocks=3, width=8)


@pytest.fixture(scope="module")
def digits() -> Digits:
    """Ten classes, each with a bar at another place, on speckled paper that is darker or brighter."""
    labels = torch.arange(CLASSES).repeat(20)
    images = torch.randint(0, 40, (len(labels), SIDE, SIDE), generator=generator())
    images += torch.randint(0, 100, (len(labels), 1, 1), generator=generator())
    for image, label in zip(images, labels.tolist(), strict=True):
        top, left = 4 * (label // 2) + 4, 5 + 10 * (label % 2)
        image[top : top + 3, left : left + 8] += 100
    return Digits(images.flatten(1).to(torch.uint8), labels)


@pytest.fixture(scope="module")
def data(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits as IDX files: compressed for training, plain for testing."""
    folder = tmp_path_factory.mktemp("mnist")
    for part in ("train", "t10k"):
        write_idx(folder, part, digits, packed=part == "train")
    return folder


def write_idx(folder: Path, part: str, digits: Digits, packed: bool) -> None:
    images = digits.images.view(-1, SIDE, SIDE)
    for name, values in (("images-idx3", images), ("labels-idx1", digits.labels.to(torch.uint8))):
        sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
        content = bytes((0, 0, 8, values.ndim)) + sizes + values.numpy().tobytes()
        path = folder / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(content) if packed else content)


@pytest.fixture(scope="module")
def flow(digits: Digits) -> DigitFlow:
    """An untrained network with all parameters and permutations moved from their initial values."""
    flow, draws = DigitFlow(TINY), generator(3)
    flow.standardize(digits)
    with torch.no_grad():
        for p in flow.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=draws))
    for permutation in flow.permutations:
        permutation.order = permutation.order.flip(0)
    return flow.eval()


def assert_one_level(got: Tensor, expected: Tensor) -> None:
    """Compare pixels, which may round into the next step."""
    assert_close(got.int(), expected.int(), rtol=0, atol=1)


def test_digits_are_read_packed_and_plain(data: Path, digits: Digits) -> None:
    for part in ("train", "t10k"):
        read = read_digits(data, part)  # type: ignore[arg-type]
        assert torch.equal(read.images, digits.images)
        assert torch.equal(read.labels, digits.labels)


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("t10k-images-idx3-ubyte", lambda _: b""),
        ("t10k-images-idx3-ubyte", lambda _: b"\x00\x00\x08"),
        ("t10k-images-idx3-ubyte", lambda _: bytes((0, 0, 13, 1, 0, 0, 0, 1, 0))),
        ("t10k-images-idx3-ubyte", lambda _: bytes((0, 0, 8, 1, 0, 0, 0, 9, 0))),
        ("t10k-images-idx3-ubyte", lambda _: bytes((0, 0, 8, 3))),
        ("train-images-idx3-ubyte.gz", lambda data: data[:-100]),
        ("train-images-idx3-ubyte.gz", lambda data: data[:10] + bytes([255]) * 100),
    ],
    ids=["empty", "short", "not bytes", "cut off", "no sizes", "half packed", "damaged"],
)
def test_a_broken_file_is_refused(data: Path, tmp_path: Path, name: str, spoil: Callable[[bytes], bytes]) -> None:
    path = shutil.copytree(data, tmp_path, dirs_exist_ok=True) / name
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(BadIdxError):
        read_digits(tmp_path, name.partition("-")[0])  # type: ignore[arg-type]


def test_labels_of_other_digits_are_refused(data: Path, digits: Digits, tmp_path: Path) -> None:
    write_idx(tmp_path, "t10k", digits.part(slice(30)), packed=False)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes((data / "t10k-images-idx3-ubyte").read_bytes())
    with pytest.raises(BadIdxError, match="30"):
        read_digits(tmp_path, "t10k")


def test_whole_pixels_come_back_from_continuous_ones() -> None:
    images = torch.arange(256, dtype=torch.uint8).repeat(4, 1)
    assert torch.equal(whole(continuous(images, 0.0, generator())), images)


def test_noise_has_the_given_standard_deviation() -> None:
    images = torch.full((200, PIXELS), 100, dtype=torch.uint8)
    pixels = continuous(images, 0.08, generator())
    # 156,800 draws determine the standard deviation to 0.2%.
    assert pixels.std().item() == pytest.approx(0.08, rel=0.01)
    assert pixels.mean().item() == pytest.approx(100.5 / 256, abs=0.001)


def test_an_untrained_flow_has_latents_of_mean_0_and_variance_1(digits: Digits) -> None:
    flow = DigitFlow(TINY)
    flow.standardize(digits)
    z = encode(flow, digits, TINY.noise, 0)
    # Scales come from 20 digits per class, whose noise differs from its expectation by some percent.
    assert z.mean().item() == pytest.approx(0, abs=0.05)
    assert z.var().item() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_pixels_that_hardly_change_have_no_tiny_latents(digits: Digits, noise: float) -> None:
    images = digits.images.clone()
    images[:, ::2] = 0
    flow = DigitFlow(replace(TINY, noise=noise))
    flow.standardize(Digits(images, digits.labels))
    blank = encode(flow, Digits(images, digits.labels), noise, 0)
    assert ((blank.std(0) > 0.1) & (blank.std(0) < 2)).all()  # a scale is clamped


def test_training_raises_the_likelihood_of_new_digits(digits: Digits, tmp_path: Path) -> None:
    torch.manual_seed(0)
    flow = DigitFlow(TINY)
    flow.standardize(digits)
    loop = make_trainer(flow, digits, 12, replace(LOOP, batch=40, warmup_steps=1, learning_rate=3e-3))
    (before,) = loop.evaluate()
    assert loop.train(tmp_path / "state.pt")
    assert loop.evaluate()[0] < before - 0.02
    assert loop.history.skipped == 0
    assert [step for step, *_ in loop.history.losses] == list(range(4, 49, 4))  # an epoch: 180 digits in batches of 40


def test_weights_come_back_from_disk(flow: DigitFlow, digits: Digits, tmp_path: Path) -> None:
    path = tmp_path / "cinn.safetensors"
    save_flow(flow, path)
    save_classifier(DigitClassifier(), tmp_path / "classifier.safetensors")
    loaded = load_flow(path)
    assert loaded.config == flow.config
    # float16 keeps 11 bits of each of the parameters.
    assert_close(encode(loaded, digits, 0.0, 0), encode(flow, digits, 0.0, 0), rtol=1e-2, atol=1e-2)
    with pytest.raises(CheckpointError, match="expected"):
        load_classifier(path)


def test_bits_per_dim_of_a_known_density() -> None:
    flow = DigitFlow(TINY)  # the identity, so the density is N(0, 1)
    dark = Digits(torch.zeros(5, PIXELS, dtype=torch.uint8), torch.arange(5))
    # Pixels lie in [0, 1/256), where N(0, 1) hardly falls; the 256 steps of a pixel are 8 bits.
    expected = math.log2(math.sqrt(2 * math.pi)) + 8
    assert bits_per_dim(flow, dark, 0.0, 0) == pytest.approx(expected, abs=1e-4)


def test_latent_statistics_tell_gaussian_latents_from_others() -> None:
    z = torch.randn(4000, 50, generator=generator(1))
    spreads = torch.tensor((2.0, 1.0)).repeat(2000)[:, None]  # half of the digits with twice the spread
    shared = (z + 0.5 * torch.randn(4000, 1, generator=generator(2))) / math.sqrt(1.25)  # correlates all dimensions
    gaussian, heavy, common = (latent_statistics(each) for each in (z, spreads * z, shared))
    # Standard errors with 4,000 digits: variance √(2/4000) = 0.022, kurtosis √(24/4000) = 0.077.
    assert gaussian["variance_p50"] == pytest.approx(1, abs=0.05)
    assert gaussian["excess_kurtosis_p50"] == pytest.approx(0, abs=0.1)
    assert gaussian["latent_norm_std"] == pytest.approx(math.sqrt(1 / 100), rel=0.1)
    assert heavy["excess_kurtosis_p50"] == pytest.approx(3 * 8.5 / 2.5**2 - 3, abs=0.25)
    assert heavy["latent_norm_std"] > 4 * gaussian["latent_norm_std"]
    assert common["correlation"] == pytest.approx(0.2, abs=0.03)
    assert common["largest_eigenvalue"] > 8 * gaussian["largest_eigenvalue"]
    assert common["excess_kurtosis_p50"] == pytest.approx(0, abs=0.1)  # each dimension alone looks Gaussian


def test_a_sample_depends_on_its_own_index_alone(flow: DigitFlow) -> None:
    one, three = sample(flow, 1, 0.8, 5), sample(flow, 3, 0.8, 5)
    assert torch.equal(one.images[0], three.images[0])
    assert torch.equal(three.labels, torch.arange(CLASSES).repeat_interleave(3))
    assert len(three.images.unique(dim=0)) == 30
    assert len(sample(flow, 3, 0.0, 5).images.unique(dim=0)) == CLASSES


def test_recognition_is_counted_by_class(digits: Digits) -> None:
    class Four(DigitClassifier):
        def forward(self, images: Tensor) -> Tensor:
            return torch.eye(CLASSES)[torch.full((len(images),), 4)]

    shares = recognized(Four(), digits)
    assert shares["all"] == pytest.approx(0.1)
    assert [shares[f"class_{label}"] for label in range(CLASSES)] == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]


def test_the_classifier_learns(digits: Digits) -> None:
    many = Digits(digits.images.repeat(3, 1), digits.labels.repeat(3))
    assert recognized(train_classifier(many, epochs=12), digits)["all"] > 0.6


def test_a_figure_of_each_kind(flow: DigitFlow, data: Path) -> None:
    grids = {name: figure(Source(flow, data, 0.8, 0)) for name, figure in FIGURES.items()}
    for name, grid in grids.items():
        rows, columns, pixels = grid.images.shape
        assert (rows, columns, pixels) == (CLASSES, len(grid.columns), PIXELS), name
        assert grid.images.dtype == torch.uint8
    originals, transferred = grids["transfer"].images[:, 0], grids["transfer"].images[:, 1:]
    own = transferred[torch.arange(CLASSES), torch.arange(CLASSES)]
    assert_one_level(own, originals)  # under its own class, a latent decodes to its digit
    assert_one_level(grids["interpolation"].images[:, 0], originals)
    assert len(transferred[0].unique(dim=0)) == CLASSES


def test_commands_from_training_to_figures(data: Path, tmp_path: Path) -> None:
    run(app, "train", "--data", data, "--out", tmp_path, "--epochs", 1, "--blocks", 2, "--width", 8)
    others = ("--data", data, "--out", tmp_path, "--blocks", 3, "--width", 8, "--resume")
    assert "run with the same options" in run(app, "train", *others, status=2).stderr
    run(app, "classifier", "--data", data, "--out", tmp_path / "classifier.safetensors", "--epochs", 1)
    refused = run(app, "classifier", "--data", data, "--out", tmp_path / "cinn.safetensors" / "classifier", status=2)
    assert (refused.stdout, "cinn.safetensors" in refused.stderr) == ("", True)
    weights = ("--weights", tmp_path / "cinn.safetensors")
    for name in FIGURES:
        run(app, "figure", name, "--data", data, *weights, "--out", tmp_path / f"{name}.png")
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.size > (CLASSES * SIDE, CLASSES * SIDE)
    report = tmp_path / "report.json"
    run(
        *(app, "measure", "--data", data, *weights, "--classifier", tmp_path / "classifier.safetensors"),
        *("--per-class", 2, "--temperature", 0.5, "--json", report),
    )
    found = json.loads(report.read_text())
    assert set(found["latents"]) == {"test", "gaussian", "train", "test_without_noise"}
    assert set(found["recognized"]) == {"test", "T=0.5"}
    assert found["bits_per_dim"]["uniform"]["test"] != found["bits_per_dim"]["noise_of_training"]["test"]


@pytest.mark.parametrize(
    "arguments",
    [
        "train --data nowhere",
        "figure samples --weights nowhere",
        "measure --data data --weights nowhere",
        "measure --data data --json nowhere/report.json",
    ],
)
def test_what_is_missing_is_said(arguments: str) -> None:
    assert "nowhere" in run(app, *arguments.split(), status=2).stderr


def test_the_released_weights_draw_digits_that_are_recognized() -> None:
    flow, classifier = load_flow(ROOT / FLOW_FILE), load_classifier(ROOT / CLASSIFIER_FILE)
    # 99% of 10,000 are recognized; of 500 digits, fewer than 97% would be more than four standard errors off.
    assert recognized(classifier, sample(flow, 50, 0.8, 1))["all"] >= 0.97
    z = torch.randn(20, PIXELS, generator=generator())
    labels = torch.arange(CLASSES).repeat(2)
    with torch.inference_mode():
        back, _ = flow(flow.inverse(z, labels)[0], labels)
    assert_close(back, z, rtol=0, atol=1e-2)  # float32 through 40 coupling passes
