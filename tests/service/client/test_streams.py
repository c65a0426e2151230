"""Streams of colorings: in pieces, with errors, and cut off."""

from collections.abc import Iterator

import httpx
import pytest

from service import client as public
from service.client import Client

COLORING = (
    b'event: coloring\ndata: {"index":0,"b64_json":"aGk=","media_type":"image/jpeg",'
    b'"bits_per_dim":2.5,"latent_norm":1}\n\n'
)
DONE = (
    b'event: done\ndata: {"id":"a","created":1,"model":"m","seed":7,"temperature":1,"width":2,"height":3,'
    b'"timings":{"decode":0,"condition":0,"sample":0,"upsample":0,"encode":0}}\n\n'
)
ERROR = (
    b'event: error\ndata: {"title":"Gateway Timeout","status":504,"code":"deadline","detail":"too late",'
    b'"retry_after":7}\n\n'
)


def pieces(*parts: bytes | Exception, sent: list[bytes] | None = None) -> Client:
    """A client of a service that answers in these pieces, recorded in `sent`; an exception among them breaks it off."""

    def content() -> Iterator[bytes]:
        for part in parts:
            if isinstance(part, Exception):
                raise part
            if sent is not None:
                sent.append(part)
            yield part

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept"] == "text/event-stream"
        request.read()
        return httpx.Response(200, headers={"content-type": "text/event-stream; charset=utf-8"}, content=content())

    return Client(transport=httpx.MockTransport(answer))


def test_events_may_be_cut_anywhere() -> None:
    text = b": keep-alive\n\n" + COLORING + b": keep-alive\n\n" + COLORING + DONE
    for size in (1, 7, len(text)):
        with pieces(*(text[start : start + size] for start in range(0, len(text), size))) as client:
            stream = client.stream.colorizations(b"photo")
            assert [coloring.content for coloring in stream] == [b"hi", b"hi"]
            assert stream.done.seed == 7


def test_a_coloring_is_there_before_the_next_event() -> None:
    sent: list[bytes] = []
    with pieces(COLORING, DONE, sent=sent) as client:
        stream = client.stream.colorizations(b"photo")
        assert not sent
        next(stream)
        assert sent == [COLORING]


def test_an_error_after_the_first_coloring_is_raised() -> None:
    with pieces(COLORING, ERROR) as client:
        stream = client.stream.colorizations(b"photo")
        next(stream)
        with pytest.raises(public.DeadlineError, match="too late") as raised:
            next(stream)
    assert (raised.value.code, raised.value.status, raised.value.retry_after) == ("deadline", 504, 7)


def test_an_error_before_it_is_raised_too(service, grey_png: bytes) -> None:
    with Client(str(service.client.base_url)) as client, pytest.raises(public.InvalidParameterError):
        next(client.stream.colorizations(grey_png, n=99))


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ([COLORING], public.ConnectionFailedError),  # it ends in time, but is not complete
        ([COLORING, DONE[:-2]], public.ConnectionFailedError),
        ([COLORING, b"event: coloring\ndata: []\n\n"], public.UnreadableAnswerError),
        ([COLORING, httpx.ReadError("reset")], public.ConnectionFailedError),
        ([COLORING, httpx.ReadTimeout("slow")], public.TimedOutError),
        ([COLORING, httpx.DecodingError("damaged")], public.ConnectionFailedError),
    ],
)
def test_an_answer_that_breaks_off(parts: list[bytes | Exception], error: type[Exception]) -> None:
    with pieces(*parts) as client:
        stream = client.stream.colorizations(b"photo")
        next(stream)
        with pytest.raises(error):
            list(stream)
        assert stream.done is None


def test_another_kind_of_answer_is_not_read() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    with Client(transport=transport) as client, pytest.raises(public.UnreadableAnswerError):
        next(client.stream.colorizations(b"photo"))


def test_leaving_early_closes_the_connection(service, grey_png: bytes) -> None:
    with Client(str(service.client.base_url)) as client:
        with client.stream.colorizations(grey_png, n=4) as stream:
            next(stream)
        pool = client._http._transport._pool  # type: ignore[attr-defined]
        assert not [each for each in pool.connections if not each.is_idle() and not each.is_closed()]
        assert len(client.colorizations(grey_png, n=1).data) == 1
