"""What Prometheus is told."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.process_collector import ProcessCollector

__all__ = ["Metrics"]

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """The metrics of one application, in a registry of its own."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = Counter(
            "tintflow_requests", "Requests answered", ["method", "path", "status"], registry=self._registry
        )
        self.request_seconds = Histogram(
            "tintflow_request_seconds", "Time to answer", ["path"], buckets=SECONDS, registry=self._registry
        )
        self.stage_seconds = Histogram(
            "tintflow_stage_seconds", "Time of each step", ["stage"], buckets=SECONDS, registry=self._registry
        )
        self.samples = Counter("tintflow_samples", "Colorings made", registry=self._registry)
        self.pixels = Counter("tintflow_pixels", "Pixels of the photos colorized", registry=self._registry)

    def watch(self, accepted: Callable[[], float], ready: Callable[[], float]) -> None:
        """Report, whenever asked, how many requests are accepted and unanswered, and whether the service is ready."""
        gauges = (
            ("tintflow_accepted_requests", "Requests accepted and unanswered", accepted),
            ("tintflow_ready", "1 while requests are accepted", ready),
        )
        for name, description, value in gauges:
            Gauge(name, description, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)
