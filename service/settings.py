"""What whoever runs the service may choose, each from an environment variable that starts with TINTFLOW_."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["Settings"]


class Settings(BaseSettings):
    """Settings of one process; `TINTFLOW_MAX_BYTES=1000000` sets `max_bytes`."""

    model_config = SettingsConfigDict(env_prefix="TINTFLOW_", frozen=True)

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """where the model runs; auto = the GPU if there is one"""
    weights: Path = Path(__file__).resolve().parents[1] / "weights"
    """file of the trained weights, or a folder that holds one"""
    max_bytes: int = Field(default=50_000_000, gt=0)
    """of one uploaded photo, as a file"""
    max_pixels: int = Field(default=50_000_000, gt=0)
    """width × height of one photo"""
    queue_length: int = Field(default=16, gt=0)
    """requests accepted at once, those in work included; one more gets 429"""
    deadline_seconds: float = Field(default=120.0, gt=0)
    """from a request's acceptance to its answer, upload and waiting included; later is 504"""
    codec_threads: int = Field(default=4, gt=0)
    """threads that decode and encode"""
    log_format: Literal["console", "json"] = "console"
    """how log lines are written to standard error"""
