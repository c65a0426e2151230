"""Parts of OpenAPI that types do not express: bodies of two kinds, answers of three, and problems."""

import json
from collections.abc import Collection
from functools import cache
from threading import Lock
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, RootModel
from pydantic.json_schema import models_json_schema
from starlette.routing import Route

from service.api.endpoints import PIXEL, ColorEndpoint, Endpoint
from service.api.formats import FORMATS, PHOTO_FORMATS, alternatives
from service.api.parameters import PhotoPoint, PointColor
from service.api.schemas import MODEL_EXAMPLE, SHA256, SHA256_EXAMPLE, TEMPERATURE_EXAMPLE, Coloring, ColorizationDone
from service.http.problems import Problem

__all__ = ["ColorizationEvent", "body", "coloring_answer", "describe_schemas"]

REFERENCE = "#/components/schemas/{model}"
EVENT_REFERENCE = REFERENCE.format(model="ColorizationEvent")
KEY_SCHEME = "api_key"  # OpenAPI allows only letters, digits, ".", "-" and "_"
WORDS = ("title", "description", "default", "examples")
"""Schema keywords about a field that do not depend on its type."""
BINARY = {"type": "string", "format": "binary"}
PHOTO = BINARY | {
    "description": f"the file: {alternatives(PHOTO_FORMATS)}; of several frames or pages, the first is used"
}


def body(endpoint: Endpoint[Any]) -> dict[str, Any]:
    """Describe a body that is a form or JSON, with an example that works."""
    schema = endpoint.request.model_json_schema(ref_template=REFERENCE)
    schema.pop("$defs", None)  # they are in the components
    optional = schema["properties"].keys() - schema["required"]
    schema["properties"] |= {name: _or_null(schema["properties"][name]) for name in optional}
    example = dict.fromkeys(endpoint.required_files, PIXEL) | endpoint.example
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _multipart(endpoint)},
            "application/json": {"schema": schema, "example": example},
        },
    }


def _multipart(endpoint: Endpoint[Any]) -> dict[str, Any]:
    schema = endpoint.parameters.model_json_schema()
    fields = {
        # /docs fills in the example: empty, which counts as left out
        name: _as_text(field) | {"examples": [endpoint.example.get(name, "")]}
        for name, field in schema["properties"].items()
    }
    return {
        "title": endpoint.parameters.__name__,
        "description": endpoint.parameters.__doc__,
        "type": "object",
        "additionalProperties": False,
        "properties": dict.fromkeys(endpoint.files, PHOTO) | fields,
        "required": [*endpoint.required_files, *schema.get("required", [])],
    }


def _or_null(field: dict[str, Any]) -> dict[str, Any]:
    """Describe a JSON field that may be null, which means left out."""
    if "anyOf" in field:
        return field
    words = {name: value for name, value in field.items() if name in WORDS}
    kind = {name: value for name, value in field.items() if name not in WORDS}
    return {"anyOf": [kind, {"type": "null"}]} | words


def _as_text(field: dict[str, Any]) -> dict[str, Any]:
    """Describe a field of a form: never null; an array as comma-separated numbers, or as JSON."""
    (kind,) = (each for each in field.get("anyOf", [field]) if each["type"] != "null")
    if kind["type"] != "array":
        return {name: value for name, value in field.items() if name != "anyOf"} | kind
    (example,) = field["examples"]
    is_numbers = all(isinstance(each, int | float) for each in example)
    text = ",".join(map(str, example)) if is_numbers else json.dumps(example)
    return {"type": "string", "description": field["description"], "examples": [text]}


class ColoringEvent(BaseModel):
    """One coloring, as soon as it is made."""

    event: Literal["coloring"]
    data: Coloring


class DoneEvent(BaseModel):
    """The last event: all colorings have come."""

    event: Literal["done"]
    data: ColorizationDone


class ErrorEvent(BaseModel):
    """The last event, if the rest failed."""

    event: Literal["error"]
    data: Problem


class ColorizationEvent(RootModel[Annotated[ColoringEvent | DoneEvent | ErrorEvent, Field(discriminator="event")]]):
    """One event of a stream: its name, and its data, which are JSON. Comments are no events."""


EVENTS_EXAMPLE = (
    'event: coloring\ndata: {"index":0,"b64_json":"/9j/4AAQ…","media_type":"image/jpeg","bits_per_dim":2.91,…}\n\n'
    f'event: done\ndata: {{"id":"colorization-5f0c…","seed":7,"temperature":{TEMPERATURE_EXAMPLE},…}}\n\n'
)


HEADERS = {
    "Server-Timing": ("milliseconds of each step; not for events", "decode;dur=21.0, queue;dur=0.2, sample;dur=87.1"),
    "X-Request-Id": ("id of the request, as sent or generated; the log shows it", "6b1f0c"),
    "Tintflow-Seed": ("seed used; for events, a zip or a bare image", "7"),
    "Tintflow-Noise-Seed": ("noise seed used; for events, a zip or a bare image of variations", "11"),
    "Tintflow-Temperature": ("temperature used; for a zip or a bare image", str(TEMPERATURE_EXAMPLE)),
    "Tintflow-Index": ("of a zip or a bare image: of each sample", "0"),
    "Tintflow-Bits-Per-Dim": ("of a zip or a bare image: of each sample", "2.91"),
    "Tintflow-Latent-Norm": ("of a zip or a bare image: of each sample", "0.81"),
    "Tintflow-Delta-E": ("how far each hint was missed; for a bare image (a zip has it in comments)", "6.10 2.41"),
    "Tintflow-At": ("the new color at each point of `at`; for a bare image (a zip has it in comments)", "#94412f"),
    "Tintflow-Model": ("of a zip or a bare image", MODEL_EXAMPLE),
    "Tintflow-Model-Sha256": (f"of a zip or a bare image: {SHA256}", SHA256_EXAMPLE),
    "Tintflow-Id": ("of a zip or a bare image", "colorization-5f0c8f1b9d3e4a6c8b7a2f1e0d9c8b7a"),
}
"""descriptions and examples of an answer's headers"""


def coloring_answer(endpoint: ColorEndpoint) -> dict[str, Any]:
    forms = (
        "The colorings: as JSON, as events (each coloring as soon as it is made) or as a zip of files named by their "
        "index"
    )
    content = {
        # OpenAPI 3.1 has no word for the items of a stream; generators take the schema of one (3.2: `itemSchema`)
        "text/event-stream": {"schema": {"$ref": EVENT_REFERENCE}, "example": EVENTS_EXAMPLE},
        "application/zip": {"schema": BINARY},
    }
    if "n" in endpoint.parameters.model_fields:  # without `n`, there are always several
        forms += "; one alone also as the bare image (choose `image/jpeg` as the media type to see it)"
        content |= {each.media_type: {"schema": BINARY} for each in FORMATS.values()}
    return {
        "description": forms,
        "content": content,
        "headers": {
            name: {"description": description, "schema": {"type": "string"}, "example": example}
            for name, (description, example) in HEADERS.items()
        },
    }


def describe_schemas(app: FastAPI, open_paths: Collection[str] | None) -> None:
    """Add schemas that no route's return type declares, and access control, to the application's OpenAPI document.

    open_paths: paths that need no API key; None if no path needs one.
    """
    _, schemas = models_json_schema(
        [
            (ColorizationEvent, "serialization"),
            (Problem, "serialization"),
            (PhotoPoint, "validation"),
            (PointColor, "validation"),
        ],
        ref_template=REFERENCE,
    )
    generate = app.openapi

    def described() -> dict[str, Any]:
        document = generate()
        document["components"]["schemas"] = schemas["$defs"] | document["components"]["schemas"]
        if open_paths is not None:
            document["components"]["securitySchemes"] = {KEY_SCHEME: {"type": "http", "scheme": "bearer"}}
            for path in document["paths"].keys() - open_paths:
                for operation in document["paths"][path].values():
                    operation["security"] = [{KEY_SCHEME: []}]
        return document

    app.openapi = described  # type: ignore[method-assign]  # as FastAPI's documentation recommends
    _serve_once_made(app)


def _serve_once_made(app: FastAPI) -> None:
    """Replace FastAPI's route, which serializes the document on the event loop for each request."""

    @cache
    def written() -> bytes:
        return json.dumps(app.openapi(), ensure_ascii=False, separators=(",", ":")).encode()

    making = Lock()

    def document(request: Request) -> Response:  # not async, so it runs on a thread
        with making:  # else each of the first requests would make it
            return Response(written(), media_type="application/json")

    path = str(app.openapi_url)
    (at,) = (at for at, route in enumerate(app.routes) if isinstance(route, Route) and route.path == path)
    app.router.routes[at] = APIRoute(path, document, include_in_schema=False)  # it tells the metrics its path
