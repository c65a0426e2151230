"""Training on a GPU, as far as this can be tested without one."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.networks import TINY
from tests.pretended_gpu import pretended_gpu
from training.draws import DrawConfig
from training.loop import LoopConfig
from training.run import RunConfig, run, run_scored, run_thin


@pytest.mark.filterwarnings("ignore:.*CUDA is not available")  # of autocast
def test_a_gpu_trains_every_part(few_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.flow.mixture.ROUNDS", 1)  # each round of a search for a draw takes the same steps
    loop = LoopConfig(steps=1, batch=4)
    whole = RunConfig(few_photos, tmp_path / "all", views=1, device="cuda", draws=DrawConfig(tries=2))
    with pretended_gpu(monkeypatch):
        weights = run(whole, TINY, loop)
        again = replace(whole, init=weights, features=tmp_path / "all" / "features")
        late = replace(again, out=tmp_path / "late", parts=("coarsest",))
        assert run(late, None, replace(loop, network_learning_rate=1e-4))
        own = replace(again, out=tmp_path / "own", parts=("distilled",), draws=DrawConfig(own=True, tries=2))
        assert run(own, None, loop)
        thinner = [replace(level, width=3, joint_width=4) for level in TINY.details]
        assert run_thin(replace(again, out=tmp_path / "thin"), thinner, loop)
        assert run_scored(replace(again, out=tmp_path / "scored"), loop)
