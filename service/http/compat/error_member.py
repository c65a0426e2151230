"""Problems for clients of other interfaces: the same, and a member `error` in the shape that these clients read."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from model.errors import ModelError
from service.errors import ServiceError
from service.http.problems import known_error

__all__ = ["ErrorMemberRoute"]


class ErrorMemberRoute(APIRoute):
    """A route whose problems have one member more (RFC 9457, 3.2 lets them)."""

    @staticmethod
    def error_member(problem: dict[str, Any]) -> Any:
        """Return what `error` is for a problem."""
        raise NotImplementedError

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler that adds the member."""
        handle = super().get_route_handler()

        async def handle_and_extend(request: Request) -> Response:
            try:
                return await handle(request)
            except (ServiceError, ModelError) as error:
                answer = await known_error(request, error)
                problem = json.loads(bytes(answer.body))
                problem["error"] = self.error_member(problem)
                extended = JSONResponse(problem, answer.status_code, media_type=answer.media_type)
                for name, value in answer.headers.items():
                    extended.headers.setdefault(name, value)
                return extended

        return handle_and_extend
