"""A client of the HTTP interface: the same words, typed, blocking or asynchronous.

with Client("http://localhost:8000") as client:
    answer = client.colorizations("photo.jpg", n=4, seed=7)
    answer.data[0].save("coloring.jpg")
"""

from service.api.schemas import ColorizationDone, LikelihoodResponse, Model, ModelList
from service.client.answers import Coloring, ColorizationResponse
from service.client.client import AsyncClient, Client
from service.client.errors import (
    AuthenticationError,
    ConnectionFailedError,
    DeadlineError,
    InvalidParameterError,
    MalformedRequestError,
    NotFoundError,
    OutputTooLargeError,
    ProblemError,
    RequestError,
    ServerError,
    TimedOutError,
    TintflowError,
    TooLargeError,
    TooManyPixelsError,
    TooManyRequestsError,
    UnavailableError,
    UndecodableImageError,
    UnprocessableError,
    UnreadableAnswerError,
    UnsupportedTypeError,
)
from service.client.fields import ColorizationFields, Hint, InterpolationFields, TransferFields, VariationFields
from service.client.folder import FolderPhoto
from service.client.photos import PhotoSource
from service.client.streams import AsyncColoringStream, ColoringStream

__all__ = [
    "AsyncClient",
    "AsyncColoringStream",
    "AuthenticationError",
    "Client",
    "Coloring",
    "ColoringStream",
    "ColorizationDone",
    "ColorizationFields",
    "ColorizationResponse",
    "ConnectionFailedError",
    "DeadlineError",
    "FolderPhoto",
    "Hint",
    "InterpolationFields",
    "InvalidParameterError",
    "LikelihoodResponse",
    "MalformedRequestError",
    "Model",
    "ModelList",
    "NotFoundError",
    "OutputTooLargeError",
    "PhotoSource",
    "ProblemError",
    "RequestError",
    "ServerError",
    "TimedOutError",
    "TintflowError",
    "TooLargeError",
    "TooManyPixelsError",
    "TooManyRequestsError",
    "TransferFields",
    "UnavailableError",
    "UndecodableImageError",
    "UnprocessableError",
    "UnreadableAnswerError",
    "UnsupportedTypeError",
    "VariationFields",
]
