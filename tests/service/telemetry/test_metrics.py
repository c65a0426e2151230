"""Prometheus metrics of the service, in a format that Prometheus's parser reads."""

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from model.errors import NonFiniteError
from service.http.problems import PROBLEMS
from service.telemetry.metrics import GAUGES
from tests.service.fakes import running
from tests.service.files import COLORS, encoded
from tests.service.waiting import eventually

PATH = "/v1/colorizations"


def scraped(service, at_work: bool = False) -> dict[str, dict[tuple[str, ...], float]]:
    """Read /metrics, by default when no request is at work; return {name: {label values: value}}."""
    if not at_work:
        service.wait_until_idle()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(service.client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


@pytest.fixture(scope="module")
def counted() -> dict[str, dict[tuple[str, ...], float]]:
    """Metrics of a service, scraped after some requests and errors."""
    photo = encoded(COLORS)
    with running() as service:
        service.post(photo, n=3)
        rejected = scraped(service)["tintflow_rejected_total"]
        assert rejected == {(code,): 0 for _, code in PROBLEMS.values()}  # Prometheus counts from what it has seen
        service.post_to("/v1/variations", photo, seed=7, index=2, n=2)
        service.post_to("/v1/likelihoods", photo)
        service.post(b"")
        service.post(photo, n=99)
        for path in ("/v1/nothing", "/v1/nothing/else", PATH, "/openapi.json"):
            service.client.get(path)
        for error in (NonFiniteError("a*b* are not finite"), ZeroDivisionError("unforeseen")):
            service.colorizer.error = error
            service.post(photo)
        return scraped(service)


def test_rejections_are_counted_by_their_code(counted) -> None:
    once = ("undecodable_image", "invalid_parameters", "method_not_allowed", "non_finite", "internal_error")
    rejected = {labels: count for labels, count in counted["tintflow_rejected_total"].items() if count}
    assert rejected == {("not_found",): 2} | {(code,): 1 for code in once}


def test_requests_are_counted_and_paths_of_no_route_do_not_become_labels(counted) -> None:
    requests = counted["tintflow_requests_total"]
    assert {labels: count for labels, count in requests.items() if labels[1] not in ("/readyz", "/metrics")} == {
        ("POST", PATH, "200"): 1,
        ("POST", PATH, "422"): 2,
        ("POST", PATH, "500"): 2,
        ("POST", "/v1/variations", "200"): 1,
        ("POST", "/v1/likelihoods", "200"): 1,
        ("GET", "unmatched", "404"): 2,
        ("GET", PATH, "405"): 1,
        ("GET", "/openapi.json", "200"): 1,
    }


def test_work_is_counted(counted) -> None:
    assert counted["tintflow_samples_total"] == {(): 5}
    assert counted["tintflow_pixels_total"] == {(): 3 * 40 * 24}
    stages = counted["tintflow_stage_seconds_count"]
    assert (stages["encode",], stages["likelihood",]) == (2, 1)


def test_page_of_operations_names_every_metric(counted) -> None:
    told = {name for name in counted if name.startswith("tintflow_") and not name.endswith("_created")}
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in told} | {name for name, _ in GAUGES.values()}
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    assert families == set(re.findall(r"^\| `(tintflow_\w+)`", page, re.MULTILINE))


def test_model_and_its_device_are_told_once_it_is_loaded(loading) -> None:
    service, loaded = loading
    found = scraped(service)
    assert "tintflow_model_info" not in found
    assert found["tintflow_ready"] == {(): 0.0}
    loaded.set()
    service.wait_until_ready()
    found = scraped(service)
    assert set(found["tintflow_model_info"]) == {("cpu", "fake-1", "0" * 64)}
    assert found["tintflow_device_memory_bytes"] == {("cpu", "used"): 1000.0, ("cpu", "total"): 5000.0}
    assert found["tintflow_build_info"].values()
    assert found["tintflow_ready"] == {(): 1.0}


def test_the_queue_is_told_while_it_lasts(service, pool, grey_png) -> None:
    before = scraped(service)
    assert {name for name, _ in GAUGES.values()} <= set(before), "a gauge that nobody sets"
    answers = [service.occupy(pool, grey_png, n=2), *(pool.submit(service.post, grey_png, n=3) for _ in range(2))]
    eventually(lambda: service.metric("queue_depth") == 2)
    held = scraped(service, at_work=True)
    service.colorizer.gate.set()
    assert [answer.result().status_code for answer in answers] == [200] * 3
    assert held["tintflow_queue_depth"] == {(): 2}, "one is on the model, two wait for it"
    assert held["tintflow_accepted_requests"] == {(): 3}
    assert held["tintflow_queued_latents"] == {(): 8}
    assert held["tintflow_queued_pixels"] == {(): 3 * 40 * 24}
    after = scraped(service)
    for name in ("accepted_requests", "queue_depth", "queued_latents", "queued_pixels"):
        assert after[f"tintflow_{name}"] == {(): 0}
    assert after["tintflow_batch_size_sum"][()] - before["tintflow_batch_size_sum"][()] == 8
