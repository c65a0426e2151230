"""A client of the HTTP interface: the same words, typed, blocking or asynchronous.

with Client("http://localhost:8000") as client:
    answer = client.colorizations("photo.jpg", n=4, seed=7)
    answer.data[0].save("coloring.jpg")
"""

from service.api.schemas import ColorizationDone, LikelihoodResponse, Model, ModelList
from service.client import errors
from service.client.answers import Coloring, ColorizationResponse
from service.client.client import AsyncClient, Client
from service.client.errors import *  # noqa: F403  # its __all__ is part of the one below
from service.client.fields import ColorizationFields, Hint, InterpolationFields, Point, TransferFields, VariationFields
from service.client.folder import FolderPhoto
from service.client.photos import PhotoSource
from service.client.streams import AsyncColoringStream, ColoringStream

__all__ = [
    "AsyncClient",
    "AsyncColoringStream",
    "Client",
    "Coloring",
    "ColoringStream",
    "ColorizationDone",
    "ColorizationFields",
    "ColorizationResponse",
    "FolderPhoto",
    "Hint",
    "InterpolationFields",
    "LikelihoodResponse",
    "Model",
    "ModelList",
    "PhotoSource",
    "Point",
    "TransferFields",
    "VariationFields",
]
__all__ += errors.__all__
