"""Checks of problems in answers."""

import httpx

__all__ = ["assert_problem"]


def assert_problem(answer: httpx.Response, status: int, code: str, *words: str) -> None:
    """Check that an answer is this problem with these words, with Retry-After where a retry may help."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["type"] == "about:blank"
    assert body["title"]
    for word in words:
        assert word in body["detail"]
    assert answer.headers["x-request-id"]
    if status in (429, 503) and code != "out_of_memory":  # waiting does not help there
        assert int(answer.headers["retry-after"]) == body["retry_after"] >= 1
