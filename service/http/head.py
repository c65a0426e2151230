"""HEAD, wherever there is GET: the same headers, and no body."""

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Head"]


class Head:
    """ASGI middleware: routes see GET; the server knows that HEAD was asked for, and sends no body."""

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
