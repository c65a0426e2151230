"""The page at `/` and its files: plain HTML, CSS and JavaScript modules from `service/page`, served unchanged."""

import re
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.staticfiles import StaticFiles

__all__ = ["router"]

PAGE = Path(__file__).parents[1] / "page"

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",  # revalidated each time, often 304
}
FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable"}

VERSION = "v-" + sha256(b"".join(path.read_bytes() for path in sorted(PAGE.glob("*.*")))).hexdigest()[:16]
"""Folder in the address of scripts and styles. It changes with them: no page mixes two versions."""

INDEX = re.sub(r'"page/(?=[\w-]+\.)', f'"page/{VERSION}/', (PAGE / "index.html").read_text("utf-8"))

MODULES = ", ".join(f"<page/{VERSION}/{path.name}>; rel=modulepreload" for path in sorted(PAGE.glob("*.js")))
"""Link header (RFC 8288): browsers request all modules at once, not each after its importer"""

router = APIRouter(include_in_schema=False)
files = StaticFiles(directory=PAGE)


@router.get("/page/{name:path}")
async def page_file(name: str, request: Request) -> Response:
    """Return one of the page's files; for a missing one, the router's 404.

    Another version, such as that of another replica's page, gets the current files, and must revalidate them.
    """
    version, _, rest = name.partition("/")
    response = await files.get_response(rest if version.startswith("v-") else name, request.scope)
    response.headers.update(PAGE_HEADERS | (FOR_GOOD if version == VERSION else {}))
    return response


@router.get("/")
async def page() -> Response:
    return Response(INDEX, media_type="text/html", headers=PAGE_HEADERS | {"Link": MODULES})
