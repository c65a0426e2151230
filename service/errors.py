"""Errors of the service, without HTTP statuses: `service.http.problems` maps them."""

from dataclasses import dataclass

__all__ = [
    "BodyTypeError",
    "ClientGoneError",
    "DeadlineError",
    "DecoderLostError",
    "DecodingLimitError",
    "DrainingError",
    "FieldProblem",
    "ForeignOriginError",
    "ImageTypeError",
    "InvalidKeyError",
    "LargePhotoError",
    "LoadFailedError",
    "LoadingError",
    "MalformedBodyError",
    "MissingKeyError",
    "NotAcceptableError",
    "OutputSizeError",
    "ParameterError",
    "QueueFullError",
    "RateLimitedError",
    "ReplicaLostError",
    "RetryLaterError",
    "ServiceError",
    "SlowFileError",
    "TooManyPixelsError",
    "UndecodableImageError",
    "UnhealthyError",
    "UploadTooLargeError",
]


class ServiceError(Exception):
    """Base of every error that `service` raises for a request. Its text is shown to the client."""


class MalformedBodyError(ServiceError):
    """The body is not what its Content-Type says: broken JSON, broken multipart."""


class MissingKeyError(ServiceError):
    """The request has no API key."""


class InvalidKeyError(ServiceError):
    """The request has an unknown API key."""


class BodyTypeError(ServiceError):
    """The body is neither multipart/form-data nor application/json, or is compressed."""


class ForeignOriginError(ServiceError):
    """The request comes from a page of an origin that the settings do not name."""


class NotAcceptableError(ServiceError):
    """The Accept header allows none of the answer's possible forms."""


class UploadTooLargeError(ServiceError):
    """The upload has more bytes than the limit."""


class ImageTypeError(ServiceError):
    """The upload is not an image of a type that the service reads."""


class UndecodableImageError(ServiceError):
    """The upload starts like an image, but does not decode."""


class DecodingLimitError(ServiceError):
    """Decoding the photo exceeds its limit of time or memory."""


class SlowFileError(DecodingLimitError):
    """The photo used up its processor time."""


class LargePhotoError(DecodingLimitError):
    """The photo has more pixels than a first try decodes. No client sees this: a second try follows."""


class TooManyPixelsError(ServiceError):
    """The photo has more pixels than the limit."""


class OutputSizeError(ServiceError):
    """The output format cannot hold an image of the photo's size, or all samples together have too many pixels."""


@dataclass(frozen=True)
class FieldProblem:
    """A problem with one field of a request."""

    field: str
    message: str


class ParameterError(ServiceError):
    """Fields are missing, unknown, out of range, or contradict each other."""

    def __init__(self, *problems: FieldProblem) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.problems = problems


class RetryLaterError(ServiceError):
    """The request may succeed later."""

    def __init__(self, detail: str, retry_after_seconds: int) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class DecoderLostError(RetryLaterError):
    """The process that decoded the photo was killed from outside; another replaces it."""


class QueueFullError(RetryLaterError):
    """The requests in flight have reached a limit."""


class RateLimitedError(RetryLaterError):
    """The API key has reached a rate limit."""


class ReplicaLostError(RetryLaterError):
    """The model replica at work on the request was lost; others are available, or soon will be."""


class LoadingError(RetryLaterError):
    """The model is not loaded and warm yet."""


class DrainingError(RetryLaterError):
    """The service is stopping: it finishes accepted requests and takes no more."""


class UnhealthyError(RetryLaterError):
    """The model is loaded, but its last canary failed."""


class LoadFailedError(RetryLaterError):
    """The model could not be loaded."""


class DeadlineError(ServiceError):
    """The answer was not ready in time; its remaining work is dropped."""


class ClientGoneError(ServiceError):
    """The client closed the connection before its answer was ready. Only the log shows this error."""
