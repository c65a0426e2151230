"""Routes other than colorizations, request numbers, logs and documentation."""

import base64
import json
import logging
import re
import threading
import time
from dataclasses import fields

import pytest
import structlog

from service.api.endpoints import COLOR_ENDPOINTS, LIKELIHOODS, ColorEndpoint, Endpoint
from service.api.formats import PHOTO_FORMATS
from service.api.parameters import Parameters
from service.http.problems import PROBLEMS
from service.telemetry import logs
from tests.service.problems import assert_problem


def test_health(service) -> None:
    assert service.client.get("/livez").json() == {"status": "live"}
    assert service.client.get("/readyz").json() == {"status": "ready"}


def test_models(service) -> None:
    (model,) = service.client.get("/v1/models").json()["data"]
    assert model == {
        "id": "fake-1",
        "object": "model",
        "device": "cpu",
        "parameters": 10,
        "latents": 8192,
        "default_temperature": 0.75,
        "sha256": "0" * 64,
        "photo_formats": PHOTO_FORMATS,
        "limits": {"bytes": 50_000_000, "pixels": 50_000_000, "output_pixels": 200_000_000},
    }


@pytest.mark.parametrize("given", ["abc-123", "A.b_c", "x" * 64, "", "x" * 65, "a b", "a\tb", "<script>"])
def test_a_request_number_comes_back_and_a_strange_one_is_replaced(service, given: str) -> None:
    number = service.client.get("/livez", headers={"X-Request-Id": given}).headers["x-request-id"]
    assert number == given if re.fullmatch(r"[\w.-]{1,64}", given) else re.fullmatch("[0-9a-f]{32}", number)


def test_log_names_the_request(service, grey_png) -> None:
    with service.log() as lines:
        service.post(grey_png, {"X-Request-Id": "mine"}, n=2, seed=7)
    assert [(line["event"], line["request_id"]) for line in lines] == [("colorized", "mine"), ("request", "mine")]
    assert (lines[0]["pixels"], lines[0]["samples"]) == (960, 2)
    assert (lines[1]["method"], lines[1]["path"], lines[1]["status"]) == ("POST", "/v1/colorizations", 200)


@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_path_cannot_write_to_the_terminal(service, capsys, log_format: str) -> None:
    logs.configure(log_format)
    service.client.get("/a%1b[2J%0aerror%c2%9b2J")
    service.wait_until_idle()  # the log line comes after the answer
    written = capsys.readouterr().err
    assert "/a%1B%5B2J%0Aerror%C2%9B2J" in written
    assert not {"\x1b", "\x9b"} & set(written)
    assert not any(line.startswith("error") for line in written.splitlines())


ENDPOINTS: dict[str, Endpoint] = {f"{each.name}s": each for each in (*COLOR_ENDPOINTS, LIKELIHOODS)}


def operation(service, name: str) -> dict:
    return service.client.get("/openapi.json").json()["paths"][f"/v1/{name}"]["post"]


@pytest.mark.parametrize("name", ENDPOINTS)
def test_openapi_describes_bodies(service, name: str) -> None:
    bodies = {kind: body["schema"] for kind, body in operation(service, name)["requestBody"]["content"].items()}
    assert set(bodies) == {"multipart/form-data", "application/json"}
    endpoint = ENDPOINTS[name]
    options = {each.name for each in fields(endpoint.options)} if isinstance(endpoint, ColorEndpoint) else set()
    output = set(Parameters.model_fields) if options else set()
    original = {"seed", "index"} if name in ("variations", "interpolations") else set()
    for kind, body in bodies.items():
        nullable = {field for field, described in body["properties"].items() if '"null"' in json.dumps(described)}
        assert nullable == (set(body["properties"]) - set(body["required"]) if kind == "application/json" else set())
        assert set(body["properties"]) == {*options, *output, *endpoint.files}
        assert set(body["required"]) == {*original, *endpoint.required_files}
        for field, described in body["properties"].items():
            assert "examples" in described or described.get("format") == "binary", f"{field} has no example"


@pytest.mark.parametrize("name", ENDPOINTS)
def test_examples_of_openapi_work(service, name: str) -> None:
    content = operation(service, name)["requestBody"]["content"]
    answer = service.client.post(f"/v1/{name}", json=content["application/json"]["example"])
    assert answer.status_code == 200, answer.text
    pixel = base64.b64decode(content["application/json"]["example"]["image"].partition(",")[2])
    form = content["multipart/form-data"]["schema"]["properties"]
    files = {field: pixel for field in form if form[field].get("format") == "binary"}
    data = {field: str(form[field]["examples"][0]) for field in form if field not in files}
    if name == "interpolations":
        del data["to_index"], data["to_seed"]  # leaves the reference as the end
    assert service.client.post(f"/v1/{name}", files=files, data=data).status_code == 200


@pytest.mark.parametrize("name", ENDPOINTS)
def test_null_in_json_counts_as_left_out(service, name: str) -> None:
    body = operation(service, name)["requestBody"]["content"]["application/json"]
    required = {field: body["example"][field] for field in body["schema"]["required"]}
    ends = {"to_index": 1} if name == "interpolations" else {}
    nulls: dict[str, None] = dict.fromkeys(body["schema"]["properties"])
    left_out, given = (
        service.client.post(f"/v1/{name}", json=fields) for fields in (required | ends, nulls | required | ends)
    )
    assert (left_out.status_code, given.status_code) == (200, 200), given.text
    assert len(given.json().get("data", ())) == len(left_out.json().get("data", ()))
    answer = service.client.post(f"/v1/{name}", json=nulls | {"colour": None})
    missing = (f"{field}: this field is required" for field in required)
    assert_problem(answer, 422, "invalid_parameters", *missing, "colour: unknown field")


@pytest.mark.parametrize("name", ENDPOINTS)
def test_openapi_describes_answers_and_errors(service, name: str) -> None:
    answers = operation(service, name)["responses"]
    forms = {"application/json", "text/event-stream", "application/zip"}
    images = {"image/jpeg", "image/png", "image/webp"}
    wanted = {"likelihoods": {"application/json"}, "interpolations": forms}.get(name, forms | images)
    assert set(answers["200"]["content"]) == wanted
    described = {
        (int(status), code)
        for status, answer in answers.items()
        for code in answer["content"].get("application/problem+json", {}).get("examples", {})
    }
    codes = {problem for problem in PROBLEMS.values() if problem[0] != 499}
    of_pictures = {(406, "not_acceptable"), (422, "output_too_large")}
    assert described == codes - (of_pictures if name == "likelihoods" else set())
    headers = {status: set(answer["headers"]) for status, answer in answers.items() if status in ("401", "429", "503")}
    assert headers == {"401": {"WWW-Authenticate"}, "429": {"Retry-After"}, "503": {"Retry-After"}}


def test_openapi_names_events_and_their_data(service) -> None:
    schemas = service.client.get("/openapi.json").json()["components"]["schemas"]
    for name, endpoint in ENDPOINTS.items():
        if isinstance(endpoint, ColorEndpoint):
            described = operation(service, name)["responses"]["200"]["content"]["text/event-stream"]["schema"]
            assert described == {"$ref": "#/components/schemas/ColorizationEvent"}
    events = schemas["ColorizationEvent"]["discriminator"]["mapping"]
    found = {name: schemas[reference.rpartition("/")[2]]["properties"] for name, reference in events.items()}
    assert {name: event["event"]["const"] for name, event in found.items()} == {name: name for name in events}
    assert {name: event["data"]["$ref"].rpartition("/")[2] for name, event in found.items()} == {
        "coloring": "Coloring",
        "done": "ColorizationDone",
        "error": "Problem",
    }


def test_openapi_has_examples_of_answers(service) -> None:
    schemas = service.client.get("/openapi.json").json()["components"]["schemas"]
    answers = ("ColorizationResponse", "Coloring", "HintReport", "Timings", "LikelihoodResponse", "LevelBits")
    for schema in (*answers, "LikelihoodTimings", "Model", "Problem", "PointColor"):
        for name, field in schemas[schema]["properties"].items():
            assert field.keys() & {"examples", "$ref", "items", "const", "anyOf"}, f"{schema}.{name} has no example"


def test_openapi_names_operations_shortly_and_once(service) -> None:
    paths = service.client.get("/openapi.json").json()["paths"]
    names = [operation["operationId"] for operations in paths.values() for operation in operations.values()]
    assert {"create_colorizations", "list_models", "readyz"} < set(names)
    assert len(set(names)) == len(names)


def test_openapi_has_no_dangling_references(service) -> None:
    answer = service.client.get("/openapi.json")
    schemas = {f"#/components/schemas/{name}" for name in answer.json()["components"]["schemas"]}
    assert set(re.findall(r'"\$ref": ?"([^"]*)"', answer.text)) <= schemas


def test_the_openapi_document_is_written_once_and_not_in_the_event_loop(start, pool, monkeypatch) -> None:
    service, threads = start(), list[str]()
    document = service.app.openapi()

    def openapi() -> dict[str, object]:
        threads.append(threading.current_thread().name)
        time.sleep(0.2)  # so that all others request it meanwhile
        return document

    monkeypatch.setattr(service.app, "openapi", openapi)
    answers = list(pool.map(lambda _: service.client.get("/openapi.json"), range(8)))
    assert [answer.json() for answer in answers] == [document] * 8
    assert answers[0].headers["content-type"] == "application/json"
    assert len(threads) == 1
    assert threads[0] != "server"


@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize("log_format", ["console", "json"])
def test_logs_hold_tracebacks_without_local_variables(capsys, log_format: str) -> None:
    logs.configure(log_format)
    upload = b"a private photo"
    try:
        raise ValueError(len(upload))
    except ValueError:
        structlog.get_logger().exception("failed", request_id="mine")
    logging.getLogger("library").info("a library's line")
    written = capsys.readouterr().err
    for words in ("failed", "mine", "Traceback", "ValueError: 15", "a library's line"):
        assert words in written
    assert "private" not in written.replace('upload = b"a private photo"', "")
    if log_format == "json":
        assert [json.loads(line)["event"] for line in written.splitlines()] == ["failed", "a library's line"]


@pytest.mark.parametrize("path", ["/livez", "/v1/models", "/openapi.json", "/docs", "/"])
def test_head_is_get_without_a_body_and_who_uses_another_method_is_told_of_both(service, path: str) -> None:
    head, get, put = (service.client.request(method, path) for method in ("HEAD", "GET", "PUT"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert put.status_code == 405
    assert path == "/" or set(put.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_a_slash_too_many_is_another_path(service, grey_png) -> None:
    assert_problem(service.post_to("/v1/colorizations/", grey_png), 404, "not_found")


def test_the_page_names_all_its_modules_at_once(service) -> None:
    """It names every module and its imports, so that a browser can request all at once."""
    named = re.findall(r"<([^>]+)>; rel=modulepreload", service.client.get("/").headers["link"])
    imported = {
        f"{module.rpartition('/')[0]}/{name}"
        for module in named
        for name in re.findall(r'from "\./([^"]+)"', service.client.get(module).text)
    }
    (main,) = re.findall(r'src="(page/[^"]+\.js)"', service.client.get("/").text)
    assert {*imported, main} == {*named}


def test_browsers_keep_the_scripts_and_styles_of_this_version_alone(service) -> None:
    linked = re.findall(r'(?:src|href)="(page/[^"]+\.(?:js|css|svg))"', service.client.get("/").text)
    assert len(linked) == 8
    for address in linked:
        _, version, name = address.split("/")
        kept, other, plain = (service.client.get(f"page/{each}") for each in (f"{version}/{name}", f"v-0/{name}", name))
        assert kept.content == other.content == plain.content
        assert "immutable" in kept.headers["cache-control"]
        assert other.headers["cache-control"] == plain.headers["cache-control"] == "no-cache"
    assert service.client.get("/").headers["cache-control"] == "no-cache"
    assert service.client.get(f"page/{version}/none.js").status_code == 404
