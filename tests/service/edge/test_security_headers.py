"""Security headers of every answer, and the separate policies of the page and the documentation."""

import re

import pytest

from service.edge.security_headers import HEADERS


def policy(answer) -> dict[str, set[str]]:
    """Parse a Content-Security-Policy; there must be one."""
    (value,) = answer.headers.get_list("content-security-policy")
    return {name: set(sources) for name, *sources in (part.split() for part in value.split(";") if part.strip())}


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/v1/models", "/nothing", "/v1/colorizations", "/docs", "/"])
def test_every_answer_has_them(service, path: str) -> None:
    answer = service.client.get(path)
    for name, value in HEADERS.items():
        assert answer.headers.get_list(name) == [value]
    assert policy(answer)["frame-ancestors"] == {"'none'"}


def test_data_and_errors_may_load_nothing_and_photos_are_not_for_caches(service, grey_png) -> None:
    of_photos = [service.post(grey_png), service.post(b""), service.client.get("/v1/models")]
    assert {answer.headers["cache-control"] for answer in of_photos} == {"no-store"}
    service.colorizer.error = ZeroDivisionError("unforeseen")
    others = service.post(grey_png), service.client.get("/livez"), service.client.get("/openapi.json")
    for answer in (*of_photos, *others):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert policy(answer)["default-src"] == {"'none'"}
        assert "script-src" not in policy(answer)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_documentation_loads_this_service_alone(service, path: str) -> None:
    found = policy(service.client.get(path))
    assert found["default-src"] == {"'none'"}
    for name, sources in found.items():
        assert sources <= {"'none'", "'self'", "'unsafe-inline'", "blob:", "data:"}, name
    assert "'unsafe-eval'" not in found["script-src"]


def test_page_runs_no_inline_scripts(service) -> None:
    answer = service.client.get("/", follow_redirects=False)
    assert answer.status_code == 200
    found = policy(answer)
    scripts = found.get("script-src", found["default-src"])
    assert scripts == {"'self'"}
    for sources in found.values():
        assert sources <= {"'none'", "'self'", "blob:", "data:"}
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", answer.text), "the policy would block it"
