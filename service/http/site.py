"""The page at `/` and its files: plain HTML, CSS and JavaScript modules from `service/page`, served unchanged."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.staticfiles import StaticFiles

__all__ = ["PAGE_HEADERS", "router"]

PAGE = Path(__file__).parents[1] / "page"

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",  # revalidated each time, often 304: no page mixes two versions
}

MODULES = ", ".join(f"<page/{module.name}>; rel=modulepreload" for module in sorted(PAGE.glob("*.js")))
"""Link header (RFC 8288): browsers request all modules at once, not each after its importer"""

router = APIRouter(include_in_schema=False)
files = StaticFiles(directory=PAGE)


@router.get("/page/{name:path}")
async def page_file(name: str, request: Request) -> Response:
    """Return one of the page's files; for a missing one, the router's 404."""
    response = await files.get_response(name, request.scope)
    response.headers.update(PAGE_HEADERS)
    return response


@router.get("/")
async def page(request: Request) -> Response:
    response = await page_file("index.html", request)
    response.headers["Link"] = MODULES
    return response
