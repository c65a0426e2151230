"""Settings of the service, from environment variables that start with TINTFLOW_."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.edge.keys import parse_limits

__all__ = ["Settings", "SettingsError", "read_settings", "refuse_unknown"]

PREFIX = "TINTFLOW_"
CLIENT_KEY, KEYS_FILE = "TINTFLOW_API_KEY", "TINTFLOW_API_KEYS_FILE"
NOT_SETTINGS = {"TINTFLOW_URL", CLIENT_KEY, "TINTFLOW_IMAGE"}
"""Variables of the command line and the tests, which are not settings."""
OF_KUBERNETES = re.compile(
    r"TINTFLOW_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""Variables that Kubernetes sets in every pod of a service named tintflow."""
DAY_SECONDS = 86_400
"""Maximum of settings in seconds, because operating systems' timers are limited."""
ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d+)?")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class SettingsError(ValueError):
    """A setting has a wrong value, or settings contradict each other."""


def refuse_unknown(environment: Iterable[str]) -> None:
    """Raise ValueError for an unknown variable that looks like a setting: a typo must not open the service.

    Also refuses a client's API key if the service would require none.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    names = sorted(environment)
    for name in names:
        if name.upper() == CLIENT_KEY and KEYS_FILE not in map(str.upper, names):
            raise ValueError(f"{name}: a client's key, but the service would need none; did you mean {KEYS_FILE}?")
        if name.upper().startswith(PREFIX) and name.upper() not in known | NOT_SETTINGS:
            if OF_KUBERNETES.fullmatch(name):
                continue
            nearest = "".join(f"; did you mean {each}?" for each in get_close_matches(name.upper(), known, 1, 0.8))
            raise ValueError(f"{name}: no such setting{nearest}")


class Settings(BaseSettings):
    """Settings of one process; `TINTFLOW_MAX_BYTES=1000000` sets `max_bytes`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, allow_inf_nan=False)

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device of the model; auto = the GPU if there is one"""
    weights: Path = Path(__file__).resolve().parents[1] / "weights"
    """File of the trained weights, or a folder that holds one"""
    cache: Path | None = None
    """Folder of networks compiled for this processor; default: tintflow's folder in the user's cache"""
    max_bytes: int = Field(default=50_000_000, gt=0)
    """Maximum size of an uploaded file"""
    max_pixels: int = Field(default=50_000_000, ge=64 * 64)  # the health check's photo
    """Maximum width × height of a photo"""
    max_output_pixels: int = Field(default=200_000_000, gt=0)
    """Maximum n × width × height per request"""
    queue_length: int = Field(default=256, gt=0)
    """Maximum requests in flight, uploads included; one more gets 429"""
    queue_bytes: int = Field(default=300_000_000, gt=0)
    """Maximum bytes of uploads and unread answers in flight; more gets 429"""
    queue_latents: int = Field(default=256, gt=0)
    """Maximum latents in flight (n or candidates); more gets 429, and so does work for over half of the deadline"""
    queue_pixels: int = Field(default=150_000_000, gt=0)
    """Maximum pixels of photos and references in flight; more gets 429"""
    queue_share: float = Field(default=0.5, gt=0, le=1)
    """Maximum share of each of these that one API key, or without keys one address, may hold beside others, else 429"""
    batch_latents: int = Field(default=16, gt=0)
    """Maximum latents of a batch: requests that share one pass through the network"""
    batch_wait_seconds: float = Field(default=0.01, ge=0, le=DAY_SECONDS)
    """Time that a batch waits for requests still decoding, if there are any"""
    batch_seconds: float = Field(default=0.5, gt=0, le=DAY_SECONDS)
    """Time that a batch should take; where the model is slower, fewer latents share one, down to two"""
    canary_seconds: float = Field(default=30.0, gt=0, le=DAY_SECONDS)
    """Interval between model health checks"""
    deadline_seconds: float = Field(default=120.0, gt=0, le=DAY_SECONDS)
    """Maximum time from accepting a request to answering it, else 504; and again for the client to read the answer"""
    max_connections: int = Field(default=600, gt=0)
    """Maximum open connections; beyond it one that is not at work is closed, or else the new one gets 503"""
    keep_alive_seconds: int = Field(default=75, gt=0, le=DAY_SECONDS)
    """Time that an idle connection stays open; longer than the usual minute of proxies"""
    codec_threads: int = Field(default=4, gt=0)
    """Threads that encode, and processes that decode"""
    decode_seconds: float = Field(default=20.0, gt=0, le=DAY_SECONDS)
    """Maximum processor time to decode a photo of max_pixels; smaller ones have less"""
    log_format: Literal["console", "json"] = "console"
    """Format of log lines on standard error"""
    tracing: bool = False
    """Send OpenTelemetry traces to OTEL_EXPORTER_OTLP_ENDPOINT; needs the extra `otel`"""
    api_keys_file: Path | None = None
    """File of hashed API keys, as `tintflow keys add` writes it; without one, access is open"""
    rate_limit: str = ""
    """Rate limit of API keys without a limit of their own, such as `10/second; 1000/hour`"""
    metrics_need_key: bool = False
    """Require an API key for /metrics too"""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated origins whose pages may call the interface from a browser; `*` is any"""

    @property
    def answer_seconds(self) -> float:
        """Maximum time from accepting a request to its answer's last byte: one deadline to make it, one to read it."""
        return 2 * self.deadline_seconds

    @field_validator("weights", "cache", "api_keys_file", mode="before")
    @classmethod
    def _is_path(cls, path: object) -> object:
        if path == "":  # an empty path would mean the current folder
            raise ValueError("expected a path")
        return path

    @field_validator("rate_limit")
    @classmethod
    def _is_rate_limit(cls, text: str) -> str:
        parse_limits(text)
        return text

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, origins: object) -> object:
        if not isinstance(origins, str):
            return origins
        # browsers send no slash, no capital letters and no default port
        cleaned = (each.strip().rstrip("/").lower() for each in origins.split(","))
        return tuple(each.removesuffix(DEFAULT_PORTS.get(each.partition(":")[0], "")) for each in cleaned if each)

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if not all(ORIGIN.fullmatch(each) for each in origins):
            raise ValueError("expected * or origins such as https://example.org")
        return origins

    @model_validator(mode="after")
    def _have_keys(self) -> "Settings":
        if (self.rate_limit or self.metrics_need_key) and self.api_keys_file is None:
            raise ValueError("TINTFLOW_RATE_LIMIT and TINTFLOW_METRICS_NEED_KEY need a TINTFLOW_API_KEYS_FILE")
        return self


def read_settings() -> Settings:
    """Read the settings from the environment. Raises SettingsError, which names each variable at fault."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(each) for each in error.errors(include_url=False))) from error


def _explain(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message  # a message about several settings
    return f"{PREFIX}{str(error['loc'][0]).upper()}: {message}, got {error['input']!r}"
