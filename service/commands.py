"""Commands that colorize files in this process: the same words as the HTTP interface."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from model.errors import ModelError
from model.protocol import (
    Colorings,
    Colorizer,
    InterpolationOptions,
    LatentName,
    SampleOptions,
    TransferOptions,
    VariationOptions,
)
from service.decoding import DecodedPhoto, decode
from service.encoding import check_output_size, encode
from service.errors import ServiceError
from service.parameters import MAX_CANDIDATES, MAX_SAMPLES, MAX_SEED, MAX_STEPS, random_seed
from service.settings import Settings

__all__ = ["add_commands"]

QUALITY = 90

PhotoFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The photo.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the colorings.")]
Number = Annotated[int, typer.Option("-n", min=1, max=MAX_SAMPLES, help="How many colorings.")]
Temperature = Annotated[
    float | None, typer.Option("--temperature", "-t", min=0, max=2, help="Default: what the model card recommends.")
]
Seed = Annotated[int | None, typer.Option(min=0, max=MAX_SEED, help="Default: random, and shown.")]
OriginalSeed = Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of the coloring that you liked.")]
Index = Annotated[int, typer.Option(min=0, max=MAX_CANDIDATES - 1, help="Of the coloring that you liked.")]


def add_commands(app: typer.Typer, load: Callable[[Settings], Colorizer]) -> None:
    """Add the commands to a command line; `load` gives the model."""

    def run(photo: Path, out: Path, seed: int, make: Callable[[Colorizer, DecodedPhoto], Colorings]) -> None:
        settings = Settings()
        with _errors_in_words():
            decoded = decode(photo.read_bytes(), settings.max_pixels)
            height, width = decoded.pixels.shape[:2]
            check_output_size(width, height, "png")
            colorings = make(load(settings), decoded)
        out.mkdir(parents=True, exist_ok=True)
        table = Table("file", "index", "bits/dim", title=f"seed {seed}, temperature {colorings.temperature:g}")
        for index, image, bits in zip(colorings.indices, colorings.images, colorings.bits_per_dim, strict=True):
            file = out / f"{photo.stem}-{seed}-{index}.png"
            file.write_bytes(encode(image, decoded.alpha, "png", QUALITY))
            table.add_row(str(file), str(index), f"{bits:.3f}")
        Console().print(table)

    @app.command()
    def colorize(
        photo: PhotoFile, out: Out = Path("out"), n: Number = 4, temperature: Temperature = None, seed: Seed = None
    ) -> None:
        """Draw colorings of a photo."""
        drawn = random_seed() if seed is None else seed
        run(photo, out, drawn, lambda model, p: model.colorize(p.pixels, SampleOptions(n, drawn, temperature)))

    @app.command()
    def variations(
        photo: PhotoFile,
        seed: OriginalSeed,
        index: Index,
        strength: Annotated[float, typer.Option(min=0, max=1, help="0: the same coloring; 1: independent ones.")] = 0.3,
        out: Out = Path("out"),
        n: Number = 4,
        temperature: Temperature = None,
        noise_seed: Seed = None,
    ) -> None:
        """Draw more like one coloring, made with this seed, index and temperature."""
        noise = random_seed() if noise_seed is None else noise_seed
        options = VariationOptions(n, LatentName(seed, index), strength, noise, temperature=temperature)
        run(photo, out, noise, lambda model, p: model.vary(p.pixels, options))

    @app.command()
    def transfer(
        photo: PhotoFile,
        reference: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A colour photo.")],
        out: Out = Path("out"),
        n: Number = 4,
        temperature: Temperature = None,
        seed: Seed = None,
    ) -> None:
        """Give a photo the colours of another."""
        drawn = random_seed() if seed is None else seed
        options = TransferOptions(n, drawn, temperature=temperature)

        def make(model: Colorizer, p: DecodedPhoto) -> Colorings:
            colours = decode(reference.read_bytes(), Settings().max_pixels, "reference").pixels
            return model.transfer(p.pixels, colours, options)

        run(photo, out, drawn, make)

    @app.command()
    def interpolations(
        photo: PhotoFile,
        seed: OriginalSeed,
        index: Index,
        end_index: Annotated[
            int, typer.Option(min=0, max=MAX_CANDIDATES - 1, help="Of the coloring at the other end.")
        ],
        steps: Annotated[int, typer.Option(min=2, max=MAX_STEPS, help="Colorings, both ends included.")] = 5,
        out: Out = Path("out"),
        temperature: Temperature = None,
    ) -> None:
        """Go from one coloring of a seed to another."""
        start, end = LatentName(seed, index), LatentName(seed, end_index)
        options = InterpolationOptions(steps, start, end, temperature=temperature)
        run(photo, out, seed, lambda model, p: model.interpolate(p.pixels, options))

    @app.command()
    def likelihood(photo: PhotoFile) -> None:
        """Say how plausible a photo's own colours are, in bits per dimension."""
        settings = Settings()
        with _errors_in_words():
            found = load(settings).likelihood(decode(photo.read_bytes(), settings.max_pixels).pixels)
        table = Table("level", "dims", "bits/dim", title=f"{found.bits_per_dim:.3f} bits/dim")
        for level in found.levels:
            table.add_row(f"{level.size}²", str(level.dims), f"{level.bits_per_dim:.3f}")
        Console().print(table)


@contextmanager
def _errors_in_words() -> Iterator[None]:
    """End the command with one line and status 2 on what a user can mend."""
    try:
        yield
    except (ModelError, ServiceError, FileNotFoundError) as error:
        Console(stderr=True).print(str(error))
        raise typer.Exit(2) from error
