"""Two processes that train together give the result of one with the joint batch."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from model.errors import InputError
from model.flow.cinn import Cinn
from tests.networks import TINY
from training.dataset import FeatureDataset
from training.loop import LoopConfig, Trainer
from training.objectives.coarsest import CoarsestObjective
from training.processes import Processes, Share

STEPS = Path(__file__).with_name("steps.py")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}


def test_shares_are_the_joint_batch(made_up: Path) -> None:
    dataset = FeatureDataset([[made_up, made_up]], held_out=0.2)
    joint, *shares = (
        next(dataset.batches(6, np.random.default_rng(3), share)) for share in (Share(), Share(0, 2), Share(1, 2))
    )
    for i, share in enumerate(shares):
        assert_close(share.chroma, joint.chroma[i::2], rtol=0, atol=0)


def test_every_process_needs_a_photo(made_up: Path) -> None:
    dataset, cinn = FeatureDataset([[made_up]], held_out=0.2), Cinn(TINY)
    with pytest.raises(InputError, match="data: expected a photo for each of 80 processes"):
        Trainer(cinn.network, CoarsestObjective(cinn), dataset, LoopConfig(), Processes(Share(0, 80)))


@pytest.mark.slow  # torch is imported three times
def test_two_processes_have_the_losses_of_one_with_the_joint_batch(made_up: Path, tmp_path: Path) -> None:
    for name, start in (("one", ()), ("two", TORCHRUN)):
        (tmp_path / name).mkdir()
        command = [sys.executable, *start, str(STEPS), str(made_up), str(tmp_path / name)]
        subprocess.run(command, check=True, env=ENVIRONMENT)  # noqa: S603
    for part in ("coarsest", "details"):
        one, two = (
            torch.load(tmp_path / name / f"{part}.pt", weights_only=True)["history"]["losses"]
            for name in ("one", "two")
        )
        # losses are near 2; sums have another order, and networks are in bfloat16
        assert_close(two, one, rtol=0, atol=5e-3)
        assert one[0][2][0] - one[4][2][0] > 0.1  # training changes the compared losses


@pytest.mark.slow
def test_torchrun_trains_and_one_process_writes(photos: Path, tmp_path: Path) -> None:
    command = [sys.executable, *TORCHRUN, "-m", "training", "run", "--data", photos, "--out", tmp_path / "run"]
    options = ("--minutes", "0.1", "--views", "2", "--part", "coarsest")
    done = subprocess.run(  # noqa: S603
        [*map(str, command), *options], capture_output=True, text=True, check=False, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("training 8² from step 0") == 1
    assert done.stdout.count("features of") == 2  # each process computed one of two views
    assert (tmp_path / "run" / "cinn.safetensors").exists()
    state = torch.load(tmp_path / "run" / "coarsest.pt", weights_only=True)
    assert state["history"]["step"] > 0
