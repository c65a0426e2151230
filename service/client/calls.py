"""The calls of the interface: which photos and fields go to which path, and what comes back."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from service.api.schemas import LikelihoodResponse, ModelList
from service.client.answers import ColorizationResponse
from service.client.fields import ColorizationFields, InterpolationFields, TransferFields, VariationFields
from service.client.photos import PhotoSource
from service.client.requests import Call, form_values

__all__ = ["MODELS", "colorizations", "interpolations", "likelihoods", "transfers", "variations"]

M = TypeVar("M", bound=BaseModel)

MODELS = Call("GET", "/v1/models", ModelList.model_validate_json)


def _post(path: str, photos: Mapping[str, PhotoSource | None], fields: Mapping[str, Any], answer: type[M]) -> Call[M]:
    given = {name: photo for name, photo in photos.items() if photo is not None}
    return Call("POST", path, answer.model_validate_json, given, form_values(fields))


def colorizations(image: PhotoSource, fields: ColorizationFields) -> Call[ColorizationResponse]:
    """Ask for n colorings of a photo."""
    return _post("/v1/colorizations", {"image": image}, fields, ColorizationResponse)


def variations(image: PhotoSource, fields: VariationFields) -> Call[ColorizationResponse]:
    """Ask for more colorings like one of the same photo."""
    return _post("/v1/variations", {"image": image}, fields, ColorizationResponse)


def transfers(image: PhotoSource, reference: PhotoSource, fields: TransferFields) -> Call[ColorizationResponse]:
    """Ask for colorings of a photo whose colors come from a reference."""
    return _post("/v1/transfers", {"image": image, "reference": reference}, fields, ColorizationResponse)


def interpolations(image: PhotoSource, fields: InterpolationFields) -> Call[ColorizationResponse]:
    """Ask for the colorings on the way from one to another, or to a reference's colors."""
    values = {name: value for name, value in fields.items() if name != "reference"}
    photos = {"image": image, "reference": fields.get("reference")}
    return _post("/v1/interpolations", photos, values, ColorizationResponse)


def likelihoods(image: PhotoSource) -> Call[LikelihoodResponse]:
    """Ask for the bits per dimension of a photo's own colors."""
    return _post("/v1/likelihoods", {"image": image}, {}, LikelihoodResponse)
