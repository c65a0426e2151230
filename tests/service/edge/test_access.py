"""Access control: keys, rate limits and origins."""

import asyncio
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import Request

from service.edge.access import METRICS_PATH, OPEN_PATHS, Access
from service.edge.keys import KeyFileError, add_key
from service.errors import RateLimitedError
from service.http.problems import CHALLENGES, PROBLEMS
from service.settings import Settings
from tests.service.fakes import Service, running
from tests.service.problems import assert_problem
from tests.service.waiting import begun_upload

PATH = "/v1/colorizations"
HERE, ELSEWHERE = "https://here.example", "https://elsewhere.example"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keys"


@pytest.fixture(scope="module")
def key(keys_file) -> str:
    return add_key(keys_file, "ann")


@pytest.fixture(scope="module")
def guarded(keys_file, key) -> Iterator[Service]:
    """A service that requires a key."""
    with running(api_keys_file=keys_file) as service:
        yield service


def test_without_a_file_of_keys_everyone_has_access(service, grey_png) -> None:
    assert service.post(grey_png).status_code == 200
    assert service.post(grey_png, bearer("whatever")).status_code == 200
    assert "securitySchemes" not in service.client.get("/openapi.json").json()["components"]


def test_a_key_lets_in_as_a_header_alone(guarded, grey_png, key) -> None:
    for authorization in (f"Bearer {key}", f"bearer {key}", f"BEARER  {key}"):
        assert guarded.post(grey_png, {"Authorization": authorization}).status_code == 200
    assert guarded.post_to(f"{PATH}?key={key}", grey_png).status_code == 401


def test_the_document_names_the_scheme_as_openapi_allows(guarded) -> None:
    document = guarded.client.get("/openapi.json").json()
    for names in document["components"].values():
        assert all(re.fullmatch(r"[a-zA-Z0-9._-]+", name) for name in names)
    (scheme,) = document["components"]["securitySchemes"]
    assert document["paths"]["/v1/models"]["get"]["security"] == [{scheme: []}]


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "missing_key"),
        ("", "missing_key"),
        ("Bearer", "missing_key"),
        ("Basic YW5uOmFubg==", "missing_key"),
        ("Bearer wrong", "invalid_key"),
        ("Bearer ann", "invalid_key"),
        ("Bearer \xff\xfe", "invalid_key"),
    ],
)
def test_a_missing_key_gets_401(guarded, grey_png, authorization: str | None, code: str) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.encode("latin-1")}
    calls = len(guarded.colorizer.photos)
    answer = guarded.post(grey_png, headers)
    assert_problem(answer, 401, code)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert ("invalid_token" in answer.headers["www-authenticate"]) == (code == "invalid_key")
    assert len(guarded.colorizer.photos) == calls


def test_every_401_has_a_challenge() -> None:
    assert set(CHALLENGES) == {kind for kind, (status, _) in PROBLEMS.items() if status == 401}


def test_what_is_not_named_as_open_asks_for_a_key(guarded) -> None:
    document = guarded.client.get("/openapi.json").json()
    asked = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            status = guarded.client.request(method, path).status_code
            assert (status == 401) == (path not in OPEN_PATHS | {METRICS_PATH}), path
            assert ("security" in operation) == (status == 401)
            asked |= {path} if status == 401 else set()
    assert {PATH, "/v1/variations", "/v1/transfers", "/v1/likelihoods", "/v1/models"} < asked
    for path in ("/livez", "/readyz", "/metrics", "/docs", "/redoc", "/static-offline-docs/swagger-ui.css"):
        assert guarded.client.get(path).status_code == 200
    assert guarded.client.get("/", follow_redirects=True).status_code == 200


def test_metrics_may_ask_for_a_key(start, keys_file, key) -> None:
    service = start(api_keys_file=keys_file, metrics_need_key=True)
    assert service.client.get("/metrics").status_code == 401
    (operation,) = service.client.get("/openapi.json").json()["paths"]["/metrics"].values()
    assert set(operation["responses"]) == {"200", "401", "429"}
    assert service.client.get("/metrics", headers=bearer(key)).status_code == 200


def test_401_comes_before_the_body(guarded) -> None:
    with begun_upload(guarded, "Content-Type: application/json", "Content-Length: 1000000") as connection:
        assert b" 401 " in connection.recv(4096)


def test_keys_come_and_go_while_the_service_runs(start, grey_png, tmp_path) -> None:
    keys_file = tmp_path / "keys"
    key = add_key(keys_file, "ann")
    service = start(api_keys_file=keys_file)
    assert service.post(grey_png, bearer(key)).status_code == 200
    bob = add_key(keys_file, "bob")
    assert service.post(grey_png, bearer(bob)).status_code == 200
    keys_file.write_text("\n".join(line for line in keys_file.read_text().splitlines() if "ann" not in line))
    assert service.post(grey_png, bearer(key)).status_code == 401
    assert service.post(grey_png, bearer(bob)).status_code == 200
    with service.log() as lines:
        keys_file.write_text("broken")
        for _ in range(2):  # reported once
            assert service.post(grey_png, bearer(bob)).status_code == 401, "a mistake keeps a key that was taken out"
        keys_file.unlink()
        carl = add_key(keys_file, "carl")
        assert service.post(grey_png, bearer(carl)).status_code == 200
        keys_file.unlink()
        for _ in range(2):
            assert service.post(grey_png, bearer(carl)).status_code == 401
    told = [line["event"] for line in lines if line["event"].startswith("api_keys")]
    assert told == ["api_keys_revoked", "api_keys_reloaded", "api_keys_revoked"]


def test_the_log_names_the_key_and_never_shows_it(guarded, grey_png, key) -> None:
    with guarded.log() as lines:
        guarded.post(grey_png, bearer(key))
        guarded.post(grey_png, bearer(key + "x"))
    (good, bad) = (line for line in lines if line["event"] == "request")
    assert (good["key"], good["status"]) == ("ann", 200)
    assert (bad["code"], bad["status"]) == ("invalid_key", 401)
    assert "key" not in bad
    assert key not in repr(lines)


def test_a_rate_limit_is_each_keys_own(start, grey_png, keys_file, key) -> None:
    bob = add_key(keys_file, "bob", "100/second")
    service = start(api_keys_file=keys_file, rate_limit="2/second; 1000/hour")
    assert [service.client.get("/v1/models", headers=bearer(key)).status_code for _ in range(2)] == [200, 200]
    answer = service.post(grey_png, bearer(key))
    assert_problem(answer, 429, "rate_limited", "ann may make no more than 2 per 1 second")
    assert answer.headers["retry-after"] == "1"
    assert all(service.client.get("/v1/models", headers=bearer(bob)).status_code == 200 for _ in range(5))


@pytest.mark.parametrize("limits", ["1/second", "3/10 seconds", "2/second; 5/minute", "4/minute; 6/hour"])
def test_retry_after_is_the_least_that_suffices(tmp_path, monkeypatch, limits: str) -> None:
    key, now = add_key(tmp_path / "keys", "ann", limits), 1_000_000.0
    access = Access(Settings(api_keys_file=tmp_path / "keys"))
    scope = {"type": "http", "route": type("Route", (), {"path": PATH}), "state": {}}
    scope["headers"] = [(b"authorization", f"Bearer {key}".encode())]
    for clock in ("time", "monotonic"):
        monkeypatch.setattr(time, clock, lambda: now)

    def seconds_to_wait() -> int:
        try:
            asyncio.run(access.check(Request(scope)))
        except RateLimitedError as error:
            return error.retry_after_seconds
        return 0

    draws, waits = random.Random(5), []
    for _ in range(60):
        now += draws.expovariate(1)
        wait = seconds_to_wait()
        if wait > 1:
            now += wait - 1.001  # a little too early
            assert seconds_to_wait() > 0
            now += 1.001
            assert seconds_to_wait() == 0
        waits.append(wait)
    assert max(waits) > 0


def test_a_clock_that_jumps_locks_nobody_out(start, tmp_path, monkeypatch) -> None:
    key, now = add_key(tmp_path / "keys", "ann", "2/minute"), time.time
    service = start(api_keys_file=tmp_path / "keys")
    for jump in (0, -86_400, 86_400):
        monkeypatch.setattr(time, "time", lambda jump=jump: now() + jump)
        answers = [service.client.get("/v1/models", headers=bearer(key)) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


def test_a_missing_file_of_keys_ends_the_start(tmp_path) -> None:
    with pytest.raises(KeyFileError, match="cannot be read"):
        Access(Settings(api_keys_file=tmp_path / "none"))


def allowed_origin(answer: httpx.Response) -> str | None:
    return answer.headers.get("access-control-allow-origin")


PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,traceparent,x-stainless-os",  # OpenAI's
}


def test_no_other_origin_is_allowed_by_default(service, grey_png) -> None:
    assert allowed_origin(service.post(grey_png, {"Origin": HERE})) is None
    preflight = service.client.options(PATH, headers=PREFLIGHT | {"Origin": HERE})
    assert (preflight.status_code, allowed_origin(preflight)) == (405, None)


def test_origins_in_the_settings_are_allowed(start, grey_png, keys_file, key, monkeypatch) -> None:
    monkeypatch.setenv("TINTFLOW_CORS_ORIGINS", f"{HERE}, https://there.example")
    service = start(api_keys_file=keys_file)
    preflight = service.client.options(PATH, headers=PREFLIGHT | {"Origin": HERE})
    assert (preflight.status_code, allowed_origin(preflight)) == (200, HERE)
    assert preflight.headers["access-control-allow-headers"] == PREFLIGHT["Access-Control-Request-Headers"]
    with service.log() as lines:
        refused = service.client.options(PATH, headers=PREFLIGHT | {"Origin": ELSEWHERE, "X-Request-Id": "mine"})
    assert (refused.status_code, refused.headers["x-request-id"]) == (400, "mine")
    assert [(line["request_id"], line["method"], line["status"]) for line in lines] == [("mine", "OPTIONS", 400)]
    good, without_key = (service.post(grey_png, {"Origin": HERE} | more) for more in (bearer(key), {}))
    assert (good.status_code, allowed_origin(good)) == (200, HERE)
    assert (without_key.status_code, allowed_origin(without_key)) == (401, HERE)  # a page can read the reason
    assert allowed_origin(service.post(grey_png, bearer(key) | {"Origin": ELSEWHERE})) is None
    service.colorizer.error = ZeroDivisionError("unforeseen")
    failed = service.post(grey_png, bearer(key) | {"Origin": HERE})
    assert (failed.status_code, allowed_origin(failed)) == (500, HERE)
    assert "access-control-allow-credentials" not in good.headers


@pytest.fixture(scope="module")
def named() -> Iterator[Service]:
    """A service that allows pages of one other origin."""
    with running(cors_origins="http://named.example") as service:
        yield service


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "http://named.example:x"}, 403),
        ({"Origin": "http://Here.example", "Host": "here.EXAMPLE:80"}, 200),
        ({"Origin": "https://here.example", "Host": "here.example"}, 200),
        ({"Origin": "https://here.example:8443", "Host": "here.example"}, 403),
        ({"Origin": "http://named.example"}, 200),
        ({"Origin": "http://{host}"}, 200),
        ({"Origin": "https://public.example", "Sec-Fetch-Site": "same-origin"}, 200),  # behind a proxy
        ({"Origin": "http://{host}", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_pages_of_other_origins_make_the_service_do_nothing(named, grey_png, headers, status) -> None:
    host = "{}:{}".format(*named.address)
    before = len(named.colorizer.photos)
    answer = named.post(grey_png, {name: value.format(host=host) for name, value in headers.items()})
    assert answer.status_code == status
    if status == 403:
        assert_problem(answer, 403, "foreign_origin")
        assert len(named.colorizer.photos) == before
