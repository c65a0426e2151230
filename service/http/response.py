"""The answer's form: JSON, events, a zip, or the bare image; parameters and Accept header choose it together."""

import base64
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from fastapi import Response

from model.protocol import HintMatch
from service.api.formats import FORMATS, OutputFormat
from service.api.parameters import Parameters
from service.api.schemas import Coloring, ColorizationDone, ColorizationResponse, HintReport, Timings
from service.errors import NotAcceptableError
from service.pipeline import Colorization, Sample

__all__ = ["EVENTS", "Form", "choose_form", "coloring", "done", "render"]

JSON = "application/json"
EVENTS = "text/event-stream"
ZIP = "application/zip"
STAGES = ("decode", "condition", "sample", "upsample", "encode")


@dataclass(frozen=True)
class Form:
    """How to answer: the body's media type, and the format of the images, in it or as it."""

    media_type: str
    output_format: OutputFormat

    @property
    def is_image(self) -> bool:
        """Whether the body is one bare image."""
        return self.media_type.startswith("image/")


def choose_form(accept: str | None, parameters: Parameters, samples: int) -> Form:
    """Choose the form that the Accept header likes best among those that the parameters leave open.

    An explicit `response_format` leaves only itself open: a zip, or base64, which JSON and events have. Else all forms
    are, for one coloring also the bare image, as JPEG, PNG or WebP unless `output_format` is explicit.
    If none of these is acceptable, but a bare image is and `n` is left out, the answer is one image: a default yields.
    Raises NotAcceptableError if none is acceptable.
    """
    offers = _offers(parameters, samples)
    ranges = _parse_accept(accept or "*/*")
    liked = [(_preference(form.media_type, ranges), form) for form in offers]
    (quality, _), best = max(liked, key=lambda each: each[0])  # of equals, max takes the first
    if quality > 0:
        return best
    if samples > 1 and "n" in type(parameters).model_fields.keys() - parameters.model_fields_set:
        return choose_form(accept, parameters, samples=1)
    types = ", ".join(form.media_type for form in offers)
    hint = "" if samples == 1 else "; a bare image needs n=1"
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
    """Return each media range's quality (RFC 9110, 12.5.1); a broken quality counts as 0."""
    ranges = {}
    for part in accept.split(","):
        name, *attributes = (piece.strip().lower() for piece in part.split(";"))
        quality = next((each[2:] for each in attributes if each.startswith("q=")), "1")
        try:
            ranges[name] = min(max(float(quality), 0.0), 1.0)
        except ValueError:
            ranges[name] = 0.0
    return ranges


def _preference(media_type: str, ranges: dict[str, float]) -> tuple[float, int]:
    """Return (quality, specificity) of the most specific range that covers the type."""
    kind = media_type.partition("/")[0]
    for specificity, name in ((2, media_type), (1, f"{kind}/*"), (0, "*/*")):
        if name in ranges:
            return ranges[name], specificity
    return 0.0, 0


def render(colorization: Colorization, samples: Sequence[Sample], form: Form) -> Response:
    """Build the answer. Takes time for base64 and the zip: not for the event loop."""
    headers = {"Server-Timing": _server_timing(colorization.timings), "Vary": "Accept"}
    if form.media_type == JSON:
        body = _json(colorization, samples)
    else:
        body = _zip(colorization, samples) if form.media_type == ZIP else samples[0].data
        headers |= _facts(colorization, samples)
    return Response(body, media_type=form.media_type, headers=headers)


def _facts(colorization: Colorization, samples: Sequence[Sample]) -> dict[str, str]:
    """Return in headers what JSON says in its body; what belongs to a sample, comma-separated in their order."""
    facts = {
        "Tintflow-Id": colorization.id,
        "Tintflow-Model": colorization.model,
        "Tintflow-Seed": str(colorization.seed),
        "Tintflow-Temperature": str(colorization.temperature),
        "Tintflow-Index": ", ".join(str(sample.index) for sample in samples),
        "Tintflow-Bits-Per-Dim": ", ".join(str(sample.bits_per_dim) for sample in samples),
        "Tintflow-Latent-Norm": ", ".join(str(sample.latent_norm) for sample in samples),
    }
    if colorization.noise_seed is not None:
        facts["Tintflow-Noise-Seed"] = str(colorization.noise_seed)
    if samples[0].hints:
        distances = (" ".join(f"{hint.delta_e:.2f}" for hint in sample.hints) for sample in samples)
        facts["Tintflow-Delta-E"] = ", ".join(distances)
    return facts


def _server_timing(timings: dict[str, float]) -> str:
    return ", ".join(f"{stage};dur={1000 * seconds:.1f}" for stage, seconds in timings.items())


def _json(colorization: Colorization, samples: Sequence[Sample]) -> bytes:
    answer = ColorizationResponse(**dict(done(colorization)), data=[coloring(sample) for sample in samples])
    return answer.model_dump_json(exclude_none=True).encode()


def coloring(sample: Sample) -> Coloring:
    """Return a sample as an answer holds it. Takes time for base64."""
    return Coloring(
        index=sample.index,
        b64_json=base64.b64encode(sample.data).decode("ascii"),
        media_type=sample.media_type,
        bits_per_dim=sample.bits_per_dim,
        latent_norm=sample.latent_norm,
        hints=[_report(match) for match in sample.hints] or None,
    )


def done(colorization: Colorization) -> ColorizationDone:
    """Return what an answer says beside the colorings, once the last of them is made."""
    return ColorizationDone(
        id=colorization.id,
        created=colorization.created,
        model=colorization.model,
        seed=colorization.seed,
        noise_seed=colorization.noise_seed,
        temperature=colorization.temperature,
        width=colorization.width,
        height=colorization.height,
        timings=Timings(**{stage: colorization.timings[stage] for stage in STAGES}),
    )


def _report(match: HintMatch) -> HintReport:
    red, green, blue = match.color
    color = f"#{red:02x}{green:02x}{blue:02x}"
    return HintReport(color=color, delta_e=match.delta_e, delta_chroma=match.delta_chroma)


def _zip(colorization: Colorization, samples: Sequence[Sample]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # images are compressed already
        for sample in samples:
            # ZipInfo without a date, so that the same images are the same bytes
            archive.writestr(zipfile.ZipInfo(f"{sample.index}.{colorization.output_format}"), sample.data)
    return buffer.getvalue()
