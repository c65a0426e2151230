"""A training run: condition features, then the levels, then one checkpoint."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from model.device import choose_device
from model.errors import InputError
from model.flow.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.flow.cinn import Cinn, CinnConfig
from training.dataset import FeatureDataset
from training.features import build_features, standardize_network
from training.imagenet import load_imagenet_weights
from training.loop import LoopConfig, Trainer
from training.processes import Processes, joined
from training.standardize import standardize

__all__ = ["WEIGHTS_FILE", "RunConfig", "join", "origin", "prepare", "run"]

WEIGHTS_FILE = "cinn.safetensors"
SHARES: Mapping[int, float] = {8: 0.27, 16: 0.26, 32: 0.23, 64: 0.24}
"""Each level's share of the minutes. Coarse levels decide coherence, and see several times more samples for theirs."""
WEIGHT_DECAYS: Mapping[int, float] = {8: 0.1}
"""Where a level's weight decay is not LoopConfig's: the coarsest overfits first."""
DEFAULT_TEMPERATURE = 0.95
DEFAULT_EXPONENTS = (0.5, 2.0, 4.0, 6.0)


@dataclass(frozen=True)
class RunConfig:
    """What a run is told."""

    data: Path
    """a folder of photos or of tar shards, or one shard"""
    out: Path
    minutes: float
    levels: tuple[int, ...] = ()
    """sizes of the levels to train together, on the same batches; none means every level, one after another"""
    views: int = 4
    """of each photo: one whole, the others random crops"""
    held_out: float = 0.02
    """share of the photos that is kept back to choose by"""
    init: Path | None = None
    """weights to start from, in place of h's ImageNet weights and an untrained flow"""
    name: str = "my-colors-1"
    """of what comes out, as the service shows it"""
    device: str = "cpu"
    features: Path | None = None
    """where condition features lie; below `out` unless given"""


def run(config: RunConfig, model: CinnConfig | None = None, loop: LoopConfig | None = None) -> Path | None:
    """Train and write the checkpoint; return its path, or None if a signal ended the run early.

    Condition features and the state of every level lie below `config.out`; a run goes on from those that it finds.
    Started by torchrun, its processes share features and batches, and the first writes what comes out.
    Raises InputError for a level that the network does not have, NoPhotosError for data without photos.
    """
    device = choose_device(config.device)
    with joined(device) as processes:
        return _run(config, model, loop or LoopConfig(), device, processes)


def _run(
    config: RunConfig, model: CinnConfig | None, loop: LoopConfig, device: str, processes: Processes
) -> Path | None:
    source = load_checkpoint(config.init) if config.init else _new(model)
    cinn = source.cinn.requires_grad_(True).to(device)
    sizes = [level.size for level in cinn.config.levels]
    unknown = set(config.levels) - set(sizes)
    if unknown:
        raise InputError("level", f"some of {sizes}", sorted(unknown))
    if loop.network_learning_rate and not config.levels:
        # Levels that do not train with h would be left with features that they have never seen.
        raise InputError("level", "the levels to train together with h", "none")
    if processes.first:
        config.out.mkdir(parents=True, exist_ok=True)
        _claim(config, cinn)
    dataset = prepare(config, cinn, processes)
    turns: Sequence[tuple[int, ...]] = [config.levels] if config.levels else [(size,) for size in sizes]
    total = sum(SHARES[size] for turn in turns for size in turn)
    for turn in turns:
        minutes = config.minutes * sum(SHARES[size] for size in turn) / total
        decay = max(WEIGHT_DECAYS.get(size, loop.weight_decay) for size in turn)
        settings = replace(loop, minutes=minutes, weight_decay=decay)
        trainer = Trainer(cinn, sorted(sizes.index(size) for size in turn), dataset, settings, processes)
        if not trainer.train(config.out / f"level-{'-'.join(str(size) for size in turn)}.pt"):
            return None
    path = config.out / WEIGHTS_FILE
    if processes.first:
        save_checkpoint(replace(source, cinn=cinn, name=config.name), path)
    return path


def join(
    levels: Mapping[int, Path],
    out: Path,
    name: str | None = None,
    temperature: float | None = None,
    exponents: Sequence[float] = (),
) -> None:
    """Put levels of several checkpoints into one; what is not a level, and what is not given, comes from the first.

    levels: for each size, the checkpoint to take that level from. temperature: the one to recommend. exponents: γ of
    each level, coarse to fine. Raises InputError if a size or an exponent is missing.
    """
    checkpoints = {size: load_checkpoint(path) for size, path in levels.items()}
    joined = next(iter(checkpoints.values()))
    sizes = [level.size for level in joined.cinn.config.levels]
    if sorted(levels) != sizes:
        raise InputError("level", f"one checkpoint for each of {sizes}", sorted(levels))
    configs = []
    for i, size in enumerate(sizes):
        cinn = checkpoints[size].cinn
        if not _shares_surroundings(joined.cinn, cinn):
            raise InputError("level", "checkpoints with the same h and a*b* scales", f"others at {size}²")
        joined.cinn.levels[i] = cinn.levels[i]  # type: ignore[index]
        configs.append(cinn.config.levels[i])
    joined.cinn.config = replace(joined.cinn.config, levels=tuple(configs))
    if exponents and len(exponents) != len(sizes):
        raise InputError("exponent", f"one for each of {sizes}", list(exponents))
    told = {"name": name, "temperature": temperature, "temperature_exponents": tuple(exponents) or None}
    save_checkpoint(replace(joined, **{key: value for key, value in told.items() if value is not None}), out)  # type: ignore[arg-type]


def _new(model: CinnConfig | None) -> Checkpoint:
    cinn = Cinn(model)
    return Checkpoint(cinn, "", DEFAULT_TEMPERATURE, DEFAULT_EXPONENTS[: len(cinn.levels)])


def _shares_surroundings(one: Cinn, other: Cinn) -> bool:
    """Whether everything but the levels is the same."""
    others = other.state_dict()
    return all(torch.equal(t, others[name]) for name, t in one.state_dict().items() if not name.startswith("levels."))


def _claim(config: RunConfig, cinn: Cinn) -> None:
    """Write down what a run folder belongs to, so that features and states are not reused for anything else."""
    belongs = origin(config) | {"model": repr(cinn.config)}
    claim = config.out / "run.json"
    if claim.exists() and json.loads(claim.read_text()) != belongs:
        raise InputError("out", "a new folder, or the data and weights that this one was begun with", str(config.out))
    claim.write_text(json.dumps(belongs))


def origin(config: RunConfig) -> dict[str, str]:
    """Return what tells the photos and the weights that a run starts from, from others."""
    files = [config.data] if config.data.is_file() else sorted(p for p in config.data.rglob("*") if p.is_file())
    return {
        "data": hashlib.sha256(repr([(str(p), p.stat().st_size) for p in files]).encode()).hexdigest(),
        "start": hashlib.sha256(config.init.read_bytes()).hexdigest() if config.init else "imagenet",
    }


def prepare(config: RunConfig, cinn: Cinn, processes: Processes | None = None) -> FeatureDataset:
    """Compute condition features that are not there yet and, for a new cINN, the scales that depend on the data."""
    processes = processes or Processes()
    shards = sorted(config.data.glob("*.tar")) if config.data.is_dir() else []
    paths = shards or [config.data]
    if not config.init:
        load_imagenet_weights(cinn.network)
        standardize_network(cinn.network, paths[0])
    cinn.network.requires_grad_(False).eval()
    root = config.features or config.out / "features"
    folders = [[root / f"{path.stem}-{view}" for view in range(config.views)] for path in paths]
    work = [(view, i) for view in range(config.views) for i in range(len(paths))]
    processes.wait()  # until the first has seen that the folder may be used
    for view, i in work[processes.share.rows]:
        count = build_features(cinn.network, paths[i], folders[i][view], view, seed=i)
        print(f"features of {paths[i].name}, view {view + 1} of {config.views}: {count} photos", flush=True)
    processes.wait()
    dataset = FeatureDataset(folders, config.held_out)
    if not config.init:
        standardize(cinn, dataset)
    return dataset
