"""Work that every server does for a request, around the same model, decoder and encoder: `read`, `draw`, `write`."""

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
"""Environment variable that lets a server draw in plain torch, as its users would, in place of our runtime."""

BATCH_REQUESTS = 4
"""Requests of 4 samples each in a batch: as many latents as tintflow's own batches have."""
BATCH_WAIT_SECONDS = Settings().batch_wait_seconds
MAX_PIXELS = 50_000_000
QUALITY = 95


@dataclass(frozen=True)
class Job:
    """A request that has been read."""

    photo: Photo
    task: DrawTask


class Work:
    """The model, loaded in the process that this is made in."""

    def __init__(self) -> None:
        if PLAIN_TORCH in os.environ:
            sys.modules["openvino"] = None  # type: ignore[assignment] # as if it were not installed
        self._colorizer = load_colorizer(Settings())

    def read(self, upload: bytes, n: int) -> Job:
        """Decode a photo, and bring it to the network's size."""
        photo = decode(upload, MAX_PIXELS).pixels
        return Job(photo, DrawTask(self._colorizer.shrink(photo), SampleOptions(n, secrets.randbits(32))))

    def draw(self, jobs: Sequence[Job]) -> list[Drawn]:
        """Draw the samples of several requests in shared passes."""
        return self._colorizer.draw_all([job.task for job in jobs])

    def write(self, job: Job, drawn: Drawn) -> dict[str, list[dict[str, str]]]:
        """Bring samples to full size and encode them: the answer, to be sent as JSON."""
        files = (encode(each.image, None, "jpeg", QUALITY) for each in self._colorizer.finish(job.photo, drawn))
        return {"data": [{"b64_json": base64.b64encode(file).decode()} for file in files]}
