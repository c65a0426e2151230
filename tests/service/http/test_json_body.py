"""JSON bodies: files are extracted first; the rest of a body must be short, or it is refused at once."""

import asyncio
import base64
import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from fastapi import Request

from service.api.endpoints import COLORIZATIONS
from service.errors import MalformedBodyError, ParameterError, ServiceError, UploadTooLargeError
from service.http import json_body
from service.http.json_body import MAX_REST_BYTES, LongRestError, decode_file, split
from service.http.problems import describe
from service.http.request import read_request
from service.scheduling.backlog import Backlog
from tests.service.problems import assert_problem

PATH = "/v1/colorizations"
JSON = {"Content-Type": "application/json"}
FILE = np.random.default_rng(0).bytes(10_000)
ENCODED = base64.b64encode(FILE).decode()
MANY = 10**9


@pytest.mark.parametrize(
    "text",
    [
        *(ENCODED, f"\n{base64.encodebytes(FILE).decode()}", ""),
        *(f"data:image/png;base64,{ENCODED}", f"Data:image/png;Base64,{ENCODED}"),
    ],
)
@pytest.mark.parametrize(
    "escape", [("", ""), ("/", r"\/"), ("+", r"\u002B"), ("A", r"\u0041"), ('"image"', r'"im\u0061ge"')]
)
@pytest.mark.parametrize("piece", [64, 1000, 10**6])
def test_files_are_cut_out(monkeypatch, text: str, escape: tuple[str, str], piece: int) -> None:
    monkeypatch.setattr(json_body, "PIECE_BYTES", piece)
    values = {"n": 2, "image": text, "hints": [{"image": 'a"b\\'}]}
    body = json.dumps(values).replace("\\\\", "\0")
    if escape[0]:
        body = body.replace(*escape)
    files, rest = split(body.replace("\0", "\\\\").encode(), ("image", "reference"))
    assert rest == values | {"image": ""}
    assert decode_file("image", files["image"], MANY) == (FILE if text else b"")


@pytest.mark.parametrize("text", ["AAA", "-_-_", "AA=A", "====", "ü", r"\u00e9", r"\q", r"\"", "AA==AAAA" * 100])
def test_what_is_not_base64_is_refused(monkeypatch, text: str) -> None:
    monkeypatch.setattr(json_body, "PIECE_BYTES", 64)
    with pytest.raises(ParameterError, match="image: expected base64 "):
        decode_file("image", split(f'{{"image": "{text}"}}'.encode(), ("image",))[0]["image"], MANY)


@pytest.mark.parametrize(
    "twice",
    ['"n": 1, "n": 2', '"image": "AAAA", "image": "AAAA"', '"hints": [{"x": 0, "x": 1}]', r'"\ud800": 1, "\ud800": 2'],
)
def test_keys_given_twice_are_refused(service, twice: str) -> None:
    answer = service.client.post(PATH, content=f"{{{twice}}}", headers=JSON)
    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (422, "given more than once")


BOMBS = {
    "empty hints": b'{"image":"x","hints":[' + b"{}," * 1_000_000 + b"{}]}",
    "unknown fields": b"{" + b",".join(b'"%d":1' % i for i in range(300_000)) + b"}",
    "a long name": b'{"' + b"a" * 4_000_000 + b'":1}',
    "a long name twice": b'{"' + b'":1,"'.join([b"a" * 30_000] * 2) + b'":1}',
    "a long text": b'{"image":"x","prompt":"' + rb"\"" * 2_000_000 + b'"}',
    "backslashes": b'{"image":"' + b"\\" * 4_000_000 + b'"}',
    "quotes in a file": b'{"image":"' + rb"\"" * 2_000_000 + b'"}',
    "a string without end": b'{"image":"x","prompt":"' + b"a" * 4_000_000,
    "brackets": b"[" * 4_000_000,
    "white space": b'{"image"' + b" " * 4_000_000 + b':"x"}',
    "many short strings": b'{"a":[' + b'"",' * 1_000_000 + b'""]}',
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_costs_next_to_nothing(bomb: str) -> None:
    started = time.process_time()
    with pytest.raises((ServiceError, LongRestError)):
        split(BOMBS[bomb], ("image",))
    assert time.process_time() - started < 1.0
    tracemalloc.start()
    with pytest.raises((ServiceError, LongRestError)):
        split(BOMBS[bomb], ("image",))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000


@pytest.mark.parametrize(
    "fields",
    [
        {f"unknown{i}": 1 for i in range(3000)},
        {f"{i}" + "a" * 1500: "b" * 1500 for i in range(20)},
        {"hints": [{}] * 5000},
        {"hints": [{"x": "a" * 100, "y": "b" * 100, "color": "c" * 100}] * 32},
    ],
)
def test_at_most_20_problems_are_reported_with_names_cut(service, fields: dict) -> None:
    body = json.dumps({"image": ENCODED} | fields)
    assert len(body) - len(ENCODED) < MAX_REST_BYTES
    answer = service.client.post(PATH, content=body, headers=JSON)
    assert_problem(answer, 422, "invalid_parameters")
    problems = answer.json()["errors"]
    assert 1 <= len(problems) <= 20
    assert max(len(each["field"]) for each in problems) <= 64
    assert len(answer.content) < MAX_REST_BYTES / 4


@pytest.mark.parametrize(
    ("path", "field", "item", "most"),
    [
        (PATH, "hints", {}, 32),
        ("/v1/variations", "levels", 7, 4),
        ("/v1/transfers", "weights", 7, 4),
    ],
)
@pytest.mark.parametrize("as_form", [True, False])
def test_arrays_are_counted_before_their_items_are_looked_at(
    service, grey_png, path, field, item, most, as_form
) -> None:
    value = [item] * 1000
    if as_form:
        text = json.dumps(value) if field == "hints" else ",".join(map(str, value))
        answer = service.post_to(path, grey_png, **{field: text})
    else:
        answer = service.post_json_to(path, grey_png, **{field: value})
    (problem,) = (each for each in answer.json()["errors"] if each["field"] == field)
    assert f"at most {most}" in problem["message"]


async def read(pieces: Iterable[bytes], max_bytes: int = MANY) -> int:
    """Read a JSON body that arrives in pieces; return the size of its photo."""

    async def messages() -> AsyncIterator[dict[str, Any]]:
        for piece in pieces:
            yield {"type": "http.request", "body": piece, "more_body": True}
        yield {"type": "http.request", "body": b"", "more_body": False}

    coming = messages()
    scope = {"type": "http", "query_string": b"", "headers": [(b"content-type", b"application/json")]}
    request = Request(scope, coming.__anext__)
    with Backlog({"bytes": MANY}, 60).enter() as place:
        uploads, _ = await read_request(request, place, asyncio.to_thread, COLORIZATIONS, max_bytes)
    return len(uploads["image"])


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_hardly_holds_the_event_loop_and_gets_a_short_answer(bomb: str) -> None:
    started = time.thread_time()  # of the loop's thread, which excludes other programs
    with pytest.raises(ServiceError) as caught:
        await read(BOMBS[bomb][start : start + 65536] for start in range(0, len(BOMBS[bomb]), 65536))
    assert time.thread_time() - started < 0.1
    problem = describe(caught.value)
    assert problem.status in (400, 413, 422)
    assert len(problem.model_dump_json()) < 1000


async def test_a_large_body_and_its_file_are_each_held_once() -> None:
    size, pieces = 100_000, 200

    def body() -> Iterator[bytes]:
        yield b'{"image":"'
        for _ in range(pieces):
            yield b"A".ljust(size, b"A")
        yield b'"}'

    tracemalloc.start()
    uploaded = await read(body())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert uploaded == size * pieces * 3 // 4
    assert most < 1.15 * (size * pieces + uploaded) + 3_000_000  # a growing buffer has an eighth in reserve


@pytest.mark.parametrize("newline", ["", r"\n", r"\r\n"])
async def test_escapes_do_not_count_against_the_limit(newline: str) -> None:
    """As PHP's json_encode and MIME encoders write them, with a file of exactly the limit."""
    photo = np.random.default_rng(0).bytes(6_000_000)
    lines = base64.encodebytes(photo).decode().splitlines()
    body = f'{{"image":"{newline.join(lines)}"}}'.replace("/", r"\/").encode()
    assert await read([body], len(photo)) == len(photo)
    with pytest.raises(UploadTooLargeError):
        await read([body], len(photo) - 1)


@pytest.mark.parametrize(("text", "words"), [(b"\xff", "UTF-8"), (rb"\ud800", "surrogate")])
def test_text_that_is_no_unicode_is_refused(text: bytes, words: str) -> None:
    for body in (b'{"n": "%s"}' % text, b'{"%s": 1}' % text):
        with pytest.raises(MalformedBodyError, match=words):
            split(body, ("image",))
