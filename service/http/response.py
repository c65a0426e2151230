"""The answer's form: JSON, a zip, or the bare image; chosen by the parameters and the Accept header together."""

import base64
import zipfile
from dataclasses import dataclass
from io import BytesIO

from fastapi import Response

from model.protocol import HintMatch
from service.api.parameters import Parameters
from service.api.schemas import Coloring, ColorizationResponse, HintReport, Timings
from service.codecs.encoding import MEDIA_TYPES, OutputFormat
from service.errors import NotAcceptableError
from service.pipeline import Colorization

__all__ = ["Form", "choose_form", "render"]

JSON = "application/json"
ZIP = "application/zip"
STAGES = ("decode", "condition", "sample", "upsample", "encode")


@dataclass(frozen=True)
class Form:
    """How to answer: the body's media type, and the format of the images, in it or as it."""

    media_type: str
    output_format: OutputFormat


def choose_form(accept: str | None, parameters: Parameters) -> Form:
    """Choose the form that the Accept header likes best among those that the parameters leave open.

    An explicit `response_format` leaves only itself open; else JSON, a zip and, for one coloring, the bare image are,
    the image as JPEG, PNG or WebP unless `output_format` is explicit. Raises NotAcceptableError if none is acceptable.
    """
    offers = _offers(parameters)
    ranges = _parse_accept(accept or "*/*")
    liked = [(_preference(form.media_type, ranges), form) for form in offers]
    (quality, _), best = max(liked, key=lambda each: each[0])  # of equals, max takes the first
    if quality > 0:
        return best
    types = ", ".join(form.media_type for form in offers)
    hint = "" if parameters.samples == 1 else "; a bare image needs n=1"
    raise NotAcceptableError(f"Accept: with these parameters the answer can be {types}{hint}")


def _offers(parameters: Parameters) -> list[Form]:
    chosen = parameters.output_format
    json, archive = Form(JSON, chosen), Form(ZIP, chosen)
    if "response_format" in parameters.model_fields_set:
        return [archive if parameters.response_format == "zip" else json]
    formats: list[OutputFormat] = [chosen] if "output_format" in parameters.model_fields_set else list(MEDIA_TYPES)
    images = [Form(MEDIA_TYPES[each], each) for each in formats] if parameters.samples == 1 else []
    return [json, archive, *images]


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


def render(colorization: Colorization, form: Form) -> Response:
    """Build the answer. Takes time for base64 and the zip: not for the event loop."""
    renderers = {JSON: _json, ZIP: _zip}
    body = renderers.get(form.media_type, _bare)(colorization)
    headers = {"Server-Timing": _server_timing(colorization.timings), "Vary": "Accept"}
    if form.media_type != JSON:
        headers |= _facts(colorization)
    return Response(body, media_type=form.media_type, headers=headers)


def _facts(colorization: Colorization) -> dict[str, str]:
    """Return in headers what JSON says in its body; what belongs to a sample, comma-separated in their order."""
    facts = {
        "Tintflow-Id": colorization.id,
        "Tintflow-Model": colorization.model,
        "Tintflow-Seed": str(colorization.seed),
        "Tintflow-Temperature": str(colorization.temperature),
        "Tintflow-Index": ", ".join(str(sample.index) for sample in colorization.samples),
        "Tintflow-Bits-Per-Dim": ", ".join(str(sample.bits_per_dim) for sample in colorization.samples),
        "Tintflow-Latent-Norm": ", ".join(str(sample.latent_norm) for sample in colorization.samples),
    }
    if colorization.noise_seed is not None:
        facts["Tintflow-Noise-Seed"] = str(colorization.noise_seed)
    if colorization.samples[0].hints:
        distances = (" ".join(f"{hint.delta_e:.2f}" for hint in sample.hints) for sample in colorization.samples)
        facts["Tintflow-Delta-E"] = ", ".join(distances)
    return facts


def _server_timing(timings: dict[str, float]) -> str:
    return ", ".join(f"{stage};dur={1000 * seconds:.1f}" for stage, seconds in timings.items())


def _json(colorization: Colorization) -> bytes:
    answer = ColorizationResponse(
        id=colorization.id,
        created=colorization.created,
        model=colorization.model,
        seed=colorization.seed,
        noise_seed=colorization.noise_seed,
        temperature=colorization.temperature,
        width=colorization.width,
        height=colorization.height,
        data=[
            Coloring(
                index=sample.index,
                b64_json=base64.b64encode(sample.data).decode("ascii"),
                media_type=sample.media_type,
                bits_per_dim=sample.bits_per_dim,
                latent_norm=sample.latent_norm,
                hints=[_report(match) for match in sample.hints] or None,
            )
            for sample in colorization.samples
        ],
        timings=Timings(**{stage: colorization.timings[stage] for stage in STAGES}),
    )
    return answer.model_dump_json(exclude_none=True).encode()


def _report(match: HintMatch) -> HintReport:
    red, green, blue = match.color
    color = f"#{red:02x}{green:02x}{blue:02x}"
    return HintReport(color=color, delta_e=match.delta_e, delta_chroma=match.delta_chroma)


def _bare(colorization: Colorization) -> bytes:
    return colorization.samples[0].data


def _zip(colorization: Colorization) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # images are compressed already
        for sample in colorization.samples:
            # ZipInfo without a date, so that the same images are the same bytes
            archive.writestr(zipfile.ZipInfo(f"{sample.index}.{colorization.output_format}"), sample.data)
    return buffer.getvalue()
