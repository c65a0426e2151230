"""Problems for which connections refuse requests before routing: their statuses, codes and answers."""

import json
from http import HTTPStatus
from uuid import uuid4

from service.edge.security_headers import HEADERS, NOTHING

__all__ = ["MALFORMED", "MAX_TARGET_BYTES", "REFUSALS", "TOO_LONG", "TOO_MANY", "UPGRADING", "refusal"]

MAX_TARGET_BYTES = 1024
"""Maximum bytes of a request's path and query; all routes are shorter."""
RETRY_SECONDS = 1
MALFORMED = (400, "malformed_request")
TOO_MANY = (503, "too_many_connections", "as many connections as the limit allows are at work")
TOO_LONG = (414, "url_too_long", f"path and query are longer than {MAX_TARGET_BYTES} bytes")
UPGRADING = (501, "no_upgrade", "Upgrade: not supported; send the request without this header")

REFUSALS = {each[:2] for each in (MALFORMED, TOO_MANY, TOO_LONG, UPGRADING)}
"""(status, code) of each"""


def refusal(status: int, code: str, detail: str) -> bytes:
    """Return a whole answer of HTTP/1.1, whose body is the problem. The connection must close after it."""
    title = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    retries = {"retry_after": RETRY_SECONDS} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    body = json.dumps(problem | retries).encode()
    head = (
        f"HTTP/1.1 {status} {title}",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        f"x-request-id: {uuid4().hex}",
        *(f"{name}: {value}" for name, value in (HEADERS | {"Content-Security-Policy": NOTHING}).items()),
        *(f"retry-after: {seconds}" for seconds in retries.values()),
        "connection: close",
    )
    return "\r\n".join([*head, "", ""]).encode() + body
