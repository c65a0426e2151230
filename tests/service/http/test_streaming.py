"""JSON and zips are sent while they are made, with a limit on data that waits for the client."""

import base64
import gc
import json
import re
import time
import weakref
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from io import BytesIO
from itertools import islice
from unittest.mock import Mock

import httpx
import pytest

from model.errors import NonFiniteError
from service.http.request import read_request
from service.scheduling.lanes import MAX_UNREAD_BYTES
from tests.service.problems import assert_problem
from tests.service.waiting import unread_answer

PATH = "/v1/colorizations"
SAMPLE_BYTES = 3_000_000


@pytest.mark.parametrize("accept", ["application/json", "application/zip"])
def test_samples_are_made_as_the_client_reads(service, grey_png, monkeypatch, accept: str) -> None:
    encode = Mock(return_value=bytes(SAMPLE_BYTES))
    monkeypatch.setattr("service.pipeline.encode", encode)
    data = {"n": "12", "output_format": "png", "seed": "7", "hints": '[{"x": 0.5, "y": 0.5, "color": "#a03c28"}]'}
    form = {"files": {"image": grey_png}, "data": data, "headers": {"Accept": accept}}
    with service.client.stream("POST", PATH, **form) as answer:
        assert answer.status_code == 200
        assert "content-length" not in answer.headers
        pieces = answer.iter_raw(100_000)
        first = next(pieces)
        time.sleep(0.3)  # enough time to make all
        assert encode.call_count <= 3 + 2 * MAX_UNREAD_BYTES // SAMPLE_BYTES, "made for nobody, and held"
        body = first + b"".join(pieces)
    assert encode.call_count == 12
    if accept == "application/zip":
        with zipfile.ZipFile(BytesIO(body)) as archive:
            assert archive.namelist() == [f"{i}.png" for i in range(12)]
            assert archive.testzip() is None
    else:
        assert [each["index"] for each in json.loads(body)["data"]] == list(range(12))
        assert json.loads(body)["timings"]["upsample"] > 0


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_base64_in_pieces_is_that_of_the_whole(service, grey_png, monkeypatch, accept: str) -> None:
    encode = Mock(side_effect=base64.b64encode)

    def colorings() -> list[str]:
        return re.findall(r'{"index".*?}', service.post(grey_png, {"Accept": accept}, n=2, seed=7).text)

    whole = colorings()
    monkeypatch.setattr("service.http.response.PIECE_BYTES", 9)
    monkeypatch.setattr("service.http.response.base64.b64encode", encode)
    assert colorings() == whole
    assert len(whole) == 2
    assert max(len(call.args[0]) for call in encode.call_args_list) == 9


def failing_at(service, monkeypatch, sample: int) -> None:
    finish = service.colorizer.finish

    def break_down(*asked):
        yield from islice(finish(*asked), sample)
        raise NonFiniteError("no number")

    monkeypatch.setattr(service.colorizer, "finish", break_down)


@pytest.mark.parametrize("accept", ["application/json", "application/zip"])
def test_a_failure_before_the_first_sample_is_a_problem_and_a_later_one_breaks_off(
    service, monkeypatch, grey_png, accept: str
) -> None:
    failing_at(service, monkeypatch, 0)
    for form in (accept, "text/event-stream"):
        assert_problem(service.post(grey_png, {"Accept": form}), 500, "non_finite")
    monkeypatch.undo()
    failing_at(service, monkeypatch, 2)
    with pytest.raises(httpx.TransportError):
        service.post(grey_png, {"Accept": accept})
    monkeypatch.undo()
    assert service.post(grey_png, {"Accept": accept}).status_code == 200


class Held(dict[str, bytes]):
    """A request's data that allows weak references, unlike a plain dict."""


@pytest.fixture
def held() -> Iterator[list[weakref.ref[Held]]]:
    """Yield a list for weak references to a request's data, which must die with it; garbage collection is off."""
    gc.disable()
    yield []
    gc.enable()


@pytest.mark.parametrize("sample", [0, 1])
def test_what_a_failed_request_holds_does_not_wait_for_the_collector(
    service, monkeypatch, grey_png, held, sample: int
) -> None:
    finish = service.colorizer.finish

    def fail() -> None:
        image = Held()
        held.append(weakref.ref(image))
        raise ValueError(str(image))

    def failing(*asked):
        yield from islice(finish(*asked), sample)
        try:
            fail()
        except ValueError as error:
            raise NonFiniteError("no number") from error

    monkeypatch.setattr(service.colorizer, "finish", failing)
    with pytest.raises(httpx.TransportError) if sample else nullcontext():
        service.post(grey_png)
    service.wait_until_idle()
    assert [each() for each in held] == [None]


def test_data_of_a_request_whose_client_left_is_freed_at_once(service, monkeypatch, noise, held) -> None:
    async def read(*asked):
        files, parameters = await read_request(*asked)
        uploads = Held(files)
        held.append(weakref.ref(uploads))
        return uploads, parameters

    monkeypatch.setattr("service.http.routes.read_request", read)
    with unread_answer(service, noise, "application/zip", n=2) as connection:
        assert connection.recv(1000)
    service.wait_until_idle()
    assert [each() for each in held] == [None]
