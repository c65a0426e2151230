"""Colorings that the service streams are shown one by one; a stream that ends early is gone on with."""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import SimpleNamespace

import pytest
from playwright.sync_api import Route, expect

STREAM = "text/event-stream"


def test_a_stream_that_ends_early_or_with_an_error(open_page, photo, service) -> None:
    page = open_page("/#seed=5")
    whole = service.post(photo.read_bytes(), {"Accept": STREAM}, n=4, seed=5).text

    def answer(route: Route) -> None:
        assert STREAM in route.request.headers["accept"]
        route.fulfill(body=whole[: whole.rindex("event: coloring")], content_type=STREAM)

    page.route("**/v1/colorizations", answer, times=1)
    page.set_input_files("#files", photo)
    expect(page.locator(".card.new")).to_have_count(3)
    expect(page.locator("#run-error")).to_contain_text("does not answer")
    page.click("#retry")
    expect(page.locator(".card.new")).to_have_count(4)
    assert [(each.n, each.offset) for each in service.colorizer.options] == [(4, 0), (1, 3)]
    problem = {"status": 503, "code": "out_of_memory", "detail": "the device has no memory left"}
    body = f"event: error\ndata: {json.dumps(problem)}\n\n"
    page.route("**/v1/colorizations", lambda route: route.fulfill(body=body, content_type=STREAM))
    page.click("#colorize")
    expect(page.locator("#run-error")).to_contain_text("no memory left")


def test_events_come_out_as_soon_as_they_are_whole(page) -> None:
    """However the bytes are cut: line ends of all kinds, comments, data of more than one line, letters of two bytes.

    A large picture takes time that grows as its size.
    """
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


class Wire:
    """A wire to a service that is slow, or held and then cut. It counts the colorings that go over it."""

    MARK = b"event: coloring"

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.left: int | None = None  # colorings until it is held; None: all pass
        self.cut = threading.Event()
        self.piece, self.pause = 65_536, 0.0  # bytes at a time, seconds between two
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.cut.set()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                threading.Thread(target=self._carry, args=(near, far, lambda data: [data]), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, self._split), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, split: Callable[[bytes], Iterable[bytes]]) -> None:
        with source, target:
            with suppress(OSError):
                while data := source.recv(self.piece):
                    for part in split(data):
                        target.sendall(part)
            for each in (source, target):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)  # closing would not end the other direction's recv

    def _split(self, data: bytes) -> Iterator[bytes]:
        """Yield what may pass. Raises OSError where the wire is cut."""
        threading.Event().wait(self.pause)
        begins = [place.start() for place in re.finditer(self.MARK, data)]
        if self.left is None or len(begins) <= self.left:
            self.left = None if self.left is None else self.left - len(begins)
            yield data
            return
        first = begins[self.left]
        self.left = None
        yield data[:first]
        self.cut.wait(30)
        raise OSError("cut")


@pytest.fixture
def wire(service) -> Iterator[Wire]:
    wire = Wire(service.client.base_url.port)
    yield wire
    wire.close()


def test_a_connection_that_is_cut_and_then_slow(open_page, wire: Wire, photo, service) -> None:
    """Each coloring is shown while the next is on its way, and stays when that never comes."""
    url = f"http://127.0.0.1:{wire.port}/"
    wired = SimpleNamespace(client=SimpleNamespace(base_url=url), colorizer=service.colorizer)
    page = open_page(of=wired, expected="net::ERR_", reduced_motion="no-preference")
    wire.left = 2
    page.set_input_files("#files", photo)
    expect(page.locator(".card.new")).to_have_count(2)
    expect(page.locator("#progress-text")).to_have_text("2 of 4")
    wire.cut.set()
    expect(page.locator("#run-error")).to_contain_text("does not answer")
    expect(page.locator(".card.new")).to_have_count(2)
    wire.piece, wire.pause = 512, 0.002
    page.click("#retry")
    expect(page.locator(".card.new")).to_have_count(4)
    expect(page.locator("#run-error")).to_be_hidden()
    assert [(each.n, each.offset) for each in service.colorizer.options] == [(4, 0), (2, 2)]
    pictures = page.locator(".card.new img").evaluate_all("all => all.map((each) => each.decode())")
    assert len(pictures) == 4  # each is whole
