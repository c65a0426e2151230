"""OpenTelemetry: FastAPI's span for each request, and inside it one for each stage."""

import time
from collections.abc import Mapping
from importlib import import_module

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from starlette.types import Scope

__all__ = ["QUIET_PATHS", "TracingUnavailableError", "hide_query", "record_stages", "telemetry", "trace_id"]

QUIET_PATHS = {"/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"}
"""paths that machines request every few seconds"""
NANOSECONDS = 1_000_000_000
EXPORTER = "opentelemetry.exporter.otlp.proto.http"


class TracingUnavailableError(RuntimeError):
    """Tracing is on, but its extra is not installed."""


def telemetry(tracing: bool) -> TelemetryConfig:
    """Configure FastAPI's tracing: requests, if wanted, sent to OTEL_EXPORTER_OTLP_ENDPOINT.

    Raises TracingUnavailableError.
    """
    if tracing:
        try:
            import_module(EXPORTER)
        except ImportError as error:
            message = "TINTFLOW_TRACING needs more packages: pip install 'tintflow[otel]'"
            raise TracingUnavailableError(message) from error
    return TelemetryConfig(
        tracing=tracing,
        auto_configure=tracing,
        metrics=False,  # Prometheus has them
        logs=False,  # they would hold the texts of exceptions
        operation_spans=False,
        exclude=lambda scope: scope.get("path") in QUIET_PATHS,
    )


def record_stages(timings: Mapping[str, float]) -> None:
    """Add spans to the current request's: its stages (seconds, in their order), back to back, the last ending now."""
    if not trace.get_current_span().is_recording():
        return
    tracer = trace.get_tracer("tintflow")
    start = time.time_ns() - round(sum(timings.values()) * NANOSECONDS)
    for stage, seconds in timings.items():
        end = start + round(seconds * NANOSECONDS)
        tracer.start_span(stage, start_time=start).end(end)
        start = end


def hide_query(scope: Scope) -> None:
    """Remove the query string from the current request's span: it may hold a key by mistake."""
    if scope["query_string"]:
        trace.get_current_span().set_attribute("url.query", "REDACTED")


def trace_id() -> dict[str, str]:
    """Return the ids that link a log line to its trace; empty without a trace."""
    context = trace.get_current_span().get_span_context()
    return {"trace_id": trace.format_trace_id(context.trace_id)} if context.is_valid else {}
