"""Middlewares around every request: an id, a log line, metrics, an answer to unexpected errors, and HEAD."""

import re
import time
import uuid
from urllib.parse import quote

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problems import answer, internal_problem
from service.telemetry.metrics import Metrics
from service.telemetry.tracing import QUIET_PATHS, hide_query, trace_id

__all__ = ["Head", "LastResort", "RequestLog"]

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = structlog.get_logger()


class RequestLog:
    """ASGI middleware: identifies, times, counts and logs each request.

    A request's id comes from its X-Request-Id header, if valid, and is returned in the answer's.
    Neither bodies nor query strings are logged.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        started = time.perf_counter()
        status = 0
        hide_query(scope)

        async def send_numbered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id, **trace_id()):
            try:
                await self._app(scope, receive, send_numbered)
            finally:
                self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method, path = scope["method"], getattr(scope.get("route"), "path", "unmatched")
        self._metrics.requests.labels(method, path, str(status)).inc()
        self._metrics.request_seconds.labels(path).observe(seconds)
        facts = {name: scope["state"][name] for name in ("code", "key") if name in scope.get("state", {})}
        if "code" in facts:
            self._metrics.rejected.labels(facts["code"]).inc()
        write = log.debug if path in QUIET_PATHS else log.info
        asked = quote(scope["path"])  # without control characters, which a terminal would obey
        write("request", method=method, path=asked, status=status, seconds=round(seconds, 4), **facts)


class LastResort:
    """ASGI middleware: answers unexpected errors, so that every client gets an answer.

    It is inside the CORS middleware, so pages of other origins can read this answer, too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_on(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception:  # any error
            log.exception("unexpected_error")
            if begun or scope["type"] != "http":  # too late for an answer; the server closes the connection
                raise
            problem = internal_problem()
            scope.setdefault("state", {})["code"] = problem.code
            await answer(problem)(scope, receive, send)


class Head:
    """ASGI middleware for HEAD: routes see GET; the server knows about HEAD and sends no body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        seen = {**scope, "method": "GET"}
        try:
            await self._app(seen, receive, send)
        finally:
            if "route" in seen:
                scope["route"] = seen["route"]  # for the log and the metrics
