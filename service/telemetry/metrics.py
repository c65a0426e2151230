"""Metrics for Prometheus."""

from collections.abc import Callable
from functools import partial
from operator import attrgetter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.process_collector import ProcessCollector

from model.protocol import Colorizer
from service import __version__

__all__ = ["GAUGES", "Metrics"]

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)

GAUGES = {
    "ready": ("tintflow_ready", "1 while requests are accepted"),
    "accepted": ("tintflow_accepted_requests", "Requests accepted and unanswered"),
    "queue_depth": ("tintflow_queue_depth", "Requests that wait for the model"),
    "queued_latents": ("tintflow_queued_latents", "Latents of the requests accepted and unanswered"),
    "queued_pixels": ("tintflow_queued_pixels", "Pixels of the requests accepted and unanswered"),
}
"""names and descriptions of the gauges that `watch` takes"""


class Metrics:
    """The metrics of one application, in a separate registry."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("tintflow_build", "This release", registry=registry).info({"version": __version__})
        counter, histogram = partial(Counter, registry=registry), partial(Histogram, registry=registry)
        self.requests = counter("tintflow_requests", "Requests answered", ["method", "path", "status"])
        self.rejected = counter("tintflow_rejected", "Requests answered by a problem, by its code", ["code"])
        self.request_seconds = histogram("tintflow_request_seconds", "Time to answer", ["path"], buckets=SECONDS)
        self.stage_seconds = histogram("tintflow_stage_seconds", "Time of each step", ["stage"], buckets=SECONDS)
        self.batch_size = histogram("tintflow_batch_size", "Latents in one batch of the model", buckets=BATCH_SIZES)
        self.samples = counter("tintflow_samples", "Colorings made")
        self.pixels = counter("tintflow_pixels", "Pixels of the photos colorized or scored")

    def watch(self, **values: Callable[[], float]) -> None:
        """Report the values of these functions at each scrape, as the gauges of their names in GAUGES."""
        for key, value in values.items():
            name, description = GAUGES[key]
            Gauge(name, description, registry=self._registry).set_function(value)

    def model_loaded(self, colorizer: Colorizer) -> None:
        """Report the loaded model, and the memory of its device, from now on."""
        info = colorizer.info
        facts = {"name": info.name, "device": info.device, "sha256": info.sha256}
        Info("tintflow_model", "The model that is loaded", registry=self._registry).info(facts)
        if colorizer.memory is not None:
            description = "Memory of the model's device: used by this process, and in total"
            memory = Gauge("tintflow_device_memory_bytes", description, ["device", "kind"], registry=self._registry)
            for kind in ("used", "total"):
                now = partial(attrgetter(f"memory.{kind}_bytes"), colorizer)
                memory.labels(info.device, kind).set_function(now)

    def text(self) -> bytes:
        return generate_latest(self._registry)
