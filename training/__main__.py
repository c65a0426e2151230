"""`python -m training`: train on your own photos, and join separately trained parts."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from model.errors import InputError
from model.flow.cell_order import CALM_TEMPERATURE, DISTILLED_TEMPERATURE
from model.flow.config import CinnConfig
from training.average import average
from training.commands import Device, Features, Init, Photos, Resume, Views, errors_printed, refuse_used, tell
from training.draws import DrawConfig
from training.loop import LoopConfig
from training.run import SHARES, RunConfig, join, run, run_end_to_end, run_reward, run_scored, run_thin, run_worn
from training.teacher import TRIES

Part = Annotated[list[str] | None, typer.Option(help=f"Any of {', '.join(SHARES)}; repeatable; default: all.")]
Name = Annotated[str, typer.Option(help="Name of the resulting weights, as the service shows it.")]
Rate = Annotated[float, typer.Option(min=0, help="Highest rate of AdamW.")]
Minutes = Annotated[float, typer.Option(min=0, help="Training time, without preparation.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the photos' order and of all random draws.")]
Start = Annotated[Path, typer.Option(exists=True, help="Weights to go on from.")]
RunFolder = Annotated[Path, typer.Option(help="Folder of the run's state and of the checkpoint.")]
Out = Annotated[Path, typer.Option(help="The checkpoint to write.")]
NEW_RATES, TRAINED_RATES = (1e-3, 2e-3), (1e-4, 0.0)
"""Highest rates of AdamW and Muon for untrained weights, and for trained ones"""
SCORED = LoopConfig(batch=32, matrix_learning_rate=0, hold=0.4, ema_decay=0.98, warmup_steps=20)
THIN = LoopConfig(batch=16, matrix_learning_rate=0, clip=5.0, hold=0.4, ema_decay=0.997)
END_TO_END = LoopConfig(batch=64, matrix_learning_rate=0, hold=0.5, ema_decay=0.998)
WORN = LoopConfig(batch=32, matrix_learning_rate=0, hold=0.3, ema_decay=0.998)

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command("run")
def run_command(
    data: Photos,
    out: RunFolder = Path("runs/train"),
    minutes: Annotated[float, typer.Option(min=0, help="Training time for all parts, without the features.")] = 120,
    part: Part = None,
    views: Views = 4,
    init: Init = None,
    name: Name = RunConfig.name,
    device: Device = "auto",
    resume: Resume = False,
    features: Features = None,
    own_draws: Annotated[
        bool,
        typer.Option(
            "--own-draws", help="Teach the distilled decoder by the best of its own draws, once these are good."
        ),
    ] = False,
    tries: Annotated[int, typer.Option(min=1, help="Draws of each photo, of which the best teach it.")] = TRIES,
    keep: Annotated[int, typer.Option(min=1, help="Number of these that teach: the best, and others that differ.")] = 1,
    nearness: Annotated[
        float,
        typer.Option(
            min=0, help="Cost of a draw that looks different from the true colors; 0.004 weighs as much as the reward."
        ),
    ] = 0.0,
    draw_temperature: Annotated[
        float, typer.Option(min=CALM_TEMPERATURE, max=0.95, help="Temperature of these draws.")
    ] = DISTILLED_TEMPERATURE,
    learning_rate: Annotated[
        float | None,
        typer.Option(min=0, help=f"Highest rate of AdamW; {NEW_RATES[0]:g}, {TRAINED_RATES[0]:g} with --init."),
    ] = None,
    matrix_learning_rate: Annotated[
        float | None,
        typer.Option(
            min=0, help=f"The same of Muon, which trains matrices; {NEW_RATES[1]:g}; 0, with --init: AdamW does."
        ),
    ] = None,
    network_learning_rate: Annotated[
        float, typer.Option(min=0, help="Rate of h's late stages, which train with the one part named; 0: frozen.")
    ] = 0.0,
    seed: Seed = 0,
) -> None:
    """Train the cINN: part after part, or those that --part names."""
    draws = DrawConfig(own=own_draws, tries=tries, keep=keep, nearness=nearness, temperature=draw_temperature)
    config = RunConfig(
        data, out, tuple(part or ()), views, draws=draws, init=init, name=name, device=device, features=features
    )
    usual, usual_of_muon = TRAINED_RATES if init else NEW_RATES
    loop = LoopConfig(
        minutes,
        learning_rate=usual if learning_rate is None else learning_rate,
        matrix_learning_rate=usual_of_muon if matrix_learning_rate is None else matrix_learning_rate,
        network_learning_rate=network_learning_rate,
        seed=seed,
    )
    _start(run, SHARES, resume, config, loop=loop)


@app.command("end-to-end")
def end_to_end_command(
    data: Photos,
    init: Start,
    out: RunFolder = Path("runs/end-to-end"),
    minutes: Minutes = 60,
    views: Views = 1,
    name: Name = RunConfig.name,
    device: Device = "auto",
    resume: Resume = False,
    learning_rate: Rate = 5e-4,
    seed: Seed = 0,
) -> None:
    """Train all of h, level 8² and the finer levels together, from the photos themselves."""
    config = RunConfig(data, out, views=views, init=init, name=name, device=device)
    loop = replace(END_TO_END, minutes=minutes, learning_rate=learning_rate, seed=seed)
    _start(run_end_to_end, ["end-to-end"], resume, config, loop=loop)


@app.command("reward")
def reward_command(
    data: Annotated[
        list[Path],
        typer.Option(exists=True, help="A folder of rated draws: draws.npz, key.json, ratings-1.csv …; repeatable."),
    ],
    init: Annotated[Path, typer.Option(exists=True, help="Weights that made the draws; their reward model goes on.")],
    out: RunFolder = Path("runs/reward"),
    steps: Annotated[int, typer.Option(min=0, help="Steps of 16 photos.")] = 1350,
    learning_rate: Rate = 1e-3,
    name: Name = RunConfig.name,
    seed: Seed = 0,
) -> None:
    """Train the reward model, which chooses among draws, on people's ratings of draws of the same photo."""
    loop = LoopConfig(
        steps=steps, batch=16, learning_rate=learning_rate, hold=0.0, ema_decay=0.99, checkpoint_steps=150, seed=seed
    )
    with errors_printed("train"):
        path = run_reward(data, init, out, name, loop)
    tell(path, out, "the same command and")


@app.command("scored")
def scored_command(
    data: Photos,
    init: Start,
    out: RunFolder = Path("runs/scored"),
    minutes: Minutes = 20,
    views: Views = 1,
    name: Name = RunConfig.name,
    device: Device = "auto",
    resume: Resume = False,
    features: Features = None,
    learning_rate: Rate = 4e-5,
    seed: Seed = 0,
) -> None:
    """Teach the distilled decoder by comparing its own draws with the true colors, and by the reward model."""
    config = RunConfig(data, out, views=views, init=init, name=name, device=device, features=features)
    loop = replace(SCORED, minutes=minutes, learning_rate=learning_rate, seed=seed)
    _start(run_scored, ["scored"], resume, config, loop=loop)


@app.command("thin")
def thin_command(
    data: Photos,
    init: Start,
    out: RunFolder = Path("runs/thin"),
    minutes: Minutes = 30,
    views: Views = 4,
    name: Name = RunConfig.name,
    device: Device = "auto",
    resume: Resume = False,
    features: Features = None,
    learning_rate: Rate = 1.5e-3,
    seed: Seed = 0,
) -> None:
    """Prune wider finer levels to the released widths, and teach them what the wide ones compute."""
    config = RunConfig(data, out, views=views, init=init, name=name, device=device, features=features)
    loop = replace(THIN, minutes=minutes, learning_rate=learning_rate, seed=seed)
    _start(run_thin, ["thinned"], resume, config, details=CinnConfig().details, loop=loop)


@app.command("worn")
def worn_command(
    data: Photos,
    init: Start,
    out: RunFolder = Path("runs/worn"),
    minutes: Minutes = 60,
    name: Name = RunConfig.name,
    device: Device = "auto",
    resume: Resume = False,
    learning_rate: Rate = 3e-4,
    seed: Seed = 0,
) -> None:
    """Teach h to see faded, blurred, grainy and scratched photos like good ones."""
    config = RunConfig(data, out, init=init, name=name, device=device)
    loop = replace(WORN, minutes=minutes, learning_rate=learning_rate, seed=seed)
    _start(run_worn, ["worn"], resume, config, loop=loop)


def _start(
    train: Callable[..., Path | None], states: Iterable[str], resume: bool, config: RunConfig, **given: object
) -> None:
    """Train in a folder without these states, unless continuing from them; print the path of the weights."""
    refuse_used(config.out, states, resume)
    with errors_printed("train"):
        path = train(config, **given)
    tell(path, config.out)


@app.command("join")
def join_command(
    part: Annotated[list[str], typer.Option(help="PART=WEIGHTS: weights to take a part from; once per part.")],
    out: Out,
    name: Annotated[str | None, typer.Option(help="Name of the weights, as the service shows it.")] = None,
    temperature: Annotated[float | None, typer.Option(help="The service's default temperature.")] = None,
    exponent: Annotated[
        list[float] | None,
        typer.Option(help="γ of each level, coarse to fine; in photos from 600 pixels, 0.84 at least."),
    ] = None,
) -> None:
    """Put parts from separate runs into one checkpoint.

    The first part's weights supply every number that is not given.
    """
    pairs = [each.partition("=") for each in part]
    with errors_printed():
        if not all(file for _, _, file in pairs):
            raise InputError("part", "PART=WEIGHTS", part)
        join({key: Path(file) for key, _, file in pairs}, out, name, temperature, exponent or ())
    print(f"weights: {out}")


@app.command("average")
def average_command(
    weights: Annotated[list[Path], typer.Argument(exists=True, help="Results of runs that started alike.")], out: Out
) -> None:
    """Write the mean of several weights from one training."""
    with errors_printed():
        average(weights, out)
    print(f"weights: {out}")


if __name__ == "__main__":
    app()
