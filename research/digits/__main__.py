"""`python -m research.digits`: a cINN on MNIST, its training, the paper's figures, and measurements."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.report import JsonFile, show, table, write_json
from research.digits.checkpoint import load_classifier, load_flow, save_classifier, save_flow
from research.digits.classifier import train_classifier
from research.digits.digits import read_digits
from research.digits.figures import FIGURES, Source, write_grid
from research.digits.flow import DigitFlow, DigitFlowConfig
from research.digits.measure import measure, recognized
from research.digits.train import EPOCHS, LOOP, make_trainer
from training.commands import Resume, errors_printed, refuse_used, tell

FLOW_FILE = Path("weights/mnist/cinn.safetensors")
CLASSIFIER_FILE = Path("weights/mnist/classifier.safetensors")
PICTURES = Path("docs/pictures")
FigureName = StrEnum("FigureName", {name: name for name in FIGURES})  # type: ignore[misc] # named by the table

Data = Annotated[Path, typer.Option(help="Folder of MNIST's four IDX files, plain or .gz.")]
Weights = Annotated[Path, typer.Option(help="The cINN's weights.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all random draws.")]
Temperatures = Annotated[list[float], typer.Option(min=0, max=2, help="Temperature of judged digits; repeatable.")]

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command("train")
def train_command(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of the state and the weights.")] = Path("runs/mnist"),
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the digits.")] = EPOCHS,
    blocks: Annotated[int, typer.Option(min=1, help="Coupling blocks.")] = DigitFlowConfig.blocks,
    width: Annotated[int, typer.Option(min=1, help="Of each subnet.")] = DigitFlowConfig.width,
    noise: Annotated[float, typer.Option(min=0, help="Standard deviation on [0, 1].")] = DigitFlowConfig.noise,
    seed: Seed = 0,
    resume: Resume = False,
) -> None:
    """Train the cINN."""
    refuse_used(out, ["state"], resume)
    with errors_printed():
        digits = read_digits(data, "train")
        torch.manual_seed(seed)  # layers take no generator
        flow = DigitFlow(DigitFlowConfig(blocks, width, noise, seed))
        flow.standardize(digits)
        out.mkdir(parents=True, exist_ok=True)
        path = out / FLOW_FILE.name
        done = make_trainer(flow, digits, epochs, replace(LOOP, seed=seed)).train(out / "state.pt")
        if done:
            save_flow(flow, path)
    tell(path if done else None, out)


@app.command("classifier")
def classifier_command(
    data: Data,
    out: Annotated[Path, typer.Option(help="File of the classifier's weights.")] = CLASSIFIER_FILE,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the digits.")] = 6,
    seed: Seed = 0,
) -> None:
    """Train the classifier that judges generated digits; it learns from real digits only."""
    with errors_printed():
        digits, test = read_digits(data, "train"), read_digits(data, "t10k")
        out.parent.mkdir(parents=True, exist_ok=True)  # fails early, before training
        classifier = train_classifier(digits, epochs, seed)
        save_classifier(classifier, out)
    print(f"recognizes {recognized(classifier, test)['all']:.2%} of the test digits; weights: {out}")


@app.command("figure")
def figure_command(
    name: Annotated[FigureName, typer.Argument(help="Name of a figure of the paper.")],
    data: Annotated[Path, typer.Option(help="MNIST's IDX files, for the figures of test digits.")] = Path("mnist"),
    weights: Weights = FLOW_FILE,
    out: Annotated[Path | None, typer.Option(help="PNG to write; default docs/pictures/mnist-NAME.png.")] = None,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="Of samples.")] = 0.8,
    seed: Seed = 0,
) -> None:
    """Draw a figure."""
    path = out or PICTURES / f"mnist-{name}.png"
    with errors_printed():
        write_grid(FIGURES[name](Source(load_flow(weights), data, temperature, seed)), path)
    print(path)


@app.command("measure")
def measure_command(
    data: Data,
    weights: Weights = FLOW_FILE,
    classifier: Annotated[Path, typer.Option(help="The classifier's weights.")] = CLASSIFIER_FILE,
    temperature: Temperatures = [1.0, 0.8],  # noqa: B006 (typer copies it)
    per_class: Annotated[int, typer.Option(min=1, help="Number of generated digits per class.")] = 1000,
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Measure likelihood and latents of the test digits, and the recognition of generated digits."""
    with errors_printed():
        flow, judge = load_flow(weights), load_classifier(classifier)
        train, test = read_digits(data, "train"), read_digits(data, "t10k")
    report = measure(flow, judge, train, test, temperature, per_class, seed)
    for title, columns in report.items():
        names = next(iter(columns.values()))
        rows = [{title: name} | {kind: figures[name] for kind, figures in columns.items()} for name in names]
        show([table("", rows)], json_file)
    write_json(report, json_file)


if __name__ == "__main__":
    app()
