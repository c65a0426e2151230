"""Health and metadata by the Open Inference Protocol, version 2, for tools that monitor models.

The protocol's inference request cannot hold files; request colorizations under /v1.
"""

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from service import __version__
from service.api.schemas import MODEL_EXAMPLE
from service.errors import UnhealthyError
from service.http import problems
from service.http.problems import Problem
from service.http.routes import NOT_READY, EngineOf

__all__ = ["router"]

MODEL = "colorization"
PLATFORM = "tintflow_safetensors"  # project and format of the weights, independent of the runtime


class Live(BaseModel):
    """Whether the process is alive."""

    live: bool = True


class Ready(BaseModel):
    """Whether colorizations are accepted."""

    ready: bool = True


class ServerMetadata(BaseModel):
    """The service itself."""

    name: str = Field(default="tintflow", examples=["tintflow"])
    version: str = Field(default=__version__, examples=[__version__])
    extensions: list[str] = Field(default=[], description="parts of the protocol beyond what it requires")


class ModelReady(Ready):
    """Whether colorizations are accepted by the model of this name."""

    name: str = Field(default=MODEL, examples=[MODEL])


class TensorMetadata(BaseModel):
    """One input or output."""

    name: str = Field(examples=["image"])
    datatype: str = Field(examples=["BYTES"])
    shape: list[int] = Field(description="−1 = as many as asked for", examples=[[1]])


class ModelMetadata(BaseModel):
    """The loaded model, its inputs and its outputs."""

    name: str = Field(default=MODEL, examples=[MODEL])
    versions: list[str] = Field(examples=[[MODEL_EXAMPLE]])
    platform: str = Field(default=PLATFORM, examples=[PLATFORM])
    inputs: list[TensorMetadata] = [
        TensorMetadata(name="image", datatype="BYTES", shape=[1]),
        TensorMetadata(name="n", datatype="UINT32", shape=[1]),
        TensorMetadata(name="temperature", datatype="FP64", shape=[1]),
        TensorMetadata(name="seed", datatype="UINT32", shape=[1]),
    ]
    outputs: list[TensorMetadata] = [
        TensorMetadata(name="images", datatype="BYTES", shape=[-1]),
        TensorMetadata(name="bits_per_dim", datatype="FP64", shape=[-1]),
    ]


class OpenInferenceRoute(APIRoute):
    """The protocol's form of an error: a text."""

    @staticmethod
    def error_member(problem: Problem) -> str:
        return problem.detail


router = APIRouter(prefix="/v2", tags=["open inference protocol"], route_class=OpenInferenceRoute)
unready = problems.responses(*NOT_READY)


@router.get("/health/live", summary="Live", responses=problems.responses(UnhealthyError))
async def live(engine: EngineOf) -> Live:
    """Answer 200 while the process lives, as /livez does."""
    engine.check_alive()
    return Live()


@router.get("/health/ready", summary="Ready", responses=unready)
async def ready(engine: EngineOf) -> Ready:
    """Answer 200 while colorizations are accepted."""
    engine.check_ready()
    return Ready()


@router.get("", summary="Server metadata")
async def server_metadata() -> ServerMetadata:
    """Return the server's name and version."""
    return ServerMetadata()


@router.get(f"/models/{MODEL}", summary="Model metadata", responses=unready)
async def model_metadata(engine: EngineOf) -> ModelMetadata:
    """Return the loaded model, its inputs and its outputs."""
    return ModelMetadata(versions=[engine.info.name])


@router.get(f"/models/{MODEL}/ready", summary="Model ready", responses=unready)
async def model_ready(engine: EngineOf) -> ModelReady:
    """Answer 200 while colorizations are accepted."""
    engine.check_ready()
    return ModelReady()
