"""What OpenAPI cannot learn from types: a body of two kinds, an answer of three, and problems."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from service.encoding import MEDIA_TYPES
from service.problems import Problem
from service.schemas import ColorizationParameters, ColorizationRequest

__all__ = ["COLORIZATION_ANSWERS", "COLORIZATION_BODY", "describe_problems"]

BINARY = {"type": "string", "format": "binary"}
PHOTO = BINARY | {"description": "the file: JPEG, PNG, WebP, TIFF, GIF (first frame), BMP, AVIF or HEIC"}


def _multipart() -> dict[str, Any]:
    schema = ColorizationParameters.model_json_schema()
    schema["description"] = "A photo and how to colorize it, as a form."
    schema["properties"] = {"image": PHOTO} | schema["properties"]
    schema["required"] = ["image"]
    return schema


def _header(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}


COLORIZATION_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": _multipart()},
        "application/json": {"schema": ColorizationRequest.model_json_schema()},
    },
}

COLORIZATION_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The colorings: as JSON, a zip of files named by their index, or, for n=1, the bare image",
        "content": {
            "application/zip": {"schema": BINARY},
            **{media_type: {"schema": BINARY} for media_type in MEDIA_TYPES.values()},
        },
        "headers": {
            "Server-Timing": _header("milliseconds of each step", "decode;dur=21.0, queue;dur=0.2, sample;dur=87.1"),
            "X-Request-Id": _header("as sent, or made up; the log knows it", "6b1f0c"),
            "Tintflow-Seed": _header("of a zip or a bare image: the seed used", "7"),
            "Tintflow-Temperature": _header("of a zip or a bare image: the temperature used", "0.8"),
            "Tintflow-Bits-Per-Dim": _header("of a zip or a bare image: of each sample", "2.91"),
            "Tintflow-Latent-Norm": _header("of a zip or a bare image: of each sample", "0.81"),
            "Tintflow-Model": _header("of a zip or a bare image", "tintflow-cwf-1"),
            "Tintflow-Id": _header("of a zip or a bare image", "colorization-5f0c8f1b9d3e4a6c8b7a2f1e0d9c8b7a"),
        },
    }
}


def describe_problems(app: FastAPI) -> None:
    """Add the schema of problems, which no route returns by type, to the application's OpenAPI document."""
    _, schemas = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
    generate = app.openapi

    def described() -> dict[str, Any]:
        document = generate()
        document["components"]["schemas"].update(schemas["$defs"])
        return document

    app.openapi = described  # type: ignore[method-assign]  # how FastAPI's documentation extends it
