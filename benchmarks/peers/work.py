"""The work of every server for a request, with the same model, decoder and encoder: `read`, `draw`, `write`."""

import base64
import os
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from model.options import SampleOptions
from model.protocol import Drawn, DrawTask, Photo
from service.codecs.decoding import decode
from service.codecs.encoding import encode
from service.loading import load_colorizer
from service.settings import Settings

__all__ = ["BATCH_REQUESTS", "BATCH_WAIT_SECONDS", "PLAIN_TORCH", "Job", "Work"]

PLAIN_TORCH = "PEER_PLAIN_TORCH"
"""Environment variable for drawing in plain torch, as the server's users would, in place of our runtime."""

BATCH_REQUESTS = 4
"""Requests in a batch, of 4 samples each: as many latents as in tintflow's batches."""
BATCH_WAIT_SECONDS = Settings().batch_wait_seconds
MAX_PIXELS = 50_000_000
QUALITY = 95


@dataclass(frozen=True)
class Job:
    """A request that has been read."""

    photo: Photo
    task: DrawTask


class Work:
    """The model, loaded in the process that creates this object."""

    def __init__(self) -> None:
        if PLAIN_TORCH in os.environ:
            sys.modules["openvino"] = None  # type: ignore[assignment] # as if it were not installed
        self._colorizer = load_colorizer(Settings())

    def read(self, upload: bytes, n: int) -> Job:
        """Decode a photo, and resize it for the network."""
        photo = decode(upload, MAX_PIXELS).pixels
        return Job(photo, DrawTask(self._colorizer.shrink(photo), SampleOptions(n, secrets.randbits(32))))

    def draw(self, jobs: Sequence[Job]) -> list[Drawn]:
        """Draw the samples of several requests in shared passes."""
        return self._colorizer.draw_all([job.task for job in jobs])

    def write(self, job: Job, drawn: Drawn) -> dict[str, list[dict[str, str]]]:
        """Upsample the samples to full size and encode them; return the answer as JSON values."""
        files = (encode(each.image, None, "jpeg", QUALITY) for each in self._colorizer.finish(job.photo, drawn))
        return {"data": [{"b64_json": base64.b64encode(file).decode()} for file in files]}
