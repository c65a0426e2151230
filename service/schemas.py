"""Bodies of requests and answers, with the examples that /docs shows."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.encoding import OutputFormat

__all__ = [
    "Coloring",
    "ColorizationParameters",
    "ColorizationRequest",
    "ColorizationResponse",
    "Model",
    "ModelList",
    "Status",
    "Timings",
]

MAX_SAMPLES = 16
MAX_SEED = 2**32 - 1

ZeroToTwo = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]


class ColorizationParameters(BaseModel):
    """How to colorize, without the photo itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int = Field(default=4, ge=1, le=MAX_SAMPLES, description="how many colorings", examples=[4])
    temperature: ZeroToTwo | None = Field(
        default=None,
        description="standard deviation of the latents: 0 = the one coloring of z = 0, 1 = the model's "
        "own distribution; left out = what the model card recommends",
        examples=[0.8],
    )
    latent_norm: ZeroToTwo | None = Field(
        default=None,
        description="rescale each latent to this norm, in units of √dim; left out = as drawn",
        examples=[1.0],
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        le=MAX_SEED,
        description="the same photo, seed and temperature give the same colorings; left out = random, and returned",
        examples=[7],
    )
    output_format: OutputFormat = Field(default="jpeg", examples=["jpeg"])
    output_compression: int = Field(
        default=90,
        ge=1,
        le=100,
        description="quality of JPEG and WebP; PNG is lossless and ignores it",
        examples=[90],
    )
    response_format: Literal["b64_json", "zip"] = Field(
        default="b64_json",
        description="JSON with base64, or a zip of the files; left out, the Accept header decides",
        examples=["b64_json"],
    )


class ColorizationRequest(ColorizationParameters):
    """A photo and how to colorize it, as JSON."""

    image: str = Field(
        description="the file in base64, or a data URL",
        examples=[
            "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
        ],
    )


class Coloring(BaseModel):
    """One sample."""

    index: int = Field(description="sample number, from 0", examples=[0])
    b64_json: str = Field(description="the file in base64", examples=["/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMC…"])
    media_type: str = Field(examples=["image/jpeg"])
    bits_per_dim: float = Field(description="−log₂ p(a*b* | L*) / dim; smaller is likelier", examples=[2.91])
    latent_norm: float = Field(description="‖z‖/√dim", examples=[0.81])


class Timings(BaseModel):
    """Seconds spent in each step."""

    decode: float = Field(examples=[0.021])
    condition: float = Field(examples=[0.034])
    sample: float = Field(examples=[0.087])
    upsample: float = Field(examples=[0.112])
    encode: float = Field(examples=[0.045])


class ColorizationResponse(BaseModel):
    """N colorings of one photo."""

    id: str = Field(examples=["colorization-5f0c8f1b9d3e4a6c8b7a2f1e0d9c8b7a"])
    created: int = Field(description="Unix time in seconds", examples=[1767225600])
    model: str = Field(examples=["tintflow-cwf-1"])
    seed: int = Field(description="the one used", examples=[7])
    temperature: float = Field(description="the one used", examples=[0.8])
    width: int = Field(description="of the photo, upright, and of every coloring", examples=[1024])
    height: int = Field(examples=[768])
    data: list[Coloring]
    timings: Timings


class Model(BaseModel):
    """A model that is loaded."""

    id: str = Field(examples=["tintflow-cwf-1"])
    object: Literal["model"] = "model"
    device: str = Field(examples=["cpu"])
    parameters: int = Field(examples=[14_000_000])
    latents: int = Field(description="dimensions of the latent z", examples=[8192])
    default_temperature: float = Field(examples=[0.8])
    sha256: str = Field(description="of the weights' file", examples=["0" * 64])


class ModelList(BaseModel):
    """The models that are loaded: one."""

    object: Literal["list"] = "list"
    data: list[Model]


class Status(BaseModel):
    """How the service is."""

    status: str = Field(examples=["ready"])
