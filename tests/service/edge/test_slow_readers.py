"""The service disconnects clients that do not read their answers."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from service.edge.slow_readers import PIECE_BYTES
from tests.service.waiting import eventually, received, unread_answer


@contextmanager
def asked(service, photo: bytes) -> Iterator[socket.socket]:
    """A connection that has requested a coloring and read nothing."""
    assert service.post(photo, n=1).status_code == 200  # waits until everything has started
    service.client.close()
    with unread_answer(service, photo, "application/zip", n=2) as connection:
        yield connection


def open_connections(service) -> int:
    return len(service.server.server_state.connections)


def test_an_answer_that_is_not_read_is_not_held(start, noise, monkeypatch) -> None:
    service = start()
    service.hurry(noise, 1.5, monkeypatch)
    with service.log() as lines, asked(service, noise) as connection:
        buffered = [0]

        def is_over() -> bool:
            open_ones = list(service.server.server_state.connections)
            buffered.extend(each.transport.get_write_buffer_size() for each in open_ones if each.transport)
            return "answer_broken_off" in [line["event"] for line in lines]

        eventually(is_over)
        eventually(lambda: open_connections(service) == 0)
        head, _, body = received(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert not body.endswith(b"0\r\n\r\n")
    assert len(body) < 6_000_000
    assert 0 < max(buffered) < 2 * PIECE_BYTES


def test_a_client_that_reads_nothing_is_cut_off_and_the_end_does_not_wait_for_it(monkeypatch, start, noise) -> None:
    monkeypatch.setattr("service.edge.slow_readers.SEND_SECONDS", 0.5)
    service = start()
    with service.log() as lines, asked(service, noise):
        eventually(lambda: open_connections(service) == 1)
        eventually(lambda: open_connections(service) == 0)
    assert "client_does_not_read" in [line["event"] for line in lines]
    with unread_answer(service, noise, "application/zip", n=2):
        eventually(lambda: open_connections(service) == 1)
        started = time.monotonic()
        service.server.should_exit = True
        eventually(lambda: open_connections(service) == 0)
    assert time.monotonic() - started < service.server.config.timeout_graceful_shutdown


def test_a_client_that_reads_a_little_now_and_then_is_not_cut_off(monkeypatch, start, noise) -> None:
    monkeypatch.setattr("service.edge.slow_readers.SEND_SECONDS", 1.5)
    service = start()
    with asked(service, noise) as connection:
        whole = bytearray()
        for _ in range(5):
            time.sleep(0.4)  # in total, more than SEND_SECONDS and the interval of checks
            whole += connection.recv(300_000)
        whole += received(connection)
    assert whole.startswith(b"HTTP/1.1 200")
    assert whole.endswith(b"\r\n0\r\n\r\n"), "the end of chunks"
