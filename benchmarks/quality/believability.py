"""`python -m benchmarks.quality.believability`: share of colorings that viewers take for true photos, judged blind.

`make` draws shuffled, numbered sheets of single pictures, each photo once. A picture is a true photo, a coloring by one
of the methods, or a rung: true a*b* up to one size, with finer levels drawn. A separate key, which viewers must not
see, lists what each number is. `score` prints each method's shares with bootstrap errors. Compare shares only within a
round, since photos and viewers differ. With `--pair`, viewers see two versions of a photo side by side, and say which
looks more like a true photo: strict and lenient viewers then count alike (two-alternative forced choice, Zhang et al.
2016, arXiv 1603.08511). With `--rotate`, there are as many viewers as methods, and each sees every photo once, by a
different method. So neither easy photos nor lenient viewers favor a method (a Latin square).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.network import decode, load_colorizer
from benchmarks.quality.bootstrap import mean_and_error
from benchmarks.quality.collection import seed_of
from benchmarks.quality.sheets import LARGEST_SIDE, SIDE, Picture, begin, draw_sheets, shrink
from benchmarks.report import progress, show, table
from model.colorizer import CinnColorizer, colorize
from model.drawing.latents import deviations_at, draw_latents
from model.drawing.plans import own_chroma
from model.errors import InputError
from model.options import SampleOptions
from model.pixels.color import photo_to_lightness
from model.pixels.scaling import paint
from training.commands import RELEASED, Device, HeldOutPhotos, errors_printed
from training.data import read_named_photos
from training.rated import KEY_FILE, read_rows

__all__ = ["app", "read_choices", "read_ratings"]

TRUTH = "truth"
COLUMN_NAMES = ("number", "real", "stain", "score")
"""Columns of a ratings file: number of the picture; 1 if taken for a true photo; 1 if stained; score from 1 to 10."""
SIDES = ("left", "right")
PAIR_COLUMNS = ("number", "better")
"""Columns of a ratings file of pairs: number of the pair; the side that looks more like a true photo."""

Painter = Callable[[Picture, int], Picture]
"""Function from a photo and its seed to one picture."""

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command("make")
def make(
    data: HeldOutPhotos,
    out: Annotated[Path, typer.Option(help="Folder of the sheets and the key.")] = Path("out/believability"),
    method: Annotated[
        list[str] | None, typer.Option(help="NAME=WEIGHTS or NAME=WEIGHTS@TEMPERATURE; may be repeated.")
    ] = None,
    rung: Annotated[list[int] | None, typer.Option(help="Largest size with true a*b*, for the first method.")] = None,
    pair: Annotated[
        list[str] | None, typer.Option(help="NAME:NAME, two methods (or truth) to show side by side; may be repeated.")
    ] = None,
    rotate: Annotated[
        bool,
        typer.Option(help="Make sheets for as many viewers as methods; each sees every photo, by a different method."),
    ] = False,
    each: Annotated[
        int, typer.Option(min=1, help="Pictures of each method, each rung and the truth; or of each pair.")
    ] = 30,
    side: Annotated[
        int,
        typer.Option(
            min=64, max=LARGEST_SIDE, help="Longest side of pictures in pixels; viewers are stricter with large ones."
        ),
    ] = SIDE,
    seed: Annotated[int, typer.Option(min=0, help="Seed for drawing and shuffling the photos.")] = 0,
    device: Device = "auto",
) -> None:
    """Draw shuffled, numbered sheets of single pictures, or of pairs, and write the key."""
    with errors_printed():
        painters = _painters(method or [f"released={RELEASED}"], rung or [], device)
        if pair and rotate:
            raise InputError("rotate", "single pictures, not pairs", pair)
        shown = [(name,) for name in painters] if not pair else [_sides(text, painters) for text in pair]
        names = [name for name, _ in read_named_photos(data)]
        wanted = each * len(shown)
        if len(names) < wanted:
            raise InputError("data", f"{wanted} photos, for each is shown once", len(names))
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(names)[:wanted].tolist()
        turns = rng.permutation(wanted) % len(shown)
        plans = [[(name, rng.permutation(shown[turn]).tolist()) for name, turn in zip(chosen, turns, strict=True)]]
        if rotate:
            plans = [
                [(chosen[i], [*shown[(turns[i] + viewer) % len(shown)]]) for i in rng.permutation(wanted)]
                for viewer in range(len(shown))
            ]
        methods_of: dict[str, set[str]] = defaultdict(set)
        for name, methods in chain.from_iterable(plans):
            methods_of[name] |= set(methods)
        begin(out)  # fails early, before anything is drawn
        found = ((name, photo) for name, photo in read_named_photos(data) if name in methods_of)
        pictures = {
            (name, method): painters[method](shrink(photo, side), seed_of(name))
            for name, photo in progress("painting", found, wanted)
            for method in methods_of[name]
        }
        key = []
        for viewer, plan in enumerate(plans, 1):
            cells = []
            for number, (name, methods) in enumerate(plan, 1):
                captions = [f"{number} {half}" for half in SIDES] if pair else [str(number)]
                cells += [(text, pictures[name, method]) for text, method in zip(captions, methods, strict=True)]
                key.append(
                    {"viewer": viewer, "number": number, "photo": name, "method": methods if pair else methods[0]}
                )
            draw_sheets(out / f"viewer-{viewer}" if rotate else out, cells, side, len(SIDES) if pair else 1)
        (out / KEY_FILE).write_text(json.dumps(key, indent=1) + "\n")
    print(f"{out}: sheets for viewers, and key.json for `score`")


@app.command("score")
def score(
    key: Annotated[Path, typer.Option(exists=True, help="The key that `make` wrote.")],
    ratings: Annotated[
        list[Path],
        typer.Argument(
            exists=True, help=f"A CSV per viewer: {', '.join(COLUMN_NAMES)}; for pairs {', '.join(PAIR_COLUMNS)}."
        ),
    ],
) -> None:
    """Print the share of each method's pictures taken for true photos, or how often each of a pair was preferred.

    With sheets from `--rotate`, give the viewers' files in the order of their folders.
    """
    keys: dict[int, dict[int, Any]] = defaultdict(dict)
    with errors_printed():
        try:
            for entry in json.loads(key.read_text()):
                keys[entry["viewer"]][entry["number"]] = entry
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("key", "the key that `make` wrote", str(key)) from error
        if len(keys) not in (1, len(ratings)):
            raise InputError("ratings", f"{len(keys)} files, one for each viewer's sheets", len(ratings))
        seen = [keys[viewer if len(keys) > 1 else 1] for viewer in range(1, len(ratings) + 1)]
        if isinstance(seen[0][1]["method"], str):
            rows = _shares(seen, [read_ratings(path, methods) for path, methods in zip(ratings, seen, strict=True)])
        else:
            methods = {number: entry["method"] for number, entry in seen[0].items()}
            rows = _contests(methods, [read_choices(path, methods) for path in ratings])
    show([table("", list(rows))])


def read_ratings(path: Path, methods: Mapping[int, Any]) -> dict[int, tuple[float, ...]]:
    """Read one viewer's ratings: number to (real, stain, score).

    Raises InputError for missing columns or numbers, and for values out of range.
    """
    found = {number: tuple(map(_number, cells)) for number, cells in _read(path, COLUMN_NAMES, methods).items()}
    for number, (real, stain, points) in found.items():
        if real not in (0, 1) or stain not in (0, 1) or not 1 <= points <= 10:
            raise InputError("ratings", "real and stain 0 or 1, score 1 to 10", f"others for number {number}")
    return found


def read_choices(path: Path, methods: Mapping[int, Sequence[str]]) -> dict[int, str]:
    """Read one viewer's choices: for every pair, the method that looks more like a true photo.

    Raises InputError for missing columns or numbers, and for sides that are neither left nor right.
    """
    found = {number: cells[0].strip().lower() for number, cells in _read(path, PAIR_COLUMNS, methods).items()}
    wrong = [number for number, side in found.items() if side not in SIDES]
    if wrong:
        raise InputError("ratings", "better left or right", f"number {wrong[0]}")
    return {number: methods[number][SIDES.index(side)] for number, side in found.items()}


def _read(path: Path, columns: Sequence[str], methods: Mapping[int, Any]) -> dict[int, list[str]]:
    """Read a CSV whose first column holds numbers; return the other cells of each."""
    rows = read_rows(path)
    if rows and not set(columns) <= rows[0].keys():
        raise InputError("ratings", f"a CSV with columns {', '.join(columns)}", [*rows[0]])
    found = [(_number(row[columns[0]]), [row[name] or "" for name in columns[1:]]) for row in rows]
    counts = Counter(number for number, _ in found)
    counts.subtract([*methods])
    wrong = sorted(number for number, count in counts.items() if count)
    if wrong:
        raise InputError("ratings", f"every number of the key once in {path}", wrong)
    return {int(number): cells for number, cells in found}


def _number(text: str | None, name: str = "ratings") -> float:
    try:
        return float(text or "")
    except ValueError as error:
        raise InputError(name, "numbers", text) from error


def _contests(methods: Mapping[int, Sequence[str]], rated: Sequence[Mapping[int, str]]) -> Iterator[dict[str, object]]:
    """Yield each pair, its number of photos, and the percentage on which its first method (by name) was chosen."""
    numbers = defaultdict(list)
    for number, pair in methods.items():
        numbers[tuple(sorted(pair))].append(number)
    for pair, of_pair in sorted(numbers.items()):
        chosen = 100 * np.array([[viewer[number] == pair[0] for number in of_pair] for viewer in rated]).mean(0)
        yield {"pair": " : ".join(pair), "photos": len(of_pair), "first chosen %": mean_and_error(chosen)}


def _shares(
    seen: Sequence[Mapping[int, Any]], rated: Sequence[Mapping[int, tuple[float, ...]]]
) -> Iterator[dict[str, object]]:
    """Yield each method with its number of photos, shares in percent, mean score, and difference from the first method.

    The difference is paired by photo, and left out where the two methods have different photos.
    """
    values: dict[str, dict[str, list[tuple[float, ...]]]] = defaultdict(lambda: defaultdict(list))
    for entries, ratings in zip(seen, rated, strict=True):
        for number, entry in entries.items():
            values[entry["method"]][entry["photo"]].append(ratings[number])
    means = {
        method: {photo: np.mean(found, 0) * (100, 100, 1) for photo, found in photos.items()}
        for method, photos in sorted(values.items())
    }
    first = next(iter(means.values()))
    for method, photos in means.items():
        columns = zip(("real %", "stained %", "score 1–10"), np.array([*photos.values()]).T, strict=True)
        row = {"method": method, "photos": len(photos)} | {name: mean_and_error(column) for name, column in columns}
        if photos is not first and set(photos) == set(first):
            row["real %, less the first's"] = mean_and_error([photos[photo][0] - first[photo][0] for photo in photos])
        yield row


def _painters(methods: Sequence[str], rungs: Sequence[int], device: str) -> dict[str, Painter]:
    painters: dict[str, Painter] = {TRUTH: lambda photo, seed: photo}
    colorizers = list[CinnColorizer]()
    for text in methods:
        name, _, rest = text.partition("=")
        weights, _, temperature = rest.partition("@")
        if not name or not weights or name in painters:
            raise InputError("method", "NAME=WEIGHTS or NAME=WEIGHTS@TEMPERATURE, each name once", text)
        warmth = _number(temperature, "method") if temperature else None
        colorizers.append(load_colorizer(Path(weights), device))
        painters[name] = _drawn(colorizers[-1], warmth)
    for size in rungs:
        sizes = colorizers[0].checkpoint.config.sizes
        if size not in sizes:
            raise InputError("rung", f"one of {sizes}", size)
        painters[f"truth up to {size}²"] = _rung(colorizers[0], size)
    return painters


def _sides(text: str, painters: Mapping[str, Painter]) -> tuple[str, ...]:
    """Return the two methods of a pair."""
    names = tuple(text.split(":"))
    if len(names) != 2 or names[0] == names[1] or not set(names) <= set(painters):
        raise InputError("pair", f"NAME:NAME, two of {', '.join(painters)}", text)
    return names


def _drawn(colorizer: CinnColorizer, temperature: float | None) -> Painter:
    return lambda photo, seed: colorize(colorizer, photo, SampleOptions(1, seed, temperature)).images[0]


def _rung(colorizer: CinnColorizer, size: int) -> Painter:
    """Return a painter that keeps a photo's true latents up to a size, and draws those of finer levels."""
    checkpoint, passes = colorizer.checkpoint, colorizer.passes
    sizes, dims = checkpoint.config.sizes, checkpoint.config.dims

    def draw(photo: Picture, seed: int) -> Picture:
        small = colorizer.shrink(photo, with_chroma=True)
        (condition,) = passes.condition([small.lightness])
        true = passes.encode(own_chroma(small), condition).latents
        deviations = deviations_at(checkpoint.temperature, checkpoint.temperature_exponents, small.longest)
        drawn = draw_latents(dims, deviations, seed, [0])
        latents = [t if s <= size else d for t, d, s in zip(true, drawn, sizes, strict=True)]
        return paint(decode(passes, condition, latents).chroma, photo_to_lightness(photo), small.frame)[0]

    return draw


if __name__ == "__main__":
    app()
