"""`POST /v1/images/edits` as OpenAI's clients call it: colorizations under another name, with their defaults."""

from dataclasses import replace
from typing import Literal

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import Field

from model.options import SampleOptions
from service.api.endpoints import COLORIZATIONS
from service.api.formats import OutputFormat
from service.api.parameters import Parameters, parameters_of
from service.http.problems import Problem
from service.http.routes import add_colorings

__all__ = ["EDITS", "router"]

IGNORED = "accepted and ignored"


class EditFields(Parameters):
    """Fields that OpenAI's clients send."""

    output_format: OutputFormat = Field(default="png", examples=["png"])
    prompt: str | None = Field(default=None, description=f"{IGNORED}: colors come from the photo and the seed alone")
    model: str | None = Field(default=None, description=f"{IGNORED}: the answer's `model` says what was used")
    user: str | None = Field(default=None, description=IGNORED)
    size: Literal["auto"] | None = Field(default=None, description="see `output_max_side`")
    quality: Literal["auto"] | None = Field(default=None, description="see `output_compression`")
    background: Literal["auto"] | None = Field(default=None, description="a coloring has the photo's own transparency")


EDITS = replace(
    COLORIZATIONS,
    name="image_edit",
    summary="Colorize a photo, as OpenAI's clients ask for it",
    description="Get N colorings of one photo; the prompt is accepted and ignored.",
    parameters=parameters_of(SampleOptions, "EditParameters", EditFields, n=1),
    example={"prompt": "colorize", "n": 1, "seed": 7},
)


class OpenAIRoute(APIRoute):
    """Errors in the form that OpenAI's clients read."""

    @staticmethod
    def error_member(problem: Problem) -> dict[str, str | None]:
        param = problem.errors[0].field if problem.errors else None
        kind = "invalid_request_error" if problem.status < 500 else "server_error"
        return {"message": problem.detail, "type": kind, "param": param, "code": problem.code}


router = APIRouter(route_class=OpenAIRoute)
add_colorings(router, "/v1/images/edits", EDITS)
