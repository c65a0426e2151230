"""Colorings of very many photos, on Ray Data: photos stream past actors that hold the model; needs the extra `ray`.

What is done is seen by its files, so that the same work, begun anew, goes on where it was.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from model.errors import ModelError
from model.protocol import Drawn, DrawTask, SampleOptions
from service.decoders import Decoders
from service.decoding import DecodedPhoto
from service.encoding import OutputFormat, check_output_size, encode
from service.errors import ServiceError
from service.loading import load_colorizer
from service.settings import Settings

__all__ = ["Asked", "Outcome", "Source", "colorize_all", "on_ray", "read_folder", "read_parquet"]

PHOTOS_AT_ONCE = 16
"""Photos of a batch: they share passes through the network, and are held as pixels together."""
SUFFIXES: dict[OutputFormat, str] = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}

Batch = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Asked:
    """What is asked of every photo."""

    n: int
    seed: int
    temperature: float | None
    output_format: OutputFormat
    output_compression: int

    def files(self, target: str) -> list[str]:
        """Return the names of a photo's colorings, below the output folder."""
        return [f"{target}-{self.seed}-{i}{SUFFIXES[self.output_format]}" for i in range(self.n)]


@dataclass(frozen=True)
class Outcome:
    """What became of one photo."""

    photo: str
    files: list[str]
    """below the output folder"""
    bits_per_dim: list[float]
    """of each; none where they were there before"""
    error: str | None = None
    """why there are no files"""


@dataclass(frozen=True)
class Source:
    """Photos to be read, as a Ray Dataset, and how many they are."""

    dataset: Any
    count: int


@contextmanager
def on_ray(address: str, processors: int | None) -> Iterator[None]:
    """Connect to a Ray cluster, or start one on this machine with so many processors if the address is `local`."""
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")  # what it tells of, progress and the report tell better
    import ray

    ray.init(address, num_cpus=processors, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield
    finally:
        ray.shutdown()


def read_folder(photos: Mapping[str, Path]) -> Source:
    """Read files, each for the name that its colorings get; every node must see them under the same path."""
    import ray

    rows = [{"photo": str(path), "target": target} for target, path in photos.items()]
    blocks = -(-len(rows) // PHOTOS_AT_ONCE)
    return Source(ray.data.from_items(rows, override_num_blocks=blocks), len(rows))


def read_parquet(files: list[Path], image: str, name: str) -> Source:
    """Read photos from Parquet files: columns of images, as files' bytes, and of names, which must differ."""
    import ray

    dataset = ray.data.read_parquet([str(file) for file in files], columns=[image, name])
    return Source(dataset.rename_columns({image: "data", name: "photo"}), dataset.count())


def colorize_all(source: Source, asked: Asked, out: Path, actors: int, gpus: float) -> Iterator[Outcome]:
    """Colorize photos by as many actors, each with a processor and a share of a GPU; yield outcomes as they come."""
    import ray

    outcomes = source.dataset.map_batches(
        Painter,
        fn_constructor_args=(asked, str(out.resolve())),
        batch_size=PHOTOS_AT_ONCE,
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=1,
        num_gpus=gpus,
    )
    for row in outcomes.iter_rows():
        yield Outcome(**json.loads(row["outcome"]))


class Painter:
    """Colorizes batches of photos, and writes the colorings. A bad photo is no error, but an outcome."""

    def __init__(self, asked: Asked, out: str) -> None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
        self._asked, self._out = asked, Path(out)
        self._settings = Settings()
        self._colorizer = load_colorizer(self._settings)
        self._decoders = Decoders(self._settings.decode_seconds)

    def __call__(self, batch: Batch) -> Batch:
        """Return a column of outcomes, as JSON. batch: columns `photo`, and `target` or `data`."""
        columns = [batch["photo"], *(batch.get(name, [None] * len(batch["photo"])) for name in ("target", "data"))]
        outcomes: list[Outcome] = []
        waiting: list[tuple[str, str, DecodedPhoto]] = []
        for photo, target, data in zip(*columns, strict=True):
            try:
                place = _below(photo) if target is None else str(target)
                if all((self._out / file).exists() for file in self._asked.files(place)):
                    outcomes.append(Outcome(str(photo), self._asked.files(place), []))
                else:
                    waiting.append((str(photo), place, self._read(str(photo), data)))
            except (ServiceError, OSError, ValueError) as error:
                outcomes.append(Outcome(str(photo), [], [], str(error)))
        outcomes += self._paint(waiting)
        return {"outcome": np.array([json.dumps(asdict(each)) for each in outcomes], dtype=object)}

    def _read(self, photo: str, data: Any) -> DecodedPhoto:
        decoded = self._decoders.decode(
            Path(photo).read_bytes() if data is None else bytes(data), self._settings.max_pixels
        )
        check_output_size(decoded.width, decoded.height, self._asked.output_format)
        return decoded

    def _paint(self, photos: list[tuple[str, str, DecodedPhoto]]) -> Iterator[Outcome]:
        """Draw for all at once, or for each alone where that fails; then write."""
        asked = self._asked
        options = SampleOptions(n=asked.n, seed=asked.seed, temperature=asked.temperature)
        try:
            tasks = [DrawTask(self._colorizer.shrink(decoded.pixels), options) for _, _, decoded in photos]
            drawn = self._colorizer.draw_all(tasks) if tasks else []
        except ModelError as error:
            if len(photos) == 1:
                yield Outcome(photos[0][0], [], [], str(error))
                return
            drawn = None
        if drawn is None:  # the error is gone: it held on to all memory that the failed pass had taken
            for each in photos:
                yield from self._paint([each])
            return
        for (photo, target, decoded), samples in zip(photos, drawn, strict=True):
            try:
                self._write(target, decoded, samples)
                yield Outcome(photo, asked.files(target), list(samples.bits_per_dim))
            except (ModelError, OSError) as error:
                yield Outcome(photo, [], [], str(error))

    def _write(self, target: str, decoded: DecodedPhoto, drawn: Drawn) -> None:
        """Write each file beside its place, and then move it: none is ever there in part."""
        asked = self._asked
        images = self._colorizer.finish(decoded.pixels, drawn)
        for name, finished in zip(asked.files(target), images, strict=True):
            file = self._out / name
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_name(f".{file.name}.part")
            part.write_bytes(encode(finished.image, decoded.alpha, asked.output_format, asked.output_compression))
            part.replace(file)


def _below(name: str) -> str:
    """Return a name that is a path below the output folder. Raises ValueError for one that leads out of it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise ValueError(f"the name {name!r} is no path below a folder")
    return name
