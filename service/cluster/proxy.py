"""Errors of Ray's HTTP proxies, as the service's own problems.

Set RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=service.cluster.proxy:middlewares to use it.
"""

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import QueueFullError, ReplicaLostError, RetryLaterError
from service.http.problems import MEDIA_TYPE, known_error

__all__ = ["ProxyProblems", "middlewares"]

RETRY_SECONDS = 2
REFUSALS: dict[int, RetryLaterError] = {
    429: QueueFullError("all replicas are busy; retry later", RETRY_SECONDS),
    500: ReplicaLostError("the replica at work on the request was lost; retry later", RETRY_SECONDS),
    503: ReplicaLostError("no replica is available; retry later", RETRY_SECONDS),
}
"""meaning of a proxy's statuses; the service's own are problems already"""
OWN_PATHS = "/-/"
REQUEST_ID = b"x-request-id"


class ProxyProblems:
    """ASGI middleware: a request whose replica was lost, or for which there was no room, may be tried again."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(OWN_PATHS):
            await self._app(scope, receive, send)
            return
        begun, refusal = False, None

        async def send_on(message: Message) -> None:
            nonlocal begun, refusal
            if message["type"] == "http.response.start":
                headers = dict(message["headers"])
                if headers.get(b"content-type") != MEDIA_TYPE.encode():
                    refusal = REFUSALS.get(message["status"])
                begun = True
                # the replica has named its request already; the proxy does so once more
                others = [each for each in message["headers"] if each[0] != REQUEST_ID]
                message = {**message, "headers": [*others, (REQUEST_ID, headers[REQUEST_ID])]}
            if refusal is None:
                await send(message)

        await self._app(scope, receive, send_on)
        if not begun:  # the replica died while at work
            refusal = REFUSALS[500]
        if refusal is not None:
            answer = await known_error(Request(scope), refusal)
            await answer(scope, receive, send)


def middlewares() -> list[Middleware]:
    return [Middleware(ProxyProblems)]
