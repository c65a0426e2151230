"""The routes beside colorizations, request numbers, logs and the documentation."""

import base64
import json
import logging
import re
import sys
import threading
import types

import pytest
import structlog
from typer.testing import CliRunner

from service.cli import program as cli
from service.http.problems import PROBLEMS
from service.settings import Settings
from service.telemetry import logs


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
        "limits": {"bytes": 50_000_000, "pixels": 50_000_000, "output_pixels": 200_000_000},
    }


def test_documentation_is_of_this_service_alone(service) -> None:
    page = service.client.get("/docs")
    assert "text/html" in page.headers["content-type"]
    scripts = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert scripts
    for script in scripts:  # of this service alone, so that the page works offline
        assert script.startswith("/")
        assert service.client.get(script).status_code == 200


def test_metrics(start, grey_png) -> None:
    service = start()
    service.post(grey_png, n=3)
    service.post(b"", n=3)
    service.client.get("/secret/of/many/paths")
    text = service.client.get("/metrics").text
    for line in (
        'tintflow_requests_total{method="POST",path="/v1/colorizations",status="200"} 1.0',
        'tintflow_requests_total{method="POST",path="/v1/colorizations",status="422"} 1.0',
        'tintflow_requests_total{method="GET",path="unmatched",status="404"} 1.0',
        'tintflow_stage_seconds_count{stage="encode"} 1.0',
        "tintflow_samples_total 3.0",
        "tintflow_pixels_total 960.0",
        "tintflow_accepted_requests 0.0",
        "tintflow_ready 1.0",
    ):
        assert line in text.splitlines()
    assert "secret" not in text


@pytest.mark.parametrize("given", ["abc-123", "A.b_c", "x" * 64])
def test_request_number_comes_back(service, given: str) -> None:
    assert service.client.get("/livez", headers={"X-Request-Id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "<script>"])
def test_strange_request_number_is_replaced(service, given: str) -> None:
    number = service.client.get("/livez", headers={"X-Request-Id": given}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", number)


def test_log_names_the_request_and_never_its_content(service, grey_png) -> None:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        service.post(grey_png, {"X-Request-Id": "mine"}, n=2, seed=7)
        service.client.post("/v1/colorizations?key=hidden", json={"image": "c2VjcmV0"})
    events = [(line["event"], line["request_id"]) for line in lines]
    assert events[:2] == [("colorized", "mine"), ("request", "mine")]
    assert (lines[0]["pixels"], lines[0]["samples"]) == (960, 2)
    assert (lines[1]["method"], lines[1]["path"], lines[1]["status"]) == ("POST", "/v1/colorizations", 200)
    assert lines[2]["status"] == 415
    for secret in ("c2VjcmV0", "hidden", "IHDR", "photo.jpg"):
        assert secret not in repr(lines)


@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_path_cannot_write_to_the_terminal(start, capsys, log_format: str) -> None:
    logs.configure(log_format)
    start().client.get("/a%1b[2J%0aerror%c2%9b2J")
    written = capsys.readouterr().err
    assert "/a%1B%5B2J%0Aerror%C2%9B2J" in written
    assert not {"\x1b", "\x9b"} & set(written)
    assert not any(line.startswith("error") for line in written.splitlines())


COMMON = {
    "image",
    "seed",
    "temperature",
    "saturation",
    "warmth",
    "output_format",
    "output_compression",
    "response_format",
}
FIELDS = {
    "colorizations": (COMMON | {"n", "offset", "latent_norm", "rank", "candidates", "select", "hints"}, {"image"}),
    "variations": (
        COMMON | {"n", "offset", "index", "strength", "levels", "noise_seed", "latent_norm"},
        {"image", "seed", "index"},
    ),
    "transfers": (COMMON | {"reference", "n", "offset", "weights"}, {"image", "reference"}),
    "interpolations": (
        COMMON | {"reference", "index", "to_seed", "to_index", "steps", "path", "latent_norm"},
        {"image", "seed", "index"},
    ),
    "likelihoods": ({"image"}, {"image"}),
}
"""fields of each endpoint, and those it requires"""


def operation(service, name: str) -> dict:
    return service.client.get("/openapi.json").json()["paths"][f"/v1/{name}"]["post"]


@pytest.mark.parametrize("name", FIELDS)
def test_openapi_describes_bodies(service, name: str) -> None:
    bodies = {kind: body["schema"] for kind, body in operation(service, name)["requestBody"]["content"].items()}
    assert set(bodies) == {"multipart/form-data", "application/json"}
    fields, required = FIELDS[name]
    for body in bodies.values():
        assert set(body["properties"]) == fields
        assert set(body["required"]) == required
        for field, described in body["properties"].items():
            assert "examples" in described or described.get("format") == "binary", f"{field} has no example"


@pytest.mark.parametrize("name", FIELDS)
def test_examples_of_openapi_work(service, name: str) -> None:
    content = operation(service, name)["requestBody"]["content"]
    answer = service.client.post(f"/v1/{name}", json=content["application/json"]["example"])
    assert answer.status_code == 200, answer.text
    pixel = base64.b64decode(content["application/json"]["example"]["image"].partition(",")[2])
    form = content["multipart/form-data"]["schema"]["properties"]
    files = {field: pixel for field in form if form[field].get("format") == "binary"}
    data = {field: str(form[field]["examples"][0]) for field in form if field not in files}
    if name == "interpolations":
        del data["to_index"], data["to_seed"]  # the reference is the end
    assert service.client.post(f"/v1/{name}", files=files, data=data).status_code == 200


@pytest.mark.parametrize("name", FIELDS)
def test_openapi_describes_answers_and_errors(service, name: str) -> None:
    answers = operation(service, name)["responses"]
    files = {"text/event-stream", "application/zip", "image/jpeg", "image/png", "image/webp"}
    assert set(answers["200"]["content"]) == {"application/json"} | (set() if name == "likelihoods" else files)
    described = {
        (int(status), code)
        for status, answer in answers.items()
        for code in answer["content"].get("application/problem+json", {}).get("examples", {})
    }
    codes = {problem for problem in PROBLEMS.values() if problem[0] != 499}
    of_pictures = {(406, "not_acceptable"), (422, "output_too_large")}
    assert described == codes - (of_pictures if name == "likelihoods" else set())


def test_openapi_has_examples_of_answers(service) -> None:
    schemas = service.client.get("/openapi.json").json()["components"]["schemas"]
    answers = ("ColorizationResponse", "Coloring", "HintReport", "Timings", "LikelihoodResponse", "LevelBits")
    for schema in (*answers, "LikelihoodTimings", "Model", "Problem", "PointColor"):
        for name, field in schemas[schema]["properties"].items():
            assert field.keys() & {"examples", "$ref", "items", "const", "anyOf"}, f"{schema}.{name} has no example"


def references(node: object) -> set[str]:
    if isinstance(node, dict):
        found = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return found.union(*map(references, node.values()))
    return set().union(*map(references, node)) if isinstance(node, list) else set()


def test_openapi_has_no_dangling_references(service) -> None:
    document = service.client.get("/openapi.json").json()
    assert references(document) <= {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


def test_the_openapi_document_is_written_once_and_not_in_the_event_loop(start, monkeypatch) -> None:
    service, threads = start(), list[str]()
    document = service.app.openapi()

    def openapi() -> dict[str, object]:
        threads.append(threading.current_thread().name)
        return document

    monkeypatch.setattr(service.app, "openapi", openapi)
    answers = [service.client.get("/openapi.json") for _ in range(3)]
    assert [answer.json() for answer in answers] == [document] * 3
    assert answers[0].headers["content-type"] == "application/json"
    assert len(threads) == 1
    assert threads[0] != "server"


def test_settings_come_from_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("TINTFLOW_DEVICE", "cpu")
    monkeypatch.setenv("TINTFLOW_MAX_BYTES", "1000")
    settings = Settings()
    assert (settings.device, settings.max_bytes, settings.max_pixels) == ("cpu", 1000, 50_000_000)
    assert settings.weights.name == "weights"


def test_serve_fails_when_the_model_does_not_load(monkeypatch) -> None:
    def load(settings: Settings) -> None:
        raise FileNotFoundError("no weights here")

    monkeypatch.setattr(cli, "load_colorizer", load)
    monkeypatch.setattr("service.telemetry.logs.configure", lambda log_format: None)
    with structlog.testing.capture_logs() as lines:
        result = CliRunner().invoke(cli.app, ["serve", "--port", "0"])
    assert result.exit_code == 1
    assert [(line["event"], line.get("reason")) for line in lines][1:] == [("load_failed", "no weights here")]


def test_weights_are_a_file_or_a_folder_of_one(monkeypatch, tmp_path) -> None:
    loader = types.ModuleType("model.colorizer")
    loader.load_colorizer = lambda path, device, cache: (path, device, cache)  # type: ignore[attr-defined]
    loader.one_thread_each = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "model.colorizer", loader)
    with pytest.raises(FileNotFoundError, match="got 0"):
        cli.load_colorizer(Settings(weights=tmp_path))
    file = tmp_path / "a.safetensors"
    file.touch()
    for weights in (tmp_path, file):
        settings = Settings(weights=weights, device="cpu", cache=tmp_path / "cache")
        assert cli.load_colorizer(settings) == (file, "cpu", tmp_path / "cache")
    (tmp_path / "b.safetensors").touch()
    with pytest.raises(FileNotFoundError, match="got 2"):
        cli.load_colorizer(Settings(weights=tmp_path))


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


@pytest.mark.parametrize("path", ["/", "/livez", "/v1/models", "/openapi.json"])
def test_head_is_get_without_a_body(service, path: str) -> None:
    head, get = service.client.head(path), service.client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
