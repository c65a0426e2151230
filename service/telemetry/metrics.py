"""Metrics for Prometheus."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

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
"""name and description of what `watch` can be given"""


class Metrics:
    """The metrics of one application, in a registry of its own."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("tintflow_build", "This release", registry=registry).info({"version": __version__})
        self.requests = Counter(
            "tintflow_requests", "Requests answered", ["method", "path", "status"], registry=registry
        )
        self.rejected = Counter(
            "tintflow_rejected", "Requests answered by a problem, by its code", ["code"], registry=registry
        )
        self.request_seconds = Histogram(
            "tintflow_request_seconds", "Time to answer", ["path"], buckets=SECONDS, registry=registry
        )
        self.stage_seconds = Histogram(
            "tintflow_stage_seconds", "Time of each step", ["stage"], buckets=SECONDS, registry=registry
        )
        self.batch_size = Histogram(
            "tintflow_batch_size", "Latents in one batch of the model", buckets=BATCH_SIZES, registry=registry
        )
        self.samples = Counter("tintflow_samples", "Colorings made", registry=registry)
        self.pixels = Counter("tintflow_pixels", "Pixels of the photos colorized or scored", registry=registry)

    def watch(self, **values: Callable[[], float]) -> None:
        """Report, whenever asked, what these functions return, under the names that GAUGES has for them."""
        for key, value in values.items():
            name, description = GAUGES[key]
            Gauge(name, description, registry=self._registry).set_function(value)

    def model_loaded(self, colorizer: Colorizer) -> None:
        """Report from now on which model is loaded, and the memory of its device."""
        info = colorizer.info
        facts = {"name": info.name, "device": info.device, "sha256": info.sha256}
        Info("tintflow_model", "The model that is loaded", registry=self._registry).info(facts)
        self._registry.register(_DeviceMemory(colorizer))

    def text(self) -> bytes:
        return generate_latest(self._registry)


class _DeviceMemory(Collector):
    """Asks the model for its device's memory whenever the metrics are read."""

    def __init__(self, colorizer: Colorizer) -> None:
        self._colorizer = colorizer
        self._device = colorizer.info.device

    def collect(self) -> Iterator[GaugeMetricFamily]:
        memory = self._colorizer.memory
        if memory is None:
            return
        description = "Memory of the model's device: used by this process, and in all"
        family = GaugeMetricFamily("tintflow_device_memory_bytes", description, labels=["device", "kind"])
        family.add_metric([self._device, "used"], memory.used_bytes)
        family.add_metric([self._device, "total"], memory.total_bytes)
        yield family
