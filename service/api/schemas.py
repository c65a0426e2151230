"""Bodies of answers, with the examples that /docs shows."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.api.formats import PHOTO_FORMATS

__all__ = [
    "MODEL_EXAMPLE",
    "SHA256",
    "SHA256_EXAMPLE",
    "TEMPERATURE_EXAMPLE",
    "Coloring",
    "ColorizationDone",
    "ColorizationFacts",
    "ColorizationResponse",
    "HintReport",
    "LevelBits",
    "LikelihoodResponse",
    "LikelihoodTimings",
    "Limits",
    "Model",
    "ModelList",
    "Status",
    "Timings",
]

MODEL_EXAMPLE = "tintflow-cwf-24"
"""the released weights (tests/docs/test_facts.py)"""
TEMPERATURE_EXAMPLE = 0.6
"""default temperature of these weights"""
SHA256 = "SHA-256 of the weights' file"
SHA256_EXAMPLE = "0" * 64
WeightsSha256 = Annotated[str | None, Field(description=SHA256, examples=[SHA256_EXAMPLE])]
"""None in answers of version 1.0 of the service"""


class HintReport(BaseModel):
    """How well a sample follows a hint."""

    color: str = Field(description="color of the coloring at the hint's point", examples=["#94412f"])
    delta_e: float = Field(
        description="ΔE76 between this color and the hint's, including the difference in lightness", examples=[6.1]
    )
    delta_chroma: float = Field(
        description="distance in a*b* alone, the only part that colorizing can change", examples=[2.3]
    )


class Coloring(BaseModel):
    """One sample."""

    index: int = Field(description="sample number in drawn order, or step of a path, from 0", examples=[0])
    b64_json: str = Field(description="the file in base64", examples=["/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMC…"])
    media_type: str = Field(examples=["image/jpeg"])
    bits_per_dim: float = Field(
        description="−log₂ p(a*b* | L*) / dim, before saturation and warmth; smaller is likelier", examples=[2.91]
    )
    latent_norm: float = Field(description="‖z‖/√dim, before saturation and warmth", examples=[0.81])
    hints: list[HintReport] | None = Field(default=None, description="one item for each hint; absent without hints")
    at: list[str] | None = Field(
        default=None,
        description="the new colors at the points of `at` that are not on a frame; absent without such points",
        examples=[["#94412f"]],
    )


class Timings(BaseModel):
    """Seconds spent in each step."""

    decode: float = Field(examples=[0.021])
    condition: float = Field(examples=[0.034])
    sample: float = Field(examples=[0.087])
    upsample: float = Field(examples=[0.112])
    encode: float = Field(examples=[0.045])


class ColorizationFacts(BaseModel):
    """Facts about the colorings of one photo, known before the first is a file."""

    id: str = Field(examples=["colorization-5f0c8f1b9d3e4a6c8b7a2f1e0d9c8b7a"])
    created: int = Field(description="Unix time in seconds", examples=[1767225600])
    model: str = Field(examples=[MODEL_EXAMPLE])
    model_sha256: WeightsSha256 = None
    seed: int = Field(description="seed used", examples=[7])
    noise_seed: int | None = Field(default=None, description="noise seed used; variations only", examples=[11])
    temperature: float = Field(
        description="temperature used; with latent_norm, the mean factor of the coarsest level's latents",
        examples=[TEMPERATURE_EXAMPLE],
    )
    width: int = Field(
        description="width of every coloring, upright; the photo's own, or smaller with `output_max_side`",
        examples=[1024],
    )
    height: int = Field(examples=[768])


class ColorizationDone(ColorizationFacts):
    """Facts about the colorings of one photo: the last event of a stream."""

    timings: Timings


class ColorizationResponse(ColorizationDone):
    """N colorings of one photo."""

    data: list[Coloring]


class LevelBits(BaseModel):
    """One level's share of a likelihood."""

    size: int = Field(description="size of the a*b* that the level completes", examples=[8])
    dims: int = Field(description="number of the level's latents", examples=[128])
    bits_per_dim: float = Field(description="bits per dimension of this level alone", examples=[5.2])
    latent_norm: float = Field(
        description="‖z‖/√dim of this level: about 1 where the colors are as the model expects", examples=[1.04]
    )


class LikelihoodTimings(BaseModel):
    """Seconds spent in each step."""

    decode: float = Field(examples=[0.021])
    condition: float = Field(examples=[0.034])
    likelihood: float = Field(examples=[0.035])


class LikelihoodResponse(BaseModel):
    """How plausible a photo's own colors are."""

    id: str = Field(examples=["likelihood-5f0c8f1b9d3e4a6c8b7a2f1e0d9c8b7a"])
    created: int = Field(description="Unix time in seconds", examples=[1767225600])
    model: str = Field(examples=[MODEL_EXAMPLE])
    model_sha256: WeightsSha256 = None
    width: int = Field(description="width of the upright photo", examples=[1024])
    height: int = Field(examples=[768])
    bits_per_dim: float = Field(
        description="−log₂ p(a*b* | L*) / dim of the photo's own colors; smaller is likelier", examples=[2.91]
    )
    levels: list[LevelBits] = Field(description="coarse to fine; their bits add up to the whole")
    timings: LikelihoodTimings


class Limits(BaseModel):
    """The largest photos and answers that this service takes; more is refused."""

    bytes: int = Field(description="maximum bytes of one uploaded file", examples=[50_000_000])
    pixels: int = Field(description="maximum width × height of one photo", examples=[50_000_000])
    output_pixels: int = Field(description="maximum n × width × height of one request", examples=[200_000_000])


class Model(BaseModel):
    """The loaded model."""

    id: str = Field(examples=[MODEL_EXAMPLE])
    object: Literal["model"] = "model"
    device: str = Field(examples=["cpu"])
    parameters: int = Field(examples=[14_000_000])
    latents: int = Field(description="dimensions of the latent z", examples=[8192])
    default_temperature: float = Field(examples=[TEMPERATURE_EXAMPLE])
    sha256: str = Field(description=SHA256, examples=[SHA256_EXAMPLE])
    photo_formats: dict[str, list[str]] = Field(
        default_factory=dict,  # version 1.0 of the service does not send it
        description="photo formats that this service reads, each with its suffixes",
        examples=[PHOTO_FORMATS],
    )
    limits: Limits


class ModelList(BaseModel):
    """List with the one model that is loaded."""

    object: Literal["list"] = "list"
    data: list[Model]


class Status(BaseModel):
    """State of the service."""

    status: str = Field(examples=["ready"])
