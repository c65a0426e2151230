"""Traces: one per request, with a span for each stage."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from threading import Thread

import pytest

from service.telemetry import tracing
from service.telemetry.tracing import TracingUnavailableError, record_stages, telemetry
from tests.service.fakes import Service, running

pytest.importorskip("opentelemetry.sdk", reason="the extra `otel` is not installed")
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

CALLER = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{CALLER}-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """The exporter of the process's tracer provider, which cannot be replaced."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(exporter) -> InMemorySpanExporter:
    exporter.clear()
    return exporter


@pytest.fixture(scope="module")
def traced(exporter) -> Iterator[Service]:
    """A service whose requests are traced."""
    with running(tracing=True) as service:
        yield service


def test_a_request_and_its_stages_are_traced(traced, grey_png, spans) -> None:
    with traced.log() as lines:
        answer = traced.post(grey_png, {"traceparent": TRACEPARENT})
    found = {span.name: span for span in spans.get_finished_spans()}
    request = found.pop("POST /v1/colorizations")
    assert request.attributes["http.response.status_code"] == 200
    assert {"decode", "condition", "sample", "upsample", "encode"} <= set(found)
    for name, seconds in answer.json()["timings"].items():
        span = found[name]
        assert (span.end_time - span.start_time) / 1e9 == pytest.approx(seconds, abs=1e-6)
        assert span.parent.span_id == request.context.span_id
        assert request.start_time <= span.end_time <= request.end_time
    stages = sorted(found.values(), key=lambda span: span.start_time)
    assert all(a.end_time == b.start_time for a, b in pairwise(stages)), "not back to back"
    assert {span.context.trace_id for span in [request, *stages]} == {int(CALLER, 16)}, "not the caller's trace"
    assert {line["trace_id"] for line in lines} == {CALLER}


def test_errors_are_traced_without_their_texts(traced, grey_png, spans, monkeypatch) -> None:
    monkeypatch.setattr(traced.colorizer, "error", ZeroDivisionError("a secret of the inside"))
    traced.post(grey_png)
    traced.wait_until_idle()
    (span,) = spans.get_finished_spans()
    assert span.attributes["http.response.status_code"] == 500
    assert "secret" not in span.to_json()


def test_a_query_string_is_not_traced(traced, grey_png, spans) -> None:
    traced.post_to("/v1/colorizations?api_key=secret", grey_png)
    traced.client.get("/v1/models?secret")
    traced.wait_until_idle()
    found = spans.get_finished_spans()
    assert [span.attributes.get("url.query") for span in found if not span.parent] == ["REDACTED"] * 2
    assert "secret" not in "".join(span.to_json() for span in found)


def test_machines_that_watch_are_not_traced(traced, spans) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        traced.client.get(path)
    traced.wait_until_idle()
    assert not spans.get_finished_spans()


def test_nothing_is_traced_by_default(service, grey_png, spans) -> None:
    service.post(grey_png, {"traceparent": TRACEPARENT})
    service.wait_until_idle()
    assert not spans.get_finished_spans()


def test_stages_outside_of_a_request_are_not_traced(spans) -> None:
    record_stages({"decode": 0.1})
    assert not spans.get_finished_spans()


ASK = """
from fastapi.testclient import TestClient
from service.app import create_app
from service.settings import Settings

def load(settings):
    raise FileNotFoundError

with TestClient(create_app(Settings(), load)) as client:
    client.get("/v1/models?secret")
"""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """The address of a collector, and path and body of each request to it."""
    got: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()


def test_traces_reach_the_collector(collector) -> None:
    url, got = collector
    environment = os.environ | {"TINTFLOW_TRACING": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": url}
    subprocess.run([sys.executable, "-c", ASK], env=environment, check=True, timeout=100)  # noqa: S603
    assert {path for path, _ in got} == {"/v1/traces"}
    sent = b"".join(body for _, body in got)
    assert b"GET /v1/models" in sent
    assert b"secret" not in sent


def test_tracing_without_the_extra_ends_the_start(monkeypatch, caplog) -> None:
    monkeypatch.setattr(tracing, "EXPORTER", "opentelemetry.nothing.like.it")
    with caplog.at_level(logging.WARNING), pytest.raises(TracingUnavailableError, match=r"tintflow\[otel\]"):
        telemetry(True)
    assert telemetry(False)["tracing"] is False
