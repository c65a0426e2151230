"""Faults in the model or around it: only the affected clients get errors."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import structlog
from PIL import Image

from model.errors import NonFiniteError, OutOfMemoryError
from service.cli import program as cli
from service.codecs.sandbox import _Decoder
from service.edge.keys import add_key
from service.engine import CANARY_SIDE
from service.scheduling.lanes import LARGE_DRAWN
from tests.programs import run
from tests.service.fakes import Service
from tests.service.files import encoded, random_image
from tests.service.problems import assert_problem
from tests.service.waiting import eventually, unread_answer

PATIENCE_SECONDS = 10
SMALL_FILE_SECONDS = 2
"""The least time that a file has."""


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NonFiniteError("no number"), 500, "non_finite"),
        (OutOfMemoryError("cuda has no memory left"), 503, "out_of_memory"),
        (RuntimeError("nobody foresaw this"), 500, "internal_error"),
    ],
)
def test_those_that_wait_share_a_batch_and_a_failure_is_one_requests_own(
    service, pool, grey_png, monkeypatch, error, status, code
) -> None:
    draw_all, sizes = service.colorizer.draw_all, []

    def failing(tasks):
        sizes.append(len(tasks))
        if any(task.options.seed == 3 for task in tasks):
            raise error
        return draw_all(tasks)

    monkeypatch.setattr(service.colorizer, "draw_all", failing)
    asked = [{"n": n, "seed": n, "temperature": n / 4} for n in (1, 2, 3, 4, 5)]
    first = service.occupy(pool, grey_png)
    waiting = [pool.submit(service.post, grey_png, **fields) for fields in asked]
    eventually(lambda: service.metric("queue_depth") == len(asked))
    service.colorizer.gate.set()
    assert first.result().status_code == 200
    answers = [each.result() for each in waiting]
    assert sizes[1] == 5, "all that waited are one batch"
    assert_problem(answers.pop(2), status, code)
    for fields, answer in zip((asked[i] for i in (0, 1, 3, 4)), answers, strict=True):
        assert answer.json()["data"] == service.post(grey_png, **fields).json()["data"]
        assert (answer.json()["seed"], answer.json()["temperature"]) == (fields["seed"], fields["temperature"])


def test_readiness_tells_the_truth_and_a_model_that_stays_broken_asks_for_a_restart(start, grey_png) -> None:
    service = start(canary_seconds=0.2)
    with service.log() as lines:
        service.colorizer.error = NonFiniteError("no number")
        eventually(lambda: service.client.get("/readyz").status_code == 503)
        assert service.client.get("/livez").status_code == 200
        for answer in (service.client.get("/readyz"), service.post(grey_png)):
            assert_problem(answer, 503, "unhealthy")
        assert service.metric("ready") == 0
        for path in ("/livez", "/v2/health/live"):
            eventually(lambda path=path: service.client.get(path).status_code == 503)
        service.colorizer.error = None
        service.wait_until_ready()
        assert service.client.get("/livez").status_code == 200
        assert service.post(grey_png).status_code == 200
    assert [line["event"] for line in lines if "canary" in line["event"]] == ["canary_failed", "canary_recovered"]


def test_a_model_that_hangs_is_not_ready(start) -> None:
    service = start(canary_seconds=0.05, deadline_seconds=2)  # enough to start the first decoder on a busy machine
    service.colorizer.gate.clear()
    eventually(lambda: service.client.get("/readyz").json().get("code") == "unhealthy")
    service.colorizer.gate.set()
    service.wait_until_ready()


def test_a_large_lane_that_hangs_is_not_ready(start, pool, grey_png, monkeypatch) -> None:
    monkeypatch.setattr("service.scheduling.lanes.LARGE_PIXELS", CANARY_SIDE**2)
    service = start(canary_seconds=0.05)
    service.hurry(grey_png, 1.5, monkeypatch)  # the canary in the small lane is in time
    finish, gate = service.colorizer.finish, threading.Event()

    def hang(photo, drawn, look):
        if photo.size > CANARY_SIDE**2:
            assert gate.wait(10 * PATIENCE_SECONDS)
        yield from finish(photo, drawn, look)

    monkeypatch.setattr(service.colorizer, "finish", hang)
    with structlog.testing.capture_logs() as lines:
        large = pool.submit(service.post, encoded(Image.new("L", (100, 100))))
        eventually(lambda: any("codec-large" in line.get("reason", "") for line in lines))
        assert service.client.get("/readyz").json()["code"] == "unhealthy"
        gate.set()
        assert large.result().status_code == 504
        service.wait_until_ready()


def stopped_decoder(service, photo: bytes) -> _Decoder:
    """Suspend the service's only decoder, so that it is at work until it is killed."""
    assert service.post(photo).status_code == 200
    (decoder,) = service.app.state.engine._decoders._all
    os.kill(decoder._process.pid, signal.SIGSTOP)
    return decoder


def test_a_decoder_that_is_killed_is_replaced(start, pool, grey_png) -> None:
    service = start(queue_latents=64)
    decoder, decoders = stopped_decoder(service, grey_png), service.app.state.engine._decoders
    unlucky = pool.submit(service.post, grey_png, n=1, candidates=64, select="likely")
    eventually(lambda: not decoders._idle)
    assert service.metric("queued_latents") == 0, "it may not decode"
    lucky = pool.submit(service.post, grey_png)
    assert lucky.result().status_code == 200, "one file's decoder is nobody else's"
    os.kill(decoder._process.pid, signal.SIGKILL)
    assert_problem(unlucky.result(), 503, "decoder_lost")
    assert decoder not in decoders._all
    assert service.post(grey_png).status_code == 200


def test_a_decoder_is_killed_when_its_client_hangs_up(start, grey_png) -> None:
    service = start()
    decoder = stopped_decoder(service, grey_png)
    with pytest.raises(httpx.ReadTimeout):
        service.client.post("/v1/colorizations", files={"image": grey_png}, timeout=0.5)
    hung_up = time.monotonic()
    eventually(lambda: not decoder.lives)
    assert time.monotonic() - hung_up < SMALL_FILE_SECONDS, "its time was over"
    assert service.post(grey_png).status_code == 200


ENDLESS = {"decode_seconds": 86_400, "max_pixels": 64 * 64}
"""Settings by which a slow file has hours to decode."""


@pytest.fixture
def may_end(start, monkeypatch) -> Iterator[threading.Event]:
    """An event until which decoders of slow files do not end; services stop after it."""
    event, end = threading.Event(), _Decoder.end

    def slowly_ended(decoder: _Decoder) -> int:
        decoder.kill()
        if not decoder.quick:
            event.wait(120)
        return end(decoder)

    monkeypatch.setattr(_Decoder, "end", slowly_ended)
    yield event
    event.set()


@pytest.mark.usefixtures("slow_files")
def test_slow_files_hold_their_place_until_their_decoders_are_gone(start, pool, grey_png, monkeypatch, may_end) -> None:
    """Otherwise more would follow, and files on their first try would wait for a thread."""
    monkeypatch.setattr("service.pipeline.DEATH_SECONDS", 60)
    service = start(codec_threads=2, **ENDLESS)
    engine = service.app.state.engine
    with unread_answer(service, b"slow", address="127.0.0.3", reference=b"slow"):  # if one ends, the other is canceled
        eventually(lambda: any(not each.quick for each in engine._decoders._all))
    with unread_answer(service, b"slow", address="127.0.0.4"):
        eventually(lambda: len(engine._quick_first._slow_owners._until) == 2)
        assert pool.submit(service.post, grey_png).result(30).status_code == 200
        assert service.metric("accepted_requests") == 2  # the decoder of the first still runs
    may_end.set()
    eventually(lambda: service.metric("accepted_requests") == 0)


@pytest.mark.usefixtures("slow_files", "may_end")
def test_a_decoder_that_does_not_end_keeps_no_request(start, monkeypatch) -> None:
    monkeypatch.setattr("service.pipeline.DEATH_SECONDS", 0.1)
    service = start(**ENDLESS)
    with unread_answer(service, b"slow"):
        eventually(lambda: any(not each.quick for each in service.app.state.engine._decoders._all))
    eventually(lambda: service.metric("accepted_requests") == 0)


@pytest.mark.usefixtures("slow_files")
def test_a_decoded_photo_counts_while_its_reference_waits(start, grey_photo, grey_png) -> None:
    """Otherwise, photos that decode at once beside slow references would fill memory by the thousands."""
    pixels = grey_photo.width * grey_photo.height
    service = start(**ENDLESS, queue_pixels=3 * pixels - 1)
    with unread_answer(service, grey_png, reference=b"slow"):
        eventually(lambda: service.metric("queued_pixels") == pixels)
        with unread_answer(service, grey_png, reference=b"slow"):
            eventually(lambda: service.metric("queued_pixels") == 2 * pixels)
            assert service.post(grey_png).json()["code"] == "queue_full"
    eventually(lambda: service.metric("queued_pixels") == 0)


def test_a_preview_counts_beside_its_photo(start, pool, grey_photo, grey_png) -> None:
    service = start()
    service.colorizer.close_gate()
    answer = pool.submit(service.post, grey_png, output_max_side=grey_photo.width // 2, n=1)
    expected = grey_photo.width * grey_photo.height * 5 // 4
    eventually(lambda: service.metric("queued_pixels") == expected)
    service.colorizer.gate.set()
    assert answer.result(30).json()["width"] == grey_photo.width // 2
    eventually(lambda: service.metric("queued_pixels") == 0)


@pytest.mark.usefixtures("slow_files")
def test_a_client_that_hangs_up_on_a_slow_file_counts_as_slow(start, grey_png, monkeypatch) -> None:
    monkeypatch.setattr("service.pipeline.ORDINARY_SECONDS", 0.05)
    service = start()
    assert service.post(grey_png).status_code == 200
    with pytest.raises(httpx.ReadTimeout):
        service.client.post("/v1/colorizations", files={"image": b"slow"}, timeout=0.3)
    eventually(lambda: bool(service.app.state.engine._quick_first._slow_owners._until))


def test_a_good_reference_beside_a_broken_photo_is_not_slow(start, grey_png) -> None:
    service = start()
    assert service.post(grey_png).status_code == 200
    answer = service.post_to("/v1/transfers", grey_png[:-30], reference=encoded(random_image(2000, 2000)), n=1)
    assert_problem(answer, 422, "undecodable_image")
    decoders = service.app.state.engine._decoders
    eventually(lambda: len(decoders._idle) == len(decoders._all))  # the good file is finished or given up
    assert not service.app.state.engine._quick_first._slow_owners._until


@contextmanager
def neighbor(service) -> Iterator[Service]:
    """The service for a client at another address."""
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(transport=transport, base_url=service.client.base_url, timeout=60) as client:
        yield Service(service.app, service.server, client, service.colorizer)


def test_one_address_holds_a_share_of_the_queue(start, pool, grey_png) -> None:
    """Alone, it may hold all latents; others are still accepted, and then it is limited to its share."""
    service = start(queue_latents=8, queue_share=0.5, batch_latents=1)
    busy = service.occupy(pool, grey_png, n=4)
    again = pool.submit(service.post, grey_png, n=4)
    eventually(lambda: service.metric("queued_latents") == 8)
    assert_problem(service.post(grey_png, n=1), 429, "queue_full")
    with neighbor(service) as other:
        asked = pool.submit(other.post, grey_png, n=2)
        eventually(lambda: service.metric("queued_latents") == 10 or asked.done())
        answer = service.post(grey_png, n=1)
        assert "8 of this client's latents are waiting, and its limit is now 4" in answer.json()["detail"]
        service.colorizer.gate.set()
        assert asked.result().status_code == 200
    assert {busy.result().status_code, again.result().status_code} == {200}


def test_a_choice_among_many_gives_way_to_others(start, pool, grey_png, monkeypatch) -> None:
    service = start(batch_latents=2)
    draw_all, answered = service.colorizer.draw_all, threading.Event()

    def held(tasks):
        drawn = draw_all(tasks)
        if any(task.options.offset + task.options.latents == 64 for task in tasks):  # includes the last candidate
            assert answered.wait(PATIENCE_SECONDS)
        return drawn

    monkeypatch.setattr(service.colorizer, "draw_all", held)
    with neighbor(service) as other:
        assert other.post(grey_png, n=1).status_code == 200
        large = service.occupy(pool, grey_png, n=4, candidates=64, select="diverse")
        waiting = pool.submit(other.post, grey_png, n=1)
        eventually(lambda: service.metric("queue_depth") == 1)
        service.colorizer.gate.set()
        assert waiting.result(PATIENCE_SECONDS / 2).status_code == 200
        answered.set()
        assert len(large.result().json()["data"]) == 4


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_clock_jumps(service, pool, grey_png, monkeypatch, jump: float) -> None:
    now = time.time
    busy = service.occupy(pool, grey_png)
    monkeypatch.setattr(time, "time", lambda: now() + jump)
    time.sleep(0.1)
    service.colorizer.gate.set()
    assert busy.result().status_code == 200
    timings = service.post(grey_png).json()["timings"]
    assert all(0 <= seconds < PATIENCE_SECONDS for seconds in timings.values())


def test_large_requests_do_not_stand_in_the_way(start, pool, grey_png, monkeypatch) -> None:
    """Small requests pass large ones, even if large ones hold all of their threads."""
    monkeypatch.setattr("service.scheduling.lanes.LARGE_PIXELS", 16 * 300 * 200 - 1)
    service = start(codec_threads=2)
    finish, gate, held = service.colorizer.finish, threading.Event(), threading.Event()

    def slow(photo, drawn, look):
        if photo.shape == (200, 300):
            held.set()
            assert gate.wait(PATIENCE_SECONDS)  # in a thread, like upsampling
        yield from finish(photo, drawn, look)

    monkeypatch.setattr(service.colorizer, "finish", slow)
    photo = encoded(Image.new("L", (300, 200)))
    busy = [pool.submit(service.post, photo, n=16) for _ in range(4)]
    assert held.wait(PATIENCE_SECONDS)
    small = [pool.submit(service.post, grey_png) for _ in range(4)]
    assert [each.result().status_code for each in small] == [200] * 4
    assert not any(each.done() for each in busy)
    gate.set()
    assert [each.result().status_code for each in busy] == [200] * 4


def test_a_large_request_is_refused_when_it_comes_or_not_at_all(start, pool, grey_png, monkeypatch) -> None:
    """It is not refused at its turn, after it waited for unread answers; while it waits, it is in no queue."""
    monkeypatch.setattr("service.scheduling.lanes.LARGE_PIXELS", 300 * 200)
    monkeypatch.setattr("service.pipeline.encode", lambda *_, **__: bytes(3_000_000))
    large_photo = encoded(Image.new("L", (300, 200)))  # several colorings, megabytes each, are a large request
    service = start(queue_latents=8, batch_latents=1)
    with ExitStack() as others:
        with ExitStack() as first:
            for _ in range(LARGE_DRAWN):
                first.enter_context(unread_answer(service, large_photo, n=4))
            eventually(lambda: len(service.colorizer.options) == 1 + LARGE_DRAWN)  # after the warm-up
            eventually(lambda: service.metric("queued_latents") == 0)
            waits = pool.submit(service.post, large_photo, n=4)
            eventually(lambda: service.metric("accepted_requests") == LARGE_DRAWN + 1)
            eventually(lambda: service.metric("queued_pixels") == (LARGE_DRAWN + 1) * 300 * 200)
            others.callback(service.colorizer.gate.set)
            other = others.enter_context(neighbor(service))
            service.colorizer.gate.clear()
            full = pool.submit(other.post, grey_png, n=8)
            eventually(lambda: service.metric("queued_latents") == 8)
            assert [options.n for options in service.colorizer.options].count(4) == LARGE_DRAWN
            assert_problem(service.post(large_photo, n=4), 429, "queue_full")  # while no turn is free
        eventually(lambda: service.metric("queued_latents") == 12 or waits.done())  # its turn has come
        service.colorizer.gate.set()
        assert {full.result().status_code, waits.result().status_code} == {200}


def damage(weights: Path) -> None:
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize(("spoil", "words", "keys"), [(damage, "SHA-256", True), (Path.unlink, "no weights at", False)])
def test_weights_that_cannot_be_used_end_the_start_with_one_line(
    monkeypatch, tmp_path, tiny_weights: Path, spoil: Callable[[Path], None], words: str, keys: bool
) -> None:
    spoil(tiny_weights)
    if keys:
        monkeypatch.setenv("TINTFLOW_API_KEYS_FILE", str(tmp_path / "api-keys.txt"))
        add_key(tmp_path / "api-keys.txt", "ann")
    monkeypatch.setenv("TINTFLOW_WEIGHTS", str(tiny_weights))
    monkeypatch.setenv("TINTFLOW_DEVICE", "cpu")
    monkeypatch.setattr("service.telemetry.logs.configure", lambda log_format: None)
    with structlog.testing.capture_logs() as lines:
        run(cli.app, "serve", "--port", 0, status=1)
    starting, line = lines
    assert (starting["event"], starting["keys_required"]) == ("starting", keys)
    assert (line["event"], line.get("exc_info")) == ("load_failed", None)  # one line, without a traceback
    assert str(tiny_weights) in line["reason"]
    assert words in line["reason"]


def test_an_address_in_use_ends_the_start_with_status_1(service, monkeypatch) -> None:
    monkeypatch.setattr("service.telemetry.logs.configure", lambda log_format: None)
    monkeypatch.setattr("service.cli.program.load_colorizer", lambda settings: service.colorizer)
    with structlog.testing.capture_logs() as lines:
        run(cli.app, "serve", "--port", service.client.base_url.port, status=1)
    assert lines[-1]["reason"] == f"not listening on 127.0.0.1:{service.client.base_url.port}; the error above says why"


def test_a_service_whose_decoders_do_not_work_is_not_ready(start) -> None:
    service = start(canary_seconds=0.05)
    decoders = service.app.state.engine._decoders
    eventually(lambda: bool(decoders._idle))
    decoders._seconds = 0.01
    for decoder in list(decoders._all):
        os.kill(decoder._process.pid, signal.SIGSTOP)
    eventually(lambda: service.client.get("/readyz").json().get("code") == "unhealthy")
    decoders._seconds = 20
    service.wait_until_ready()  # another took its place
