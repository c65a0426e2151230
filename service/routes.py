"""The HTTP interface, version 1: each route validates, makes one call and answers."""

import asyncio
from collections.abc import Coroutine
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from model.errors import CheckpointError, InputError, ModelError, NonFiniteError
from service import errors, problems
from service.answers import choose_form, render
from service.bodies import read_colorization
from service.engine import Engine
from service.metrics import Metrics
from service.openapi import COLORIZATION_ANSWERS, COLORIZATION_BODY
from service.schemas import ColorizationResponse, Model, ModelList, Status
from service.settings import Settings

__all__ = ["router"]

T = TypeVar("T")

router = APIRouter()


def _engine(request: Request) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


NOT_READY = (errors.LoadingError, errors.DrainingError, errors.LoadFailedError)
COLORIZATION_ERRORS = (
    errors.MalformedBodyError,
    errors.NotAcceptableError,
    errors.UploadTooLargeError,
    errors.BodyTypeError,
    errors.ImageTypeError,
    errors.ParameterError,
    errors.TooManyPixelsError,
    errors.UndecodableImageError,
    errors.OutputSizeError,
    InputError,
    errors.QueueFullError,
    ModelError,
    NonFiniteError,
    CheckpointError,
    *NOT_READY,
    errors.DeadlineError,
)


@router.post(
    "/v1/colorizations",
    tags=["colorizations"],
    summary="Colorize a photo",
    response_model=ColorizationResponse,
    responses={**COLORIZATION_ANSWERS, **problems.responses(*COLORIZATION_ERRORS)},
    openapi_extra={"requestBody": COLORIZATION_BODY},
)
async def create_colorizations(
    request: Request,
    engine: Annotated[Engine, Depends(_engine)],
    settings: Annotated[Settings, Depends(_settings)],
) -> Response:
    """Get N different, plausible colorings of one black-and-white photo, at its own size."""
    async with engine.accept():
        upload, parameters = await read_colorization(request, engine, settings.max_bytes)
        form = choose_form(request.headers.get("accept"), parameters)
        work = engine.colorize(upload, parameters, form.output_format)
        colorization = await _while_connected(request, work)
        return await engine.in_codec_thread(render, colorization, form)


@router.get("/v1/models", tags=["models"], responses=problems.responses(*NOT_READY))
async def list_models(engine: Annotated[Engine, Depends(_engine)]) -> ModelList:
    """Say what is loaded, and where it runs."""
    facts = asdict(engine.info)
    return ModelList(data=[Model(id=facts.pop("name"), **facts)])


@router.get("/livez", tags=["health"])
async def livez() -> Status:
    """Answer while the process lives."""
    return Status(status="live")


@router.get("/readyz", tags=["health"], responses=problems.responses(*NOT_READY))
async def readyz(engine: Annotated[Engine, Depends(_engine)]) -> Status:
    """Answer 200 while colorizations are accepted: weights loaded and warm, and not stopping."""
    engine.check_ready()
    return Status(status=engine.state)


@router.get("/metrics", tags=["health"], response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(metrics: Annotated[Metrics, Depends(_metrics)]) -> Response:
    """Return metrics for Prometheus."""
    return Response(metrics.text(), media_type=Metrics.media_type)


@router.get("/", include_in_schema=False)
async def root() -> RedirectResponse:
    """Lead people to the documentation."""
    return RedirectResponse("/docs")


async def _while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await work, or cancel it and raise ClientGoneError as soon as the client closes the connection."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_disconnection(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise errors.ClientGoneError("the client closed the connection while its answer was made")
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _disconnection(request: Request) -> None:
    """Return once the client is gone; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
