"""Every bad request gets a 4xx with a clear problem, and the service continues."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from PIL import Image
from starlette.requests import Request

from model.errors import InputError, ModelError, OutOfMemoryError
from model.flow.arrays import MissingLayerError
from service.edge import refusals
from service.edge.refusals import REFUSALS
from service.errors import LargePhotoError, ServiceError, SlowFileError
from service.http.problems import INTERNAL_ERROR, MEDIA_TYPE, OTHER_CODE, PROBLEMS, ROUTER_CODES
from service.http.routes import _owner
from tests.service.files import encoded, png
from tests.service.problems import assert_problem
from tests.service.waiting import begun_upload

PATH = "/v1/colorizations"
JSON, FORM = "application/json", "multipart/form-data; boundary=x"
PHOTO = png(1, 1)
LONG_TEXTS = {f"unknown{i}": "a" * 16_000 for i in range(10)}


def typed(content_type: str, content: bytes) -> dict[str, Any]:
    """Return arguments of httpx for a body of this type."""
    return {"content": content, "headers": {"Content-Type": content_type}}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("n", 0, ["greater than or equal to 1", "0"]),
        ("n", 99, ["less than or equal to 16", "99"]),
        ("n", 1.5, []),
        ("n", True, ["expected no boolean"]),
        ("seed", False, ["expected no boolean"]),
        ("temperature", -1, ["greater than or equal to 0", "-1"]),
        ("temperature", 2.1, ["less than or equal to 2"]),
        ("temperature", "nan", ["finite"]),
        ("temperature", "inf", []),
        ("temperature", "warm", ["warm"]),
        ("latent_norm", -0.1, []),
        ("latent_norm", "nan", ["finite"]),
        ("latent_norm", 2.5, []),
        ("seed", -1, []),
        ("seed", 2**32, []),
        ("output_format", "gif", ["jpeg", "png", "webp"]),
        ("output_compression", 0, []),
        ("output_compression", 101, []),
        ("output_max_side", 15, []),
        ("response_format", "url", ["b64_json", "zip"]),
        ("rank", "beauty", ["none", "likelihood"]),
        ("select", "best", ["first", "diverse", "likely"]),
        ("candidates", 65, ["less than or equal to 64"]),
        ("hints", "red", ["expected a JSON array"]),
        ("hints", '[{"x": NaN}]', ["array (NaN is not JSON), got"]),
        ("hints", "[" * 10_000, ["JSON array", "nested too deep"]),
        ("hints", '{"a":' * 3000, ["JSON array"]),
        ("hints", "{}", ["expected an array"]),
        ("hints", "[1]", ["0: expected an object"]),
        ("hints", f"[{'9' * 5000}]", ["0: expected an object"]),
        ("hints", [{"x": 0.5, "y": 0.5}], []),
        ("hints", [{"x": 0.5, "y": 0.5, "color": "red"}], []),
        ("hints", [{"x": 0.5, "y": 0.5, "color": "#12345"}], []),
        ("hints", [{"x": -0.1, "y": 0.5, "color": "#123456"}], []),
        ("hints", [{"x": 0.5, "y": 1.1, "color": "#123456"}], []),
        ("hints", [{"x": "left", "y": 0.5, "color": "#123456"}], []),
        ("hints", [{"x": 0.5, "y": 0.5, "color": "#123456", "size": 3}], []),
        ("hints", '[{"x": 0.1, "x": 0.9, "y": 0.5, "color": "#123456"}]', ["x: given more than once"]),
        ("hints", [{"x": None, "y": 0.5, "color": "#123456"}], ["0.x: this field is required"]),
        ("hints", [None], ["0: expected an object"]),
        ("hints", [{"x": True, "y": 0}], ["expected no boolean"]),
        ("n", "", []),
        ("colour", "red", ["unknown"]),
    ],
)
def test_parameter(service, grey_png, field: str, value: object, words: list[str]) -> None:
    text = json.dumps(value) if isinstance(value, list) else value
    # a form leaves out empty fields, and has only numbers and texts
    in_form = value != "" and not isinstance(value, bool)
    answers = [service.post(grey_png, **{field: text})] if in_form else []
    if value not in ("nan", "inf"):
        answers.append(service.post_json_to(PATH, grey_png, **{field: value}))
    for answer in answers:
        assert_problem(answer, 422, "invalid_parameters", field, *words)
        assert {each["field"] for each in answer.json()["errors"]} == {field}
    assert not service.colorizer.photos


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (PATH, '"seed": %s', "seed: Input should be a finite number"),
        ("/v1/transfers", '"reference": "AAAA", "weights": "1,1,1,%s"', "weights: 3: Input should be a finite number"),
        ("/v1/variations", '"seed": 7, "index": 0, "levels": "%s"', "levels: 0: Input should be 8, 16, 32 or 64"),
        ("/v1/variations", '"seed": 7, "index": 0, "levels": []', "levels: expected at least 1 items, got 0"),
    ],
)
def test_numbers_of_thousands_of_digits_and_none(service, path: str, body: str, words: str) -> None:
    content = f'{{"image": "AAAA", {body}}}'.replace("%s", "9" * 5000)
    answer = service.client.post(path, **typed(JSON, content.encode()))
    assert_problem(answer, 422, "invalid_parameters", words)
    assert "digits" not in answer.text


@pytest.mark.parametrize("path", [PATH, "/v1/likelihoods", "/v1/images/edits"])
def test_fields_in_the_query_are_refused(service, grey_png, path: str) -> None:
    answer = service.post_to(f"{path}?image=photo.jpg", grey_png)
    assert_problem(answer, 422, "invalid_parameters", "image: expected in the body")
    assert service.post_to(f"{path}?api-version=1&", grey_png).status_code == 200


def test_every_field_in_the_query_is_named(service, grey_png) -> None:
    assert_problem(service.post_to(f"{PATH}?seed=7&n=", grey_png), 422, "invalid_parameters", "seed: ", "n: ")


@pytest.mark.parametrize(
    ("content", "status", "code", "words"),
    [
        (b"", 422, "undecodable_image", ["empty"]),
        (b"just some words\n", 415, "unsupported_image_type", ["supported: JPEG, PNG", "AVIF, HEIC"]),
        (png(20_000, 20_000), 422, "too_many_pixels", ["20000×20000", "50000000"]),
    ],
    ids=["empty", "text", "huge"],
)
def test_a_file_that_is_not_accepted(service, content: bytes, status: int, code: str, words: list[str]) -> None:
    assert_problem(service.post(content), status, code, *words)


def test_too_long_for_the_output_format(service) -> None:
    photo = encoded(Image.new("L", (16_384, 1)))
    assert_problem(service.post(photo, output_format="webp"), 422, "output_too_large", "webp", "16383")
    assert not service.colorizer.photos, "refused only after the work was done"
    assert service.post(photo, output_format="png").status_code == 200


@pytest.mark.parametrize(
    ("path", "fields"), [(PATH, {"n": 3}), ("/v1/interpolations", {"steps": 3, "index": 0, "to_index": 1})]
)
def test_too_many_pixels_in_one_answer(service, grey_png, monkeypatch, path: str, fields: dict[str, int]) -> None:
    monkeypatch.setitem(service.settings, "max_output_pixels", 2 * 40 * 24)
    answer = service.post_to(path, grey_png, seed=7, **fields)
    assert_problem(answer, 422, "output_too_large")
    assert answer.json()["detail"] == "3 colorings of 40×24 are more than 1920 pixels"


@pytest.mark.parametrize(
    ("end", "status"),
    [(b"", 400), (b"\r\n--x\r\n", 400), (b"\r\n--x-", 400), (b"\r\n--x--", 200), (b"\r\n--x--\r\n", 200)],
)
def test_a_form_without_its_closing_boundary(service, grey_png: bytes, end: bytes, status: int) -> None:
    parts = (b'image"; filename="a"', grey_png), (b'n"', b"1"), (b'seed"', b"7")
    content = b"\r\n".join(b'--x\r\nContent-Disposition: form-data; name="%s\r\n\r\n%s' % part for part in parts)
    answer = service.client.post(PATH, **typed(FORM, content + end))
    assert (answer.status_code, answer.json().get("code")) == (status, "malformed_body" if status == 400 else None)


@pytest.mark.parametrize("head", [b"a: " + b"b" * 8192, b"\r\n".join([b"a: b"] * 32)], ids=["long", "many"])
def test_the_head_of_a_part_is_bounded(service, grey_png: bytes, head: bytes) -> None:
    disposition = b'Content-Disposition: form-data; name="image"; filename="a"'
    for more, status in ((b"a: b", 200), (head, 400)):
        content = b"--x\r\n%s\r\n%s\r\n\r\n%s\r\n--x--\r\n" % (disposition, more, grey_png)
        assert service.client.post(PATH, **typed(FORM, content)).status_code == status


def test_a_content_type_that_takes_long_to_parse_is_refused_unparsed(service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.http.request.parse_options_header", Mock(side_effect=AssertionError("it was parsed")))
    answer = service.client.post(PATH, **typed(FORM + ";" * 60_000, b""))
    assert_problem(answer, 400, "malformed_body", "Content-Type")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
    ],
)
def test_an_owner_is_a_key_or_an_address_or_a_network_of_one_customer(one: str, other: str, same: bool) -> None:
    owners = [_owner(Request({"type": "http", "client": (host, 1), "headers": []})) for host in (one, other)]
    assert (owners[0] == owners[1]) is same
    keyed = Request({"type": "http", "client": (one, 1), "headers": [], "state": {"key": "a"}})
    assert _owner(keyed) == "key a"


PART = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n1\r\n--x--\r\n'
COMPRESSED = {"headers": {"Content-Encoding": "gzip"}}
TYPES = ["expected multipart/form-data or application/json, got"]


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        (typed(JSON, b""), 400, ["Expecting value: the end"]),
        (typed(JSON, b"{"), 400, []),
        (typed(JSON, b"[]"), 400, ["object"]),
        (typed(JSON, b'{"n": NaN}'), 400, ["NaN"]),
        (typed(JSON, b"\xff"), 400, []),
        (typed(JSON, b'{"image": "AAAA"'), 400, ["the end"]),
        (typed(JSON, b'{"image": "AAAA" /* a */}'), 400, ["Expecting ',' delimiter: '/* a */}'"]),
        (typed(JSON, b'{"n":' + b"[" * 30_000), 400, ["nested too deep"]),
        (typed("multipart/form-data", b"no parts here"), 400, []),
        (typed(FORM, b"no parts here"), 400, []),
        (typed(f"{FORM}; charset=undefined", PART % b"n"), 400, ["charset"]),
        (typed(f"{FORM}; charset=punycode", PART % b"\xff-\x80!"), 400, ["charset"]),
        (typed(f"{FORM}; charset=utf-7", PART % b"+2AA-"), 400, ["charset"]),
        (typed(f"{FORM}; charset=raw_unicode_escape", PART % b"\\ud800"), 400, ["charset"]),
        (typed("image/jpeg", PHOTO), 415, TYPES),
        (typed("application/x-www-form-urlencoded", PHOTO), 415, TYPES),
        (typed("text/plain", PHOTO), 415, TYPES),
        ({"content": PHOTO}, 415, TYPES),
        ({"json": {}} | COMPRESSED, 415, ["Content-Encoding: expected none, got gzip"]),
        ({"files": {"image": PHOTO}} | COMPRESSED, 415, ["Content-Encoding: expected none, got gzip"]),
        ({"json": {"image": "not base64!"}}, 422, ["image: expected base64 (A-Z a-z 0-9 + /, padded with =) or"]),
        ({"json": {"image": "data:image/png,AAAA"}}, 422, ["image: expected a data URL in base64"]),
        ({"json": {"image": "data:image/png;base64"}}, 422, ["image: expected a data URL in base64"]),
        ({"json": {"image": None}}, 422, ["image: this field is required"]),
        ({"json": {"image": 5}}, 422, ["image: Input should be a valid string"]),
        ({"json": {"image": ["AAAA"]}}, 422, ["image: Input should be a valid string"]),
        ({"files": {"image": (None, "AAAA")}}, 422, ["image: expected a file part, which has a filename, got text"]),
        ({"files": {"image[]": (None, b"\xff" * 65_537)}}, 422, ["image: expected a file part, which has a filename"]),
        ({"files": {"image": PHOTO}, "data": {"hints": " " * 65_537}}, 413, ["more than 65536 bytes elsewhere"]),
        ({"files": {"image": PHOTO}, "data": LONG_TEXTS}, 413, ["more than 65536 bytes elsewhere"]),
        ({"json": {"photo": "A" * 65_537}}, 413, ["body: expected files in image alone, got more than 65536 bytes"]),
        ({"files": {"photo": (None, "A" * 65_537)}}, 413, ["body: expected files in image alone, got more than"]),
        ({"files": {"image": (None, "")}}, 422, ["image: this field is required"]),
        ({"files": {"image": ("", b"")}}, 422, ["image: this field is required"]),
        ({"files": {"image": PHOTO, "hints": ("hints.json", b"[]")}}, 422, ["hints: expected text, got a file part"]),
        ({"files": {"file": ("a.png", PHOTO)}}, 422, ["file: unknown field", "image: this field is required"]),
        ({"files": {"image": PHOTO}, "data": {"n": ["1", "2"]}}, 422, ["n", "more than once"]),
        ({"files": [("image", PHOTO)] * 9}, 422, ["image", "more than once"]),
        ({"files": [(f"image{i}", PHOTO) for i in range(33)]}, 400, ["number of files is 32"]),
    ],
)
def test_a_body_that_is_not_accepted(service, sent: dict[str, object], status: int, words: list[str]) -> None:
    codes = {400: "malformed_body", 413: "upload_too_large", 415: "unsupported_body_type", 422: "invalid_parameters"}
    assert_problem(service.client.post(PATH, **sent), status, codes[status], *words)


def test_unknown_path_and_method(service) -> None:
    assert_problem(service.client.get("/v1/nothing"), 404, "not_found", "/v1/nothing")
    long = service.client.get("/" + "%00" * 300)
    assert_problem(long, 404, "not_found")
    assert len(long.content) < 2000
    answer = service.client.get(PATH)
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


def test_errors_of_the_model(service, grey_png) -> None:
    service.colorizer.error = InputError("temperature", "0 … 1", 2)
    answer = service.post(grey_png)
    assert_problem(answer, 422, "invalid_input", "expected 0 … 1")
    assert answer.json()["errors"] == [{"field": "temperature", "message": "expected 0 … 1, got 2"}]
    service.colorizer.error = OutOfMemoryError("cpu has no memory left: 9 bytes\nTraceback of it:\n /opt/inside.py")
    assert service.post(grey_png).json()["detail"] == "cpu has no memory left: 9 bytes"


def test_unforeseen_error(service, grey_png) -> None:
    service.colorizer.error = ZeroDivisionError("a secret of the inside")
    answer = service.post(grey_png, {"X-Request-Id": "mine-1"})
    assert_problem(answer, 500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] == "mine-1"
    service.colorizer.error = None
    assert service.post(grey_png).status_code == 200


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x"])
def test_too_many_announced_bytes_are_refused_before_they_come(service, content_type: str) -> None:
    with begun_upload(service, f"Content-Type: {content_type}", "Content-Length: 99000000") as connection:
        assert b" 413 " in connection.recv(4096)


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x"])
def test_too_many_streamed_bytes_are_refused_before_the_last(service, monkeypatch, content_type: str) -> None:
    monkeypatch.setitem(service.settings, "max_bytes", 1000)
    with begun_upload(service, f"Content-Type: {content_type}", "Transfer-Encoding: chunked") as connection:
        part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        chunk = part + b"A" * 100_000
        connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))  # without the last chunk
        assert b" 413 " in connection.recv(4096)


def subclasses(kind: type[Exception]) -> Iterator[type[Exception]]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def test_table_of_problems_is_complete() -> None:
    unseen = {LargePhotoError, SlowFileError, MissingLayerError}  # these are retried, or reported as their base class
    bases = {kind for kind in subclasses(ServiceError) if set(subclasses(kind)) - unseen}
    raised = {*subclasses(ServiceError), ModelError, *subclasses(ModelError)} - bases - unseen
    raised = {kind for kind in raised if kind.__module__.startswith(("service", "model"))}
    assert set(PROBLEMS) == raised
    codes = [code for _, code in PROBLEMS.values()]
    assert len(set(codes)) == len(codes), "a code names one error"


def test_documentation_lists_every_code() -> None:
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
    listed = {(int(status), code) for status, code in re.findall(r"^\| (\d{3}) \| `(\w+)` \|", page, re.MULTILINE)}
    assert listed == {*PROBLEMS.values(), INTERNAL_ERROR, *ROUTER_CODES.items(), *REFUSALS}
    assert f"| 4xx | `{OTHER_CODE}` |" in page


def test_openapi_enumerates_every_code_that_is_sent(service) -> None:
    """Only two modules write problems. One's codes are in its tables, the other's are its tuples of status and code."""
    folder = Path(__file__).parents[3] / "service"
    makes = re.compile(rf"{re.escape(MEDIA_TYPE)}|\bProblem\(")
    assert {path.name for path in folder.rglob("*.py") if makes.search(path.read_text())} == {
        "problems.py",
        "refusals.py",
    }
    of_connections = {each[:2] for each in vars(refusals).values() if isinstance(each, tuple)}
    assert of_connections == REFUSALS
    document = service.client.get("/openapi.json").json()
    enumerated = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    sent = {*PROBLEMS.values(), INTERNAL_ERROR, *ROUTER_CODES.items(), *of_connections}
    assert set(enumerated) == {code for _, code in sent} - {"client_gone"} | {OTHER_CODE}
    assert len(enumerated) == len(set(enumerated))


def test_no_http_exceptions_in_the_service() -> None:
    for path in (Path(__file__).parents[3] / "service").rglob("*.py"):
        raised = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Raise) and node.exc]
        assert not [node for node in raised if "HTTPException" in ast.unparse(node)], path.name
