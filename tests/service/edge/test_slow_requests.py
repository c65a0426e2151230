"""Time and size limits on request heads, trailers and refused bodies."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from unittest.mock import patch

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.edge.slow_requests import MAX_HEAD_BYTES, PIECE_BYTES, Connection
from tests.service.fakes import Service
from tests.service.files import encoded, random_image
from tests.service.waiting import eventually, received, upload

PATIENCE_SECONDS = 10
WHOLE = b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n"


def connected(service) -> socket.socket:
    return socket.create_connection(service.address, PATIENCE_SECONDS)


def answers(service, *pieces: bytes) -> bytes:
    """Send pieces with pauses; return everything received until the connection is closed."""
    with connected(service) as connection:
        for i, piece in enumerate(pieces):
            time.sleep(0.2 if i else 0)
            connection.sendall(piece)
        return received(connection)


@contextmanager
def at_work(service, photo: bytes) -> Iterator[socket.socket]:
    """Open a connection whose request waits for the colorizer's gate."""
    service.colorizer.close_gate()
    with connected(service) as connection:
        connection.sendall(b"".join(upload(service, photo, n="1")))
        assert service.colorizer.entered.acquire(timeout=PATIENCE_SECONDS), "not at work"
        yield connection


@contextmanager
def half_heads(service, count: int) -> Iterator[list[socket.socket]]:
    """Open connections one after another, each with an incomplete head."""
    with ExitStack() as opened:
        halves: list[socket.socket] = []
        for _ in range(count):
            time.sleep(0.01)  # event loops count whole milliseconds
            halves.append(opened.enter_context(connected(service)))
            halves[-1].sendall(b"GET /livez HTTP/1.1\r\n")
            connections = service.server.server_state.connections
            eventually(lambda: sum(each._receiving for each in list(connections)) == len(halves))  # noqa: B023
        time.sleep(0.01)
        yield halves


@pytest.mark.parametrize("sent", [b"", b"GET /livez HTTP/1.1\r\nHost: t", WHOLE + b"GET /livez HTT"])
def test_an_unfinished_head_is_cut_off(service, monkeypatch, sent: bytes) -> None:
    monkeypatch.setattr("service.edge.slow_requests.HEAD_SECONDS", 0.3)
    assert answers(service, sent).count(b"HTTP/1.1 200") == (WHOLE in sent)


NOTHING = b"POST /nothing HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000000\r\n"
"""It is answered before its body."""


@pytest.mark.parametrize(
    ("limit", "sent", "more"),
    [
        ("slow_requests.HEAD_SECONDS", NOTHING + b"\r\n", b"a"),
        ("slow_requests.HEAD_SECONDS", NOTHING + b"Connection: close\r\n\r\n", b"a"),
        ("slow_readers.LINGER_SECONDS", WHOLE * 3, WHOLE),
    ],
)
def test_what_follows_an_answer_is_not_read_for_ever(
    service, monkeypatch, limit: str, sent: bytes, more: bytes
) -> None:
    monkeypatch.setattr(f"service.edge.{limit}", 0.3)
    with connected(service) as connection:
        connection.sendall(sent)
        assert connection.recv(4096).startswith(b"HTTP/1.1 404" if sent.startswith(NOTHING) else b"HTTP/1.1 200")
        with pytest.raises(ConnectionError):
            send_often(connection, more, PATIENCE_SECONDS * 20, 0.05)


def test_the_end_of_the_service_waits_for_no_body_of_an_answered_request(start) -> None:
    service = start()
    with connected(service) as connection:
        connection.sendall(NOTHING + b"\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 404")
        stopped = time.monotonic()
        service.server.should_exit = True
        eventually(lambda: not service.server.started or not service.server.server_state.connections)
        assert time.monotonic() - stopped < PATIENCE_SECONDS / 2


def send_often(connection: socket.socket, part: bytes, times: int, seconds: float = 0) -> None:
    for _ in range(times):
        connection.sendall(part)
        time.sleep(seconds)


@pytest.mark.parametrize("head", [b"POST /nothing HTTP/1.0\r\n", b"POST /nothing HTTP/1.1\r\nConnection: close\r\n"])
def test_a_client_that_sends_its_whole_refused_body_gets_the_answer(service, head: bytes) -> None:
    size = 20_000_000  # more than the kernel holds
    with connected(service) as connection:
        connection.sendall(head + f"Content-Length: {size}\r\n\r\n".encode())
        connection.sendall(bytes(size))
        assert received(connection).endswith(b': Not Found"}')


def test_a_request_that_takes_longer_than_a_head_may_is_received(service, monkeypatch, grey_png) -> None:
    monkeypatch.setattr("service.edge.slow_requests.HEAD_SECONDS", 0.2)
    head, body = upload(service, grey_png, n="1")
    with connected(service) as connection:
        connection.sendall(head + body[:50])
        time.sleep(0.3)
        service.colorizer.gate.clear()
        connection.sendall(body[50:] + b"GET /livez HTT")  # and a part of the next
        time.sleep(0.3)
        service.colorizer.gate.set()
        assert received(connection).startswith(b"HTTP/1.1 200")


CHUNKED = b"POST /v1/colorizations HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("begun", [b"GET /livez HTTP/1.1\r\n", CHUNKED + b"0\r\n", CHUNKED + b"1\r\n{\r\n0\r\n"])
@pytest.mark.parametrize("more", [b"a" * 1000, b"a: b\r\n" * 200])
def test_a_head_or_trailer_without_end_is_refused(service, begun: bytes, more: bytes) -> None:
    with connected(service) as connection:
        connection.sendall(begun)
        with pytest.raises(ConnectionError):
            send_often(connection, more, 100 * MAX_HEAD_BYTES // len(more))


def test_a_long_head_is_fine(service) -> None:
    assert service.client.get("/livez", headers={"X-Long": "a" * (MAX_HEAD_BYTES // 2)}).status_code == 200


def test_one_request_at_a_time(service, grey_png) -> None:
    """One request is at work and one waits; a client that sends more gets two answers, and must repeat the rest."""
    for sent in (WHOLE * 5000, b"".join(upload(service, grey_png, n="1")) * 3):
        assert answers(service, sent).count(b"HTTP/1.1 200") == 2
    assert len(service.colorizer.photos) == 2, "the body of a request is mixed with the next"
    with connected(service) as connection:
        for _ in range(3):  # one after the other is fine
            connection.sendall(WHOLE)
            answer = b""
            while not answer.endswith(b"}"):  # the body may come after the head
                answer += connection.recv(65_536)
            assert answer.count(b"HTTP/1.1 200") == 1


def test_a_client_that_pipelines_gets_two_long_answers_completely(service, noise) -> None:
    with connected(service) as connection:
        connection.sendall(b"".join(upload(service, noise, n="1")) * 2 + WHOLE * 10_000)
        time.sleep(1)  # the end of the second answer is still in the kernel when the connection closes
        found = received(connection)
    assert found.count(b"HTTP/1.1 200") == found.count(b"\r\n0\r\n\r\n") == 2


@pytest.mark.parametrize(
    ("begun", "more", "parsed"),
    [
        (b"", WHOLE, PIECE_BYTES),  # the third request is in the first piece
        (b"GET / HTTP/1.1\r\n", b"a:\r\n", MAX_HEAD_BYTES + PIECE_BYTES),
        (CHUNKED + b"0\r\n", b"a:\r\n", MAX_HEAD_BYTES + 2 * PIECE_BYTES),
        (CHUNKED, b"1\r\na\r\n", 600_000),
    ],
)
def test_no_turn_of_the_event_loop_parses_more_than_a_piece(service, monkeypatch, begun, more, parsed: int) -> None:
    monkeypatch.setattr("service.edge.slow_readers.LINGER_SECONDS", 0.2)
    parse, turns = HttpToolsProtocol.data_received, [0]

    def counted(connection: Connection, data: bytes) -> None:
        turns[-1] += len(data)
        connection.loop.call_soon(turns.append, 0)
        parse(connection, data)

    monkeypatch.setattr(HttpToolsProtocol, "data_received", counted)
    with connected(service) as connection, suppress(ConnectionError):
        connection.sendall((begun + more * (600_000 // len(more) + 1))[:600_000])
        with suppress(OSError):  # it may be broken off already
            connection.shutdown(socket.SHUT_WR)
        received(connection)
    assert 0 < max(turns) <= 2 * PIECE_BYTES  # the data of one turn, and the rest from the turn before
    assert sum(turns) <= parsed


def test_a_body_in_very_many_small_chunks_is_received(service) -> None:
    head, body = upload(service, encoded(random_image(200, 300)), n="1")
    head = head.replace(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")
    with connected(service) as connection:
        connection.sendall(head + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("waits", ["nothing", "a request", "more than one", "a large one"])
def test_work_ends_for_a_client_that_leaves_with_requests_behind_it(service, grey_png, monkeypatch, waits: str) -> None:
    monkeypatch.setattr("service.edge.slow_readers.SEND_SECONDS", 0.5)
    large = b"".join(upload(service, bytes(100_000), n="1"))  # more than is read before its turn
    behind = {"nothing": b"", "a request": WHOLE, "more than one": WHOLE * 9, "a large one": large}[waits]
    with at_work(service, grey_png) as connection:
        connection.sendall(behind)
        time.sleep(0.2)
        assert service.metric("accepted_requests") == 1
    left = time.monotonic()
    eventually(lambda: service.metric("accepted_requests") == 0)
    assert time.monotonic() - left < PATIENCE_SECONDS  # sooner than the closed gate would end it


def test_unparsed_data_is_not_read_without_limit(service, grey_png) -> None:
    """A client may keep sending while its first request is at work."""
    with at_work(service, grey_png) as connection:
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.sendall(WHOLE * 1_000_000)


@pytest.fixture
def small(start) -> Service:
    """A service that accepts three connections; none is open."""
    service = start(max_connections=3)
    service.client.close()  # closes the client's connection
    return service


def expect_life(connection: socket.socket) -> None:
    """Request /livez, and check the answer."""
    connection.sendall(WHOLE)
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_connections_are_bounded_and_idle_ones_make_room(small) -> None:
    with ExitStack() as idle:
        for _ in range(5):
            idle.enter_context(connected(small))
        with connected(small) as connection:
            expect_life(connection)
            assert len(small.server.server_state.connections) <= 3


def test_heads_half_sent_keep_nobody_out(small) -> None:
    with half_heads(small, 3) as halves:
        with connected(small) as connection:
            expect_life(connection)
        with pytest.raises(ConnectionResetError):
            halves[0].recv(1)  # the connection with the oldest incomplete head
        halves[1].sendall(b"Host: t\r\n\r\n")
        assert halves[1].recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("is_reading", [False, True])
def test_new_connections_and_readers_of_answers_are_not_closed(small, is_reading: bool) -> None:
    """Such a client has an open connection, and its request is on the way."""
    connections = small.server.server_state.connections
    with half_heads(small, 2) as halves, connected(small) as connection:
        if is_reading:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: t\r\n\r\n")
            eventually(lambda: any(each._watched.unread for each in list(connections)))
        eventually(lambda: len(connections) == 3)
        with connected(small) as late:
            late.sendall(b"G")
            with pytest.raises(ConnectionResetError):
                halves[0].recv(1)
            if not is_reading:
                connection.sendall(WHOLE)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_where_all_connections_are_at_work_the_next_is_told_to_come_again(small, grey_png) -> None:
    with ExitStack() as opened:
        small.colorizer.gate.clear()
        busy = [opened.enter_context(connected(small)) for _ in range(3)]
        for each in busy:
            each.sendall(b"".join(upload(small, grey_png, n="1")))
        eventually(lambda: sum(each._is_at_work() for each in list(small.server.server_state.connections)) == len(busy))
        answer = answers(small)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1" in answer
        assert b"too_many_connections" in answer
        small.colorizer.gate.set()
        for each in busy:
            assert each.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_long_path_behind_a_request_at_work_leaves_its_answer_alone(service, grey_png) -> None:
    with at_work(service, grey_png) as connection:
        connection.sendall(b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: t\r\n\r\n")
        time.sleep(0.2)
        service.colorizer.gate.set()
        answer = received(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("at", range(1, 5))
def test_a_body_that_looks_like_a_head_is_left_alone(service, grey_png, at: int) -> None:
    """The head's end may also come in two pieces."""
    head, body = upload(service, grey_png, n="1")
    preamble = b"a\nupgrade: x\r\n\r\n"
    watched = patch.object(Connection, "on_body", autospec=True, side_effect=Connection.on_body)
    with watched as on_body, connected(service) as connection:
        head = head.replace(b"Content-Length: ", b"Upgrade: h2c\r\nConnection: upgrade\r\nX-Length: ")
        head = head[:-2] + b"Content-Length: %d\r\n\r\n" % len(preamble + body)
        connection.sendall(head[:-at])
        time.sleep(0.1)
        connection.sendall(head[-at:] + preamble + body)
        connection.recv(4096)
    assert b"".join(call.args[1] for call in on_body.call_args_list) == preamble + body


@pytest.mark.parametrize("at", [0, 20, 60, 1000])
def test_an_upgrade_request_keeps_its_body(service, grey_png, at: int) -> None:
    """Java's client requests upgrades. If the word itself comes in two pieces, the request is refused as a whole."""
    head, body = upload(service, grey_png, n="1")
    head = head[:-2] + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
    last = WHOLE.replace(b"Host", b"Connection: close\r\nHost")
    answer = answers(service, head[:at], head[at:] + body + last)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b'{"status":"live"}')


LONG_PATH = b"GET /page/" + b"a/" * 30_000  # the service would look for each folder
HALF_UPGRADE = b"POST /v1/colorizations HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgr"


@pytest.mark.parametrize(
    ("pieces", "status", "words"),
    [
        ([LONG_PATH], 414, '"url_too_long"'),
        ([LONG_PATH + b" HTTP/1.1\r\nHost: t\r\n\r\n"], 414, '"url_too_long"'),
        ([HALF_UPGRADE, b"ade: h2c\r\nContent-Length: %d\r\n\r\n%s" % (len(WHOLE), WHOLE)], 501, '"no_upgrade"'),
        ([b"no request\r\n\r\n"], 400, '"malformed_request"'),
        ([CHUNKED + b"1\r\na\r\n" * 20_000], 400, "too many small chunks"),
    ],
    ids=["half a long path", "a long path", "an upgrade in pieces", "no request", "very small chunks"],
)
def test_what_is_refused_gets_one_problem(service, monkeypatch, pieces: list[bytes], status: int, words: str) -> None:
    monkeypatch.setattr("service.edge.slow_requests.MAX_SMALL_CHUNKS", 5000)
    head, _, body = answers(service, *pieces).decode().partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    for line in ("content-type: application/problem+json", "x-request-id: ", "X-Content-Type-Options: nosniff"):
        assert line.lower() in head.lower()
    assert json.loads(body)["status"] == status, "no second answer follows"
    assert words in body


def test_idle_connections_outlive_those_of_proxies(service) -> None:
    assert service.server.config.timeout_keep_alive == 75


@pytest.mark.parametrize(
    ("accept", "begin", "end"),
    [
        (b"application/json", b'{"id":', b"}}"),
        (b"application/zip", b"PK", b""),
        (b"text/event-stream", b"event: coloring", b"\n\n"),
        (b"image/jpeg", b"\xff\xd8", b"\xff\xd9"),
    ],
)
def test_http_1_0_gets_no_chunks(service, grey_png, accept: bytes, begin: bytes, end: bytes) -> None:
    head, body = upload(service, grey_png, n="1")
    head = head.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Host: test", b"Accept: " + accept)
    lines, _, content = answers(service, head + body).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in lines.lower()
    assert (content[: len(begin)], content[len(content) - len(end) :]) == (begin, end)
