"""Streamed colorings: shown one by one, and resumed after a stream that ends early."""

import json
import threading
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Route, expect

from model.protocol import Finished
from tests.service.page.steps import expect_colorings
from tests.service.waiting import PATIENCE_SECONDS

STREAM = "text/event-stream"


def test_events_come_out_as_soon_as_they_are_whole(open_page) -> None:
    """Any split of the bytes works: all line ends, comments, data of several lines, letters of two bytes.

    Time for a large picture is linear in its size.
    """
    page = open_page("/page/events.js", ready=False)
    text = (
        'data: a\n\n: comment\nevent: coloring\r\ndata: {"ä": 1,\r\ndata: "b": 2}\r\n\r\n'
        "event: empty\n\nid: 3\rdata:x\r\rdata: never ended"
    )
    found = page.evaluate(
        """async ([text, sizes]) => {
          const { events } = await import('/page/events.js');
          const bytes = new TextEncoder().encode(text);
          const found = sizes.map(() => []);
          for (const [which, size] of sizes.entries()) {
            const body = new ReadableStream({start(controller) {
              for (let i = 0; i < bytes.length; i += size) controller.enqueue(bytes.slice(i, i + size));
              controller.close();
            }});
            for await (const each of events(body)) found[which].push([each.event, each.data]);
          }
          return found;
        }""",
        [text, [1, 2, 7, 1000]],
    )
    assert found == 4 * [[["message", "a"], ["coloring", '{"ä": 1,\n"b": 2}'], ["message", "x"]]]
    seconds = page.evaluate(
        """async () => {
          const { events } = await import('/page/events.js');
          const piece = new TextEncoder().encode('A'.repeat(65536));
          let left = 640; // 40 MB
          const body = new ReadableStream({pull(controller) {
            if (left === 640) controller.enqueue(new TextEncoder().encode('data: '));
            if (left--) return controller.enqueue(piece);
            controller.enqueue(new TextEncoder().encode('\\n\\n'));
            controller.close();
          }});
          const began = performance.now();
          for await (const { data } of events(body)) if (data.length !== 640 * 65536) throw new Error('not whole');
          return (performance.now() - began) / 1000;
        }"""
    )
    assert seconds < 5


def test_a_connection_that_is_cut_a_stream_that_ends_early_and_ones_that_end_with_an_error(
    open_page, photo, service, monkeypatch
) -> None:
    """Each coloring is shown while the next is on the way, and stays if that never arrives."""
    page = open_page("/#seed=5", expected="net::ERR_", reduced_motion="no-preference")
    is_cut, finish = threading.Event(), service.colorizer.finish

    def finish_two(*arguments: Any) -> Iterator[Finished]:
        for i, finished in enumerate(finish(*arguments)):
            assert i < 2 or is_cut.wait(PATIENCE_SECONDS)
            yield finished

    monkeypatch.setattr(service.colorizer, "finish", finish_two)
    page.set_input_files("#files", photo)
    expect(page.locator(".card.new")).to_have_count(2)
    expect(page.locator("#progress-text")).to_have_text("2 of 4")
    (connection,) = (each for each in list(service.server.server_state.connections) if each._is_at_work())
    connection.loop.call_soon_threadsafe(connection.transport.abort)
    expect(page.locator("#run-error")).to_contain_text("does not answer")
    is_cut.set()
    expect(page.locator(".card.new")).to_have_count(2)
    page.click("#retry")
    expect(page.locator(".card.new")).to_have_count(4)
    expect(page.locator("#run-error")).to_be_hidden()
    pictures = page.locator(".card.new img").evaluate_all("all => all.map((each) => each.decode())")
    assert len(pictures) == 4  # each is whole
    whole = service.post(photo.read_bytes(), {"Accept": STREAM}, n=4, offset=4, seed=5).text

    def answer(route: Route) -> None:
        assert STREAM in route.request.headers["accept"]
        route.fulfill(body=whole[: whole.rindex("event: coloring")], content_type=STREAM)

    page.route("**/v1/colorizations", answer, times=1)
    page.click("#colorize")
    expect(page.locator(".card.new")).to_have_count(7)
    expect(page.locator("#run-error")).to_contain_text("does not answer")
    page.click("#retry")
    expect(page.locator(".card.new")).to_have_count(8)
    assert [(each.n, each.offset) for each in service.colorizer.options] == [(4, 0), (2, 2), (4, 4), (1, 7)]
    problem = {"status": 503, "code": "out_of_memory", "detail": "the device has no memory left"}
    body = f"event: error\ndata: {json.dumps(problem)}\n\n"
    page.route("**/v1/colorizations", lambda route: route.fulfill(body=body, content_type=STREAM))
    page.click("#colorize")
    expect(page.locator("#run-error")).to_contain_text("no memory left")


def test_the_page_says_why_the_first_coloring_takes_long(page, service, photo) -> None:
    """Also after a stream that says when to try again: then the request waits again, and for longer than was said."""
    service.colorizer.close_gate()
    page.clock.install()
    page.set_input_files("#files", photo)
    progress = page.locator("#progress-text")
    expect(progress).to_have_text("0 of 4")
    assert service.colorizer.entered.acquire(timeout=60)
    page.clock.run_for(5000)
    expect(progress).to_have_text("The service works on one photo after another")
    service.colorizer.gate.set()
    expect_colorings(page, 4)
    service.colorizer.close_gate()
    full = {"status": 429, "code": "queue_full", "detail": "the queue is full", "retry_after": 2}
    body = f": still working\n\nevent: error\ndata: {json.dumps(full)}\n\n"
    page.route("**/v1/colorizations", lambda route: route.fulfill(body=body, content_type=STREAM), times=1)
    page.click("#colorize")
    expect(progress).to_contain_text("Trying again in 2 s")
    page.clock.run_for(2000)
    expect(progress).to_have_text("The service works on one photo after another")
    service.colorizer.gate.set()
    expect_colorings(page, 8)
    expect(page.locator("#run-progress")).to_be_hidden()
