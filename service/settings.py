"""Settings of the service, from environment variables that start with TINTFLOW_."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.edge.keys import parse_limits

__all__ = ["Settings", "refuse_unknown"]


PREFIX = "TINTFLOW_"
NOT_SETTINGS = {"TINTFLOW_URL", "TINTFLOW_API_KEY", "TINTFLOW_IMAGE"}
"""for the command line and the tests"""
OF_KUBERNETES = re.compile(r"TINTFLOW_(SERVICE|PORT)(_.*)?")
"""what Kubernetes tells every pod of a service named tintflow"""


def refuse_unknown(environment: Iterable[str]) -> None:
    """Raise ValueError for a variable that looks like a setting and is none: a typo must not open the service."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(environment):
        if name.upper().startswith(PREFIX) and name.upper() not in known | NOT_SETTINGS:
            if OF_KUBERNETES.fullmatch(name):
                continue
            nearest = get_close_matches(name.upper(), known, 1, 0)
            raise ValueError(f"{name}: no such setting; the nearest is {nearest[0]}")


class Settings(BaseSettings):
    """Settings of one process; `TINTFLOW_MAX_BYTES=1000000` sets `max_bytes`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """where the model runs; auto = the GPU if there is one"""
    weights: Path = Path(__file__).resolve().parents[1] / "weights"
    """file of the trained weights, or a folder that holds one"""
    cache: Path | None = None
    """folder of networks compiled for this processor; by default tintflow's in the user's cache"""
    max_bytes: int = Field(default=50_000_000, gt=0)
    """of one uploaded photo, as a file"""
    max_pixels: int = Field(default=50_000_000, gt=0)
    """width × height of one photo"""
    max_output_pixels: int = Field(default=200_000_000, gt=0)
    """n × width × height of one request"""
    queue_length: int = Field(default=256, gt=0)
    """requests accepted and unanswered, those that are still uploaded included; one more gets 429"""
    queue_bytes: int = Field(default=300_000_000, gt=0)
    """of their uploads, and of their answers what is not read yet; more gets 429"""
    queue_latents: int = Field(default=256, gt=0)
    """that they ask for, n or candidates each; more gets 429, and so does what would take over half of the deadline"""
    queue_pixels: int = Field(default=150_000_000, gt=0)
    """width × height of their photos, references included; more gets 429"""
    queue_share: float = Field(default=0.5, gt=0, le=1)
    """Maximum share of each of these that one API key, or without keys one address, may hold; more gets 429"""
    batch_latents: int = Field(default=16, gt=0)
    """of requests that share one pass through the network"""
    batch_wait_seconds: float = Field(default=0.01, ge=0)
    """that a batch waits for requests that are being decoded; none if there are none"""
    canary_seconds: float = Field(default=30.0, gt=0)
    """from one look at whether the model still works to the next"""
    deadline_seconds: float = Field(default=120.0, gt=0)
    """from a request's acceptance to its answer, upload and waiting included, else 504; and then for it to be read"""
    max_connections: int = Field(default=1000, gt=0)
    """Maximum open connections; beyond it an idle one is closed, or else the new one gets 503"""
    keep_alive_seconds: int = Field(default=75, gt=0)
    """for which an idle connection stays open: longer than the minute after which most proxies let go"""
    codec_threads: int = Field(default=4, gt=0)
    """threads that encode, and as many processes that decode"""
    decode_seconds: float = Field(default=20.0, gt=0)
    """for one photo to be decoded; one that takes longer is refused"""
    log_format: Literal["console", "json"] = "console"
    """how log lines are written to standard error"""
    tracing: bool = False
    """whether OpenTelemetry traces are sent to where OTEL_EXPORTER_OTLP_ENDPOINT says; needs the extra `otel`"""
    api_keys_file: Path | None = None
    """file of hashed API keys, as `tintflow keys add` writes it; without one, everyone may"""
    rate_limit: str = ""
    """of each API key that has no limit of its own, as in `10/second; 1000/hour`"""
    metrics_need_key: bool = False
    """whether /metrics asks for an API key too"""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """origins whose pages may use the interface from a browser, with commas between them; `*` is any"""

    @field_validator("rate_limit")
    @classmethod
    def _is_rate_limit(cls, text: str) -> str:
        parse_limits(text)
        return text

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, origins: object) -> object:
        return tuple(filter(None, map(str.strip, origins.split(",")))) if isinstance(origins, str) else origins

    @model_validator(mode="after")
    def _have_keys(self) -> "Settings":
        if (self.rate_limit or self.metrics_need_key) and self.api_keys_file is None:
            raise ValueError("rate_limit and metrics_need_key need an api_keys_file")
        return self
