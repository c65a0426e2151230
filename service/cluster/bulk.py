"""Colorings of very many photos, on Ray Data: photos stream past actors that hold the model; needs the extra `ray`.

Finished photos are recognized by their files, so that repeating the work resumes it.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import structlog
from numpy.typing import NDArray

from model.errors import ModelError
from model.options import SampleOptions
from model.protocol import Drawn, DrawTask
from service.api.formats import FORMATS, OutputFormat
from service.client.file_names import coloring_stem
from service.client.found import Trouble
from service.client.whole_file import whole_file
from service.codecs.decoded_photo import DecodedPhoto
from service.codecs.encoding import check_output_size, encode
from service.codecs.sandbox import Decoders
from service.errors import ServiceError
from service.loading import load_colorizer
from service.provenance import provenance
from service.settings import Settings

__all__ = ["Asked", "Outcome", "Source", "colorize_all", "count_rows", "on_ray", "read_folder", "read_parquet"]

PHOTOS_AT_ONCE = 16
"""Photos in a batch, which share passes through the network."""
PIXELS_AT_ONCE = 50_000_000
"""Photos with so many pixels together are finished before another is decoded."""
Batch = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Asked:
    """The request made for every photo."""

    n: int
    seed: int
    temperature: float | None
    output_format: OutputFormat
    output_compression: int
    output_max_side: int | None = None

    def files(self, target: str) -> list[str]:
        """Return the names of a photo's colorings, below the output folder."""
        folders, slash, name = target.rpartition("/")
        stem = f"{folders}{slash}{coloring_stem(name, str(self.seed))}"
        return [f"{stem}-{i}{FORMATS[self.output_format].suffix}" for i in range(self.n)]


@dataclass(frozen=True)
class Outcome:
    """The result for one photo."""

    photo: str
    files: list[str]
    """paths below the output folder"""
    bits_per_dim: list[float]
    """bits per dimension of each coloring; empty if the files existed before"""
    error: str | None = None
    """reason why there are no files"""


@dataclass(frozen=True)
class Source:
    """Photos to be read, as a Ray Dataset, and their number."""

    dataset: Any
    count: int
    columns: tuple[str, str] | None = None
    """columns of images and names; None if photos are files, in columns `photo` and `target`"""


@contextmanager
def on_ray(address: str, processors: int | None) -> Iterator[None]:
    """Connect to a Ray cluster; address `local` starts one on this machine, with this number of processors."""
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")  # progress and the report say it better
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports the machine to its makers
    import ray

    ray.init(address, num_cpus=processors, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield
    finally:
        ray.shutdown()


def read_folder(photos: Mapping[str, Path]) -> Source:
    """Read files by the name of their colorings. Every node must see them under the same path."""
    import ray

    # as bytes: a Unix file name need not be text
    rows = [{"photo": os.fsencode(path), "target": os.fsencode(target)} for target, path in photos.items()]
    blocks = -(-len(rows) // PHOTOS_AT_ONCE)
    return Source(ray.data.from_items(rows, override_num_blocks=blocks), len(rows))


def count_rows(file: Path, *columns: str) -> int:
    """Return the number of rows that a Parquet file declares.

    Raises ValueError or OSError for a broken one, and for one without these columns.
    """
    from pyarrow import parquet

    metadata = parquet.read_metadata(file)
    held = metadata.schema.to_arrow_schema().names
    for column in columns:
        if column not in held:
            raise ValueError(f"expected a column {column!r}, got {', '.join(map(repr, held))}")
    return int(metadata.num_rows)


def read_parquet(files: Mapping[Path, int], image: str, name: str) -> Source:
    """Read photos from Parquet files with these numbers of rows: a column of images, and one of unique names."""
    import ray

    # the newer reader lists files by a task with a processor of its own; but the actors may have them all, and would
    # wait for it for ever
    ray.data.DataContext.get_current().use_datasource_v2 = False
    paths = [str(file) for file in files]
    dataset = ray.data.read_parquet(paths, columns=[image, name], file_extensions=None, num_cpus=0)
    return Source(dataset, sum(files.values()), (image, name))


def colorize_all(source: Source, asked: Asked, out: Path, actors: int, gpus: float) -> Iterator[Outcome]:
    """Colorize photos on actors, each with a processor and a share of a GPU; yield outcomes as they come."""
    import ray

    outcomes = source.dataset.map_batches(
        Painter,
        fn_constructor_args=(asked, str(out.resolve()), source.columns),
        batch_size=PHOTOS_AT_ONCE,
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=1,
        num_gpus=gpus,
    )
    for row in outcomes.iter_rows():
        yield Outcome(**json.loads(row["outcome"]))


class _Decoded(NamedTuple):
    """A photo to be colorized."""

    photo: str
    target: str
    decoded: DecodedPhoto
    fitted: DecodedPhoto
    """shrunk to the size of its colorings"""


class Painter:
    """Colorizes batches of photos and writes the colorings. A bad photo gives an outcome, not an error."""

    def __init__(self, asked: Asked, out: str, columns: tuple[str, str] | None = None) -> None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        self._asked, self._out, self._columns = asked, Path(out), columns
        self._settings = Settings()
        self._colorizer = load_colorizer(self._settings)
        self._decoders = Decoders(self._settings.decode_seconds)

    def __call__(self, batch: Batch) -> Batch:
        """Return a column of outcomes, as JSON."""
        image, name = self._columns or ("photo", "target")
        outcomes: list[Outcome] = []
        waiting: list[_Decoded] = []
        for given, data in zip(batch[name], batch[image], strict=True):
            target = _text(given)
            photo = target if self._columns else _text(data)
            try:
                place = _below(target)
                if all((self._out / file).exists() for file in self._asked.files(place)):
                    outcomes.append(Outcome(photo, self._asked.files(place), []))
                    continue
                content = _bytes(data) if self._columns else Path(photo).read_bytes()
                decoded = self._decoders.decode(content, self._settings.max_pixels)
                most = self._asked.output_max_side
                fitted = decoded if most is None else decoded.fitted(most)
                check_output_size(fitted.width, fitted.height, self._asked.output_format)
                waiting.append(_Decoded(photo, place, decoded, fitted))
            except (ServiceError, OSError, ValueError) as error:
                outcomes.append(Outcome(photo, [], [], Trouble.of(photo, error).reason))
            if sum(each.decoded.width * each.decoded.height for each in waiting) >= PIXELS_AT_ONCE:
                outcomes += self._paint(waiting)
                waiting.clear()
        outcomes += self._paint(waiting)
        return {"outcome": np.array([json.dumps(asdict(each)) for each in outcomes], dtype=object)}

    def _paint(self, photos: list[_Decoded]) -> Iterator[Outcome]:
        """Draw all photos at once, or each alone if that fails; then write."""
        asked = self._asked
        options = SampleOptions(n=asked.n, seed=asked.seed, temperature=asked.temperature)
        try:
            tasks = [DrawTask(self._colorizer.shrink(each.decoded.pixels), options) for each in photos]
            drawn = self._colorizer.draw_all(tasks) if tasks else []
        except ModelError as error:
            if len(photos) == 1:
                yield Outcome(photos[0].photo, [], [], str(error))
                return
            drawn = None
        if drawn is None:  # the error is gone by now; it held all memory of the failed pass
            for each in photos:
                yield from self._paint([each])
            return
        for each, samples in zip(photos, drawn, strict=True):
            try:
                self._write(each.target, each.fitted, samples, options)
                yield Outcome(each.photo, asked.files(each.target), list(samples.bits_per_dim))
            except (ModelError, ServiceError, OSError, ValueError) as error:
                yield Outcome(each.photo, [], [], Trouble.of(each.photo, error).reason)

    def _write(self, target: str, fitted: DecodedPhoto, drawn: Drawn, options: SampleOptions) -> None:
        """Write the files of a photo's colorings. Raises ModelError, ServiceError and OSError."""
        asked = self._asked
        images = self._colorizer.finish(fitted.pixels, drawn)
        for name, index, finished in zip(asked.files(target), drawn.indices, images, strict=True):
            xmp = provenance(options, drawn.temperature, index, self._colorizer.info)
            file = self._out / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(file) as part:
                part.write_bytes(
                    encode(finished.image, fitted.alpha, asked.output_format, asked.output_compression, xmp)
                )


def _bytes(image: Any) -> bytes:
    """Return the bytes of an image in a table: plain, or in a struct as in Hugging Face's data sets."""
    found = image.get("bytes") if isinstance(image, dict) else image
    if not isinstance(found, bytes):
        raise ValueError(f"expected the bytes of an image, got {type(found).__name__}")
    return found


def _text(name: Any) -> str:
    """Return a name, which may be bytes, a number or missing."""
    return "" if name is None else os.fsdecode(name) if isinstance(name, bytes) else str(name)


def _below(name: str) -> str:
    """Return a name that is a path below the output folder. Raises ValueError for any other."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.name or "\0" in name:
        raise ValueError(f"the name {name!r} is not a relative path below a folder")
    return name
