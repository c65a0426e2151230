"""Forms of answers: JSON, events, a zip, or the bare image, chosen by parameters and Accept header."""

import base64
import re
import zipfile
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from model.options import Options
from service.api.formats import FORMATS, OutputFormat
from service.api.parameters import Parameters
from service.api.schemas import ColorizationDone, ColorizationFacts, Timings
from service.errors import NotAcceptableError
from service.http.events import EVENTS, Stream, write_event
from service.pipeline import Colorization, Sample

__all__ = ["Form", "answer", "choose_form", "seeds"]

JSON = "application/json"
ZIP = "application/zip"
MAX_ACCEPT_LENGTH = 4096
"""Maximum length of Accept. Browsers send about 150 characters; parsing 64 KiB of commas takes 50 ms."""
QVALUE = re.compile(r"0?\.\d+|0\.?|1(\.0*)?")
"""a quality as in RFC 9110, or with over three decimals, or without its 0, as Java sends .2"""
PIECE_BYTES = 3 * 2**18
"""Bytes encoded as base64 at a time: a multiple of three, so that the pieces can be joined."""
Runner = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Form:
    """Form of an answer: the body's media type, and the format of the images."""

    media_type: str
    output_format: OutputFormat


def choose_form(accept: str, parameters: Parameters, samples: int) -> Form:
    """Choose the form that the Accept header prefers among those that the parameters allow.

    accept: all lines of the header, joined; "" without the header.

    An explicit `response_format` allows only itself: a zip, or base64, which JSON and events have. Else all forms are
    allowed; for one coloring also the bare image, as JPEG, PNG or WebP unless `output_format` is explicit.
    If Accept allows none of these, but does allow a bare image, and `n` is left out, the answer is one image.
    Raises NotAcceptableError if no form is acceptable.
    """
    offers = _offers(parameters, samples)
    accept = accept or "*/*"
    if len(accept) > MAX_ACCEPT_LENGTH:
        raise NotAcceptableError(f"Accept: expected at most {MAX_ACCEPT_LENGTH} characters, got {len(accept)}")
    ranges = _parse_accept(accept)
    liked = [(_preference(form.media_type, ranges), form) for form in offers]
    (quality, _), best = max(liked, key=lambda each: each[0])  # max takes the first of equals
    if quality > 0:
        return best
    if samples > 1 and "n" in type(parameters).model_fields.keys() - parameters.model_fields_set:
        return choose_form(accept, parameters, samples=1)
    types = ", ".join(form.media_type for form in offers)
    helps = "n" in type(parameters).model_fields and any(
        _preference(form.media_type, ranges)[0] > 0 for form in _offers(parameters, samples=1)
    )
    hint = "; a bare image needs n=1" if helps else ""
    raise NotAcceptableError(f"Accept: with these parameters the answer can be {types}{hint}")


def _offers(parameters: Parameters, samples: int) -> list[Form]:
    chosen = parameters.output_format
    base64_forms, archive = [Form(JSON, chosen), Form(EVENTS, chosen)], Form(ZIP, chosen)
    if "response_format" in parameters.model_fields_set:
        return [archive] if parameters.response_format == "zip" else base64_forms
    formats: list[OutputFormat] = [chosen] if "output_format" in parameters.model_fields_set else list(FORMATS)
    images = [Form(FORMATS[each].media_type, each) for each in formats] if samples == 1 else []
    return [*base64_forms, archive, *images]


def _parse_accept(accept: str) -> dict[str, float]:
    """Return each media range's quality (RFC 9110, 12.5.1); a malformed quality counts as 0."""
    ranges = {}
    for part in accept.split(","):
        name, *attributes = (piece.strip().lower() for piece in part.split(";"))
        quality = next((each[2:] for each in attributes if each.startswith("q=")), "1")
        ranges[name] = float(quality) if QVALUE.fullmatch(quality) else 0.0
    return ranges


def _preference(media_type: str, ranges: dict[str, float]) -> tuple[float, int]:
    """Return (quality, specificity) of the most specific range that covers the type."""
    kind = media_type.partition("/")[0]
    for specificity, name in ((2, media_type), (1, f"{kind}/*"), (0, "*/*")):
        if name in ranges:
            return ranges[name], specificity
    return 0.0, 0


async def answer(colorization: Colorization, form: Form, stream: Stream, run: Runner) -> None:
    """Send the colorings in this form, each as soon as it is made.

    run: runs a function off the event loop, since base64 and zips take time.
    The status 200 is sent only once the first is made.
    """
    async with aclosing(colorization.samples) as samples:
        if form.media_type == EVENTS:
            async for sample in samples:
                await stream.emit(await run(_write, sample, b"event: coloring\ndata: ", b"\n\n"))
            done = ColorizationDone(**dict(colorization.facts), timings=Timings(**colorization.timings))
            await stream.emit(await run(write_event, "done", done), last=True)
        elif form.media_type in (JSON, ZIP):
            first = await anext(samples)
            writer = (_JsonWriter if form.media_type == JSON else _ZipWriter)(colorization)
            stream.open(form.media_type, _headers(colorization, form))
            await stream.emit(await run(writer.add, first))
            async for sample in samples:
                await stream.emit(await run(writer.add, sample))
            await stream.emit(await run(writer.end))
        else:
            (sample,) = [each async for each in samples]
            distances = {"Tintflow-Delta-E": _delta_e(sample)} if sample.coloring.hints else {}
            colors = {"Tintflow-At": _new_colors(sample)} if sample.coloring.at else {}
            length = {"Content-Length": str(len(sample.data))}
            stream.open(form.media_type, _headers(colorization, form) | distances | colors | length)
            await stream.emit(sample.data)
    await stream.sent()


def _headers(colorization: Colorization, form: Form) -> dict[str, str]:
    """Return each step's time and, except for JSON, the facts of a JSON body; values of samples are comma-separated."""
    steps = colorization.timings.items()
    headers = {"Server-Timing": ", ".join(f"{step};dur={1000 * seconds:.1f}" for step, seconds in steps)}
    if form.media_type == JSON:
        return headers
    facts, drawn = colorization.facts, colorization.drawn
    headers |= {
        "Tintflow-Id": facts.id,
        "Tintflow-Model": facts.model,
        "Tintflow-Model-Sha256": facts.model_sha256 or "",
        "Tintflow-Temperature": str(facts.temperature),
        "Tintflow-Index": ", ".join(map(str, drawn.indices)),
        "Tintflow-Bits-Per-Dim": ", ".join(map(str, drawn.bits_per_dim)),
        "Tintflow-Latent-Norm": ", ".join(map(str, drawn.latent_norms)),
    }
    return headers | seeds(facts)


def seeds(known: Options | ColorizationFacts) -> dict[str, str]:
    """Return the headers of the seeds, which events have, too: a stream that is cut off can be asked for again."""
    noise_seed = getattr(known, "noise_seed", None)
    noise = {} if noise_seed is None else {"Tintflow-Noise-Seed": str(noise_seed)}
    return {"Tintflow-Seed": str(known.seed)} | noise


def _delta_e(sample: Sample) -> str:
    """Say how far a sample missed each hint."""
    return " ".join(f"{hint.delta_e:.2f}" for hint in sample.coloring.hints or ())


def _new_colors(sample: Sample) -> str:
    """Name the new colors of the points that were to get others."""
    return " ".join(sample.coloring.at or ())


class _JsonWriter:
    """The parts of a ColorizationResponse, in the order of its fields."""

    def __init__(self, colorization: Colorization) -> None:
        self._timings = colorization.timings
        facts = colorization.facts.model_dump_json(exclude_none=True)
        self._before = facts[:-1].encode() + b',"data":['

    def add(self, sample: Sample) -> bytes:
        """Return the part with this sample, preceded by the facts if it is the first."""
        before, self._before = self._before, b","
        return _write(sample, before)

    def end(self) -> bytes:
        return b'],"timings":' + Timings(**self._timings).model_dump_json().encode() + b"}"


class _ZipWriter:
    """The parts of a zip; together, the same bytes as a zip written at once."""

    def __init__(self, colorization: Colorization) -> None:
        self._suffix = colorization.output_format
        self._window = _Window()
        self._archive = zipfile.ZipFile(self._window, "w", zipfile.ZIP_STORED)  # images are already compressed

    def add(self, sample: Sample) -> bytes:
        # ZipInfo without a date, so that the same images are the same bytes
        member = zipfile.ZipInfo(f"{sample.coloring.index}.{self._suffix}")
        member.comment = f"{_delta_e(sample)} {_new_colors(sample)}".strip().encode()
        self._archive.writestr(member, sample.data)
        return self._window.take()

    def end(self) -> bytes:
        self._archive.close()
        return self._window.take()


class _Window(BytesIO):
    """A file that forgets all bytes before the last `take`; zipfile seeks only within its last member."""

    def __init__(self) -> None:
        super().__init__()
        self._gone = 0

    def tell(self) -> int:
        return self._gone + super().tell()

    def seek(self, position: int, whence: int = 0) -> int:
        return self._gone + super().seek(position - self._gone if whence == 0 else position, whence)

    def take(self) -> bytes:
        """Return the bytes written since the last call, and forget them."""
        written = self.getvalue()
        self._gone += len(written)
        super().seek(0)
        self.truncate()
        return written


def _write(sample: Sample, before: bytes, after: bytes = b"") -> bytes:
    """Write a sample as JSON between other bytes; base64 in pieces, so that no other thread waits for long."""
    head, tail = sample.coloring.model_dump_json(exclude_none=True).encode().split(b'""', 1)
    data = memoryview(sample.data)
    pieces = (base64.b64encode(data[start : start + PIECE_BYTES]) for start in range(0, len(data), PIECE_BYTES))
    return b"".join((before, head, b'"', *pieces, b'"', tail, after))
