"""The page at `/` and its files: plain HTML, CSS and JavaScript modules from `service/page`, as they are."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.staticfiles import StaticFiles

__all__ = ["PAGE_HEADERS", "router"]

PAGE = Path(__file__).parents[1] / "page"

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",  # asked for anew each time, answered 304: no page mixes two versions
}

MODULES = ", ".join(f"<page/{module.name}>; rel=modulepreload" for module in sorted(PAGE.glob("*.js")))
"""Link header (RFC 8288): browsers ask for all modules at once, not for one after another has named it"""

router = APIRouter(include_in_schema=False)
files = StaticFiles(directory=PAGE)


@router.get("/page/{name:path}")
async def page_file(name: str, request: Request) -> Response:
    """Return one of the page's files; without its own 404, for the router has one."""
    response = await files.get_response(name, request.scope)
    response.headers.update(PAGE_HEADERS)
    return response


@router.get("/")
async def page(request: Request) -> Response:
    response = await page_file("index.html", request)
    response.headers["Link"] = MODULES
    return response
