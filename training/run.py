"""A training run: condition features, then the parts of the cINN, then one checkpoint."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.device import choose_device
from model.errors import InputError
from model.flow.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.flow.cinn import Cinn
from model.flow.config import CinnConfig, DetailConfig
from training.claim import claim, claim_scales
from training.data import is_tar, photo_files, read_photos
from training.dataset import Batch, FeatureDataset, PhotoDataset, to_device
from training.draws import DrawConfig, DrawnBatch, DrawnDataset, build_draws
from training.features import build_examples, build_features, standardize_network
from training.imagenet import load_imagenet_weights
from training.lock import locked
from training.loop import LoopConfig, Trainer
from training.objectives.coarsest import CoarsestObjective, PriorObjective
from training.objectives.details import DetailsObjective
from training.objectives.distilled import DistilledObjective
from training.objectives.end_to_end import EndToEndObjective
from training.objectives.objective import Objective
from training.objectives.reward import RewardObjective
from training.objectives.scored import ScoredObjective
from training.objectives.thinned import ThinnedObjective
from training.objectives.worn import WornObjective
from training.perception import Perception
from training.processes import Processes, joined
from training.rated import RatedDataset
from training.standardize import standardize
from training.thinning import thin
from training.worn import WornDataset, build_lightness

__all__ = [
    "RunConfig",
    "join",
    "origin",
    "prepare",
    "run",
    "run_end_to_end",
    "run_reward",
    "run_scored",
    "run_thin",
    "run_worn",
]

WEIGHTS_FILE = "cinn.safetensors"
SHARES: Mapping[str, float] = {"coarsest": 0.48, "prior": 0.06, "distilled": 0.06, "details": 0.4}
"""Each part's share of the minutes, in the order of training."""
OBJECTIVES: Mapping[str, Callable[[Cinn], Objective[Batch]]] = {
    "coarsest": CoarsestObjective,
    "prior": PriorObjective,
    "details": DetailsObjective,
}
MODULES: Mapping[str, tuple[str, ...]] = {
    "coarsest": ("coarsest.",),
    "prior": ("prior.",),
    "distilled": ("distilled.",),
    "details": ("decoder.", "details."),
}
"""Prefixes of the names of each part's weights."""
DEFAULT_TEMPERATURE = 0.7
DEFAULT_EXPONENTS = (1.0, 3.0, 0.13, 0.13)
"""Noise at 16² is seen as stains; at 32² and 64² it is the fine grain of color that photos have."""


@dataclass(frozen=True)
class RunConfig:
    """Settings of a run."""

    data: Path
    """a folder of photos or of tar shards, or one shard"""
    out: Path
    parts: tuple[str, ...] = ()
    """any of `SHARES`, one after another; none means all"""
    views: int = 4
    """views of each photo: one whole, the others random crops"""
    held_out: float = 0.02
    """share of photos held out, by which weights are chosen"""
    draws: DrawConfig = field(default_factory=DrawConfig)
    """draws from which the distilled decoder learns"""
    init: Path | None = None
    """weights to start from, in place of h's ImageNet weights and an untrained flow"""
    name: str = "my-colors-1"
    """name of the resulting weights, as the service shows it"""
    device: str = "cpu"
    features: Path | None = None
    """folder of the condition features; None: inside `out`"""


def run(config: RunConfig, model: CinnConfig | None = None, loop: LoopConfig | None = None) -> Path | None:
    """Train and write the checkpoint; return its path, or None if a signal ended the run early.

    Features, draws and the state of every part are stored in `config.out`; a run continues from existing ones.
    Under torchrun, processes share features and batches, and the first writes the results.
    Raises InputError for a part that the network lacks, for leaving out a part whose state is in the folder, and the
    errors of `Checkpoint`; NoPhotosError for data without photos.
    """
    loop = loop or LoopConfig()
    with _begun(config, model) as (source, processes):
        cinn = source.cinn.requires_grad_(True)
        unknown = set(config.parts) - set(SHARES)
        if unknown:
            raise InputError("part", f"some of {list(SHARES)}", sorted(unknown))
        parts = [part for part in SHARES if part in config.parts or not config.parts]
        if config.draws.own and not (config.init and parts == ["distilled"]):
            raise InputError("own_draws", "weights to start from, and no part but distilled", parts)
        if config.draws.keep > config.draws.tries:
            raise InputError("keep", f"at most as many as there are tries, {config.draws.tries}", config.draws.keep)
        if loop.network_learning_rate and (len(parts) != 1 or parts[0] in ("prior", "distilled")):
            # The other parts would be left with features that they have never seen; these see none.
            raise InputError("part", "coarsest or details alone to train together with h", parts)
        left_out = [part for part in SHARES if part not in parts and (config.out / f"{part}.pt").exists()]
        if left_out:  # else the result would hold them untrained
            raise InputError("part", f"{left_out}, too, which {config.out} has the state of, or a new folder", parts)
        _claim_run(config, cinn, processes)
        dataset = prepare(config, cinn, processes)
        total = sum(SHARES[part] for part in parts)
        for part in parts:
            settings = replace(loop, minutes=loop.minutes * SHARES[part] / total)
            state = config.out / f"{part}.pt"
            trainer: Trainer[Any]
            if part == "distilled":
                trainer = _distill(config, cinn, settings, processes, begun=state.exists())
            else:
                trainer = Trainer(cinn.network, OBJECTIVES[part](cinn), dataset, settings, processes)
            if not trainer.train(state):
                return None
        return _write(source, config.out, processes)


@contextmanager
def _begun(
    config: RunConfig, model: CinnConfig | None = None, wanted: str | None = None
) -> Iterator[tuple[Checkpoint, Processes]]:
    """Yield the initial weights, on their device, and the processes that train together.

    wanted: the required `init`, for the InputError without it; None if a run may start untrained, with `model`.
    """
    if wanted and config.init is None:
        raise InputError("init", wanted, None)
    device = choose_device(config.device)
    with joined(device) as processes:
        if config.init:
            source = replace(load_checkpoint(config.init), name=config.name)
        else:
            torch.manual_seed(0)  # else a continued run would have another reward model, and make its draws again
            source = Checkpoint(Cinn(model), config.name, DEFAULT_TEMPERATURE, DEFAULT_EXPONENTS)
        source.cinn.to(device)
        yield source, processes


def _distill(config: RunConfig, cinn: Cinn, loop: LoopConfig, processes: Processes, begun: bool) -> Trainer[DrawnBatch]:
    """Make draws that are not there yet, of whole photos, and return what trains on them.

    begun: whether there is a state to continue from, which replaces any start.
    """
    views_of = _folders(config, _features(config))
    folders = [(views[0], config.out / "draws" / _name(path)) for path, views in views_of]
    for i, (features, out) in processes.divide(list(enumerate(folders))):
        count = build_draws(cinn, features, out, config.draws, seed=i)
        print(f"draws of {out.name}: {count} photos", flush=True)
    objective, dataset = DistilledObjective(cinn), DrawnDataset([out for _, out in folders], config.held_out)
    if not begun:
        device = cinn.chroma_mean.device
        objective.start([to_device(batch, device) for batch in dataset.held_out_batches(loop.batch)])
    return Trainer(None, objective, dataset, loop, processes)


def run_end_to_end(config: RunConfig, loop: LoopConfig) -> Path | None:
    """Train h with level 8² and the finer levels of existing weights; see `run`.

    config: `parts`, `draws` and `features` are ignored. Raises InputError without `init`, and for another run's folder.
    """
    with _begun(config, wanted="weights whose h is trained") as (source, processes):
        cinn = source.cinn.requires_grad_(True)
        _claim_run(config, cinn, processes)
        folders = _build_views(config, config.out / "photos", "lightness", build_examples, processes)
        dataset = PhotoDataset(folders, config.held_out)
        trainer = Trainer(None, EndToEndObjective(cinn), dataset, loop, processes)
        return _train(trainer, config.out / "end-to-end.pt", source)


def run_reward(folders: Sequence[Path], init: Path, out: Path, name: str, loop: LoopConfig) -> Path | None:
    """Train the reward model of existing weights, and write the weights with it; see `run`.

    folders: see `RatedDataset`. Raises the errors of `RatedDataset`, and InputError for another run's folder.
    """
    with joined("cpu") as processes:
        source = replace(load_checkpoint(init), name=name)
        reward = source.cinn.reward.requires_grad_(True)
        dataset = RatedDataset(folders, held_out=0.1)
        claim(processes, out / "run.json", "out", {"data": dataset.digest, "start": _digest(init.read_bytes())})
        trainer = Trainer(None, RewardObjective(reward), dataset, loop, processes)
        return _train(trainer, out / "reward.pt", source)


def run_scored(config: RunConfig, loop: LoopConfig) -> Path | None:
    """Teach the distilled decoder of existing weights by the look of its own draws; see `run`.

    config: `parts` and `draws` are ignored. Raises InputError without `init`, and for another run's folder.
    """
    wanted = "weights with a trained distilled decoder and a trained reward model"
    with _begun(config, wanted=wanted) as (source, processes):
        _claim_run(config, source.cinn, processes)
        dataset = prepare(config, source.cinn, processes)
        trainer = Trainer(None, ScoredObjective(source.cinn, Perception()), dataset, loop, processes)
        return _train(trainer, config.out / "scored.pt", source)


def run_thin(config: RunConfig, details: Sequence[DetailConfig], loop: LoopConfig) -> Path | None:
    """Thin the finer levels of existing weights, and teach them what the wide ones compute; see `run`.

    config: `parts` and `draws` are ignored; `init` has the wide levels. details: see `thin`. Raises InputError without
    `init`, for another run's folder, and the errors of `thin`.
    """
    with _begun(config, wanted="weights with finer levels to thin") as (source, processes):
        wide = source.cinn
        cinn = thin(wide, details).requires_grad_(True).to(wide.chroma_mean.device)
        _claim_run(config, cinn, processes)
        dataset = prepare(config, wide, processes)
        trainer = Trainer(None, ThinnedObjective(cinn, wide), dataset, loop, processes)
        return _train(trainer, config.out / "thinned.pt", replace(source, network=cinn))


def run_worn(config: RunConfig, loop: LoopConfig) -> Path | None:
    """Teach h to see worn photos like others, and write the weights with it; see `run`.

    config: only `data`, `out`, `held_out`, `init`, `name` and `device` are used. Raises InputError without `init`, and
    for another run's folder.
    """
    with _begun(config, wanted="weights with an h to train on wear") as (source, processes):
        _claim_run(config, source.cinn, processes)
        folders = [(path, config.out / "lightness" / _name(path)) for path in _shards(config)]
        for path, folder in processes.divide(folders):
            print(f"lightness of {path.name}: {build_lightness(path, folder)} photos", flush=True)
        dataset = WornDataset([folder for _, folder in folders], config.held_out)
        trainer = Trainer(None, WornObjective(source.cinn), dataset, loop, processes)
        return _train(trainer, config.out / "worn.pt", source)


def _train(trainer: Trainer[Any], state: Path, result: Checkpoint) -> Path | None:
    """Train the parts of the result, and write it next to the state; return its path, or None after a signal."""
    return _write(result, state.parent, trainer.processes) if trainer.train(state) else None


def _write(result: Checkpoint, out: Path, processes: Processes) -> Path:
    """Write a run's weights, in the first process; return their path.

    The others wait: torchrun ends all as soon as one fails, and gloo sometimes fails while Python ends.
    """
    path = out / WEIGHTS_FILE
    if processes.first:
        save_checkpoint(result, path)
    processes.wait()
    return path


def join(
    parts: Mapping[str, Path],
    out: Path,
    name: str | None = None,
    temperature: float | None = None,
    exponents: Sequence[float] = (),
) -> None:
    """Put parts of several checkpoints into one; all else, unless given, comes from the first.

    parts: for each of `SHARES`, the checkpoint with that part. temperature: the recommended one. exponents: γ of
    each level, coarse to fine. Raises InputError for a missing part or exponent, and the errors of `Checkpoint`.
    """
    if set(parts) != set(SHARES):
        raise InputError("part", f"one checkpoint for each of {list(SHARES)}", sorted(parts))
    opened = {path: load_checkpoint(path) for path in {*parts.values()}}
    checkpoints = {part: opened[path] for part, path in parts.items()}
    joined = next(iter(checkpoints.values()))
    weights = joined.cinn.state_dict()
    for part, checkpoint in checkpoints.items():
        others = checkpoint.cinn.state_dict()
        if checkpoint.cinn.config != joined.cinn.config or not _shares_surroundings(weights, others):
            raise InputError("part", "checkpoints with the same numbers, h and a*b* scales", f"others for {part}")
        weights |= {key: value for key, value in others.items() if key.startswith(MODULES[part])}
    of_distilled = checkpoints["distilled"].cinn.state_dict()
    if not all(torch.equal(value, of_distilled[key]) for key, value in weights.items() if key.startswith("coarsest.")):
        raise InputError("part", "a distilled decoder of the same level 8²", f"another for {parts['distilled']}")
    joined.cinn.load_state_dict(weights)
    told = {"name": name, "temperature": temperature, "temperature_exponents": tuple(exponents) or None}
    save_checkpoint(replace(joined, **{key: value for key, value in told.items() if value is not None}), out)  # type: ignore[arg-type]


def _shares_surroundings(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Say whether all but the parts and the reward model is equal, and so are scales shared by level and prior."""
    parts = ("reward.", *(prefix for prefixes in MODULES.values() for prefix in prefixes))
    scales = ("coarsest.mean", "coarsest.std")
    return all(torch.equal(t, other[name]) for name, t in one.items() if name in scales or not name.startswith(parts))


def _claim_run(config: RunConfig, cinn: Cinn, processes: Processes) -> None:
    belongs = origin(config) | {"model": repr(cinn.config), "draws": repr(config.draws)}
    claim(processes, config.out / "run.json", "out", belongs)
    if processes.first:
        processes.kept.enter_context(locked(config.out, "out"))


def origin(config: RunConfig) -> dict[str, str]:
    """Return an identifier of a run's photos and initial weights.

    Raises NoPhotosError for data without photos, so that no folder belongs to a mistyped path.
    """
    next(read_photos(config.data))
    files = [(file.relative_to(config.data).as_posix(), file.stat().st_size) for file in photo_files(config.data)]
    return {
        "data": _digest(repr(files).encode()),
        "start": _digest(config.init.read_bytes()) if config.init else "imagenet",
    }


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def prepare(config: RunConfig, cinn: Cinn, processes: Processes | None = None) -> FeatureDataset:
    """Compute missing condition features and, for a new cINN, the scales that depend on the data.

    Raises InputError for a folder with features of other photos or of another h, or that another run is filling.
    """
    processes = processes or Processes()
    if not config.init:
        load_imagenet_weights(cinn.network)
        standardize_network(cinn.network, _shards(config)[0])
    cinn.network.requires_grad_(False).eval()
    # in the precision in which checkpoints keep them
    weights = b"".join(p.half().cpu().numpy().tobytes() for p in cinn.network.parameters())
    belongs = {"data": origin(config)["data"], "h": _digest(weights)}
    with locked(_features(config), "features") if processes.first else nullcontext():
        claim(processes, _features(config) / "features.json", "features", belongs)
        if processes.first:
            claim_scales(_features(config), cinn.network)
        build = partial(build_features, cinn.network)
        folders = _build_views(config, _features(config), "features", build, processes)
    dataset = FeatureDataset(folders, config.held_out)
    if not config.init:
        standardize(cinn, dataset)
    return dataset


def _features(config: RunConfig) -> Path:
    return config.features or config.out / "features"


def _build_views(
    config: RunConfig, out: Path, what: str, build: Callable[..., int], processes: Processes
) -> list[list[Path]]:
    """Build missing views, and return the folders of each path's views; see `build_features`."""
    paths, folders = (list(each) for each in zip(*_folders(config, out), strict=True))
    work = [(view, i) for view in range(config.views) for i in range(len(paths))]
    for view, i in processes.divide(work):
        count = build(paths[i], folders[i][view], view, seed=i)
        print(f"{what} of {paths[i].name}, view {view + 1} of {config.views}: {count} photos", flush=True)
        if view == 0 and (left_out := _count_files(paths[i]) - count) > 0:
            print(f"{left_out} other files are near-gray or not readable", flush=True)
    return folders


def _count_files(path: Path) -> int:
    """Return the number of files of a folder of photos; 0 if it has tars."""
    files = photo_files(path)
    return 0 if any(map(is_tar, files)) else len(files)


def _folders(config: RunConfig, out: Path) -> list[tuple[Path, list[Path]]]:
    """Return the paths of photos, and the folders of each one's views."""
    views = range(config.views)
    return [(path, [out / f"{_name(path)}-{view}" for view in views]) for path in _shards(config)]


def _name(path: Path) -> str:
    """Return the name of folders made from a data path; those of `..` would be the folders around them."""
    return (path.resolve() if path.name == ".." else path).stem


def _shards(config: RunConfig) -> list[Path]:
    """Return the tars of a data folder that holds nothing else, or the data path itself."""
    files = photo_files(config.data)
    return files if files and all(is_tar(file) and file.parent == config.data for file in files) else [config.data]
