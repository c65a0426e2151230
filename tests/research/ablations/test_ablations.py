"""Ablations: training, measurements, and a single difference from the variant that each is compared with."""

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from model.flow.condition import ConditionNetwork
from research.ablations import __main__ as command
from research.ablations import study as ablations
from research.ablations.__main__ import main
from research.ablations.study import Row, StudyConfig, figure, study
from research.ablations.variants import CHAIN, VARIANTS, WHOLE
from research.couplings.chain import ChainConfig
from research.couplings.cinn import CouplingCinn, CouplingConfig
from research.couplings.level import LevelConfig
from tests.programs import run
from training.dataset import FeatureDataset
from training.imagenet import load_imagenet_weights
from training.loop import LoopConfig

TINY_CHAIN = ChainConfig(
    blocks=(1, 1, 1, 1), widths=(4, 4, 6, 6), head_widths=(4, 6, 6, 8), dense_blocks=1, dense_width=8
)
TINY_FLOW = CouplingConfig(
    tuple(LevelConfig(size, 2, 8, head_width=8, head_blocks=1, joint_blocks=1) for size in (8, 16, 32, 64))
)
QUICK = ("h trained too", "one chain, reshape")


@pytest.fixture
def config(subsets: Path, tmp_path: Path) -> StudyConfig:
    loop = LoopConfig(batch=8, warmup_steps=1, steps=2)
    return StudyConfig(subsets / "pets", tmp_path / "out", 0.01, flow=TINY_FLOW, chain=TINY_CHAIN, loop=loop)


def rows_of(config: StudyConfig, made_up: Path, names: Sequence[str]) -> dict[str, Row]:
    network = ConditionNetwork()
    load_imagenet_weights(network)
    return dict(study(config, network, FeatureDataset([[made_up]], held_out=0.2), names))


def check(rows: dict[str, Row], names: Sequence[str]) -> None:
    assert list(rows) == list(names)
    for row in rows.values():
        assert row["skipped_steps"] == row["failed"] == 0
        assert row["samples"] > 0
        assert all(math.isfinite(row[name]) for name in ablations.COLUMNS)


def states(config: StudyConfig) -> dict[Path, int]:
    """Return the time at which each state was written."""
    return {file: file.stat().st_mtime_ns for file in config.out.rglob("*.pt")}


def test_variants_are_trained_and_measured_once_for_the_same_photos(config: StudyConfig, made_up: Path) -> None:
    rows = rows_of(config, made_up, QUICK)
    check(rows, QUICK)
    assert rows["one chain, reshape"]["against"] == CHAIN
    with_h = torch.load(config.out / "h-trained-too" / "level-8-16.pt", weights_only=True)["trained"]
    untrained = ConditionNetwork()
    load_imagenet_weights(untrained)
    assert not torch.equal(with_h["network.top.weight"], untrained.top.weight)
    before = states(config)
    assert rows_of(config, made_up, QUICK) == rows
    assert states(config) == before
    elsewhere = replace(config, photos=config.photos.parent / "people", measured_on="others")
    measured = rows_of(elsewhere, made_up, QUICK[1:])[QUICK[1]]
    assert measured["colorfulness_share"] != rows[QUICK[1]]["colorfulness_share"]
    assert states(config) == before
    others = replace(config, trained_on={"data": "others"})
    rows_of(others, made_up, QUICK[1:])
    anew = states(config)
    assert {file.parent.name for file in anew if anew[file] != before[file]} == {"one-chain-reshape"}
    rows_of(others, made_up, QUICK[1:])
    assert states(config) == anew


@pytest.mark.slow
def test_every_variant(config: StudyConfig, made_up: Path) -> None:
    check(rows_of(config, made_up, list(VARIANTS)), list(VARIANTS))


def test_variants_differ_from_what_they_are_compared_with() -> None:
    flow, chain = CouplingConfig(), ChainConfig()
    for name, variant in VARIANTS.items():
        base = VARIANTS[variant.against]
        same_training = (variant.loop, variant.noise) == (base.loop, base.noise)
        same = variant.model(flow, chain) == base.model(flow, chain) and same_training
        assert same == (name == WHOLE)
    changed = VARIANTS["permutations"].model(flow, chain)
    back = (replace(level, mixing="orthogonal") for level in changed.levels if isinstance(level, LevelConfig))
    assert replace(changed, levels=tuple(back)) == flow


def test_samples_that_overflow_are_counted(config: StudyConfig) -> None:
    cinn = CouplingCinn(TINY_FLOW)
    cinn.chroma_std.fill_(math.inf)
    row = ablations._measure(cinn, config)
    assert row["failed"] == 1
    assert "best_of_8_pixel" not in row
    figure({WHOLE: row, QUICK[0]: row}, config.out / "it.png")
    with Image.open(config.out / "it.png") as image:
        assert image.width > 1000


def test_one_command(
    subsets: Path, made_up: Path, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {WHOLE: {"standard_errors": {"variance": 0.5}, "variance": 3.0}}
    monkeypatch.setattr(command, "study", lambda *_: iter(rows.items()))
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "shard-0").symlink_to(made_up)
    shutil.copy(subsets / "pets" / "0.png", tmp_path / "shard.png")  # its features exist already
    words = ("--data", tmp_path / "shard.png", "--features", tmp_path / "features", "--views", 1)
    words += ("--photos", subsets, "--init", tiny_weights, "--out", tmp_path / "out")
    shown = run(main, *words).stdout
    assert "3 ± 0.5" in shown
    assert "stopped; run the same command again to continue" in shown  # only one variant was trained
    assert json.loads((tmp_path / "out" / "ablations.json").read_text()) == rows
    assert (tmp_path / "out" / "ablations.png").exists()
    (tmp_path / "empty").mkdir()
    for options, said in ((("--variant", "no flow"), "no flow"), (("--photos", tmp_path / "empty"), "empty")):
        assert said in run(main, *words, *options, status=2).stderr
