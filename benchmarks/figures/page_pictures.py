"""Pictures of the page, taken in chromium: `python -m benchmarks.figures.page_pictures`.

The photos come with scikit-image: coffee (CC0), astronaut (NASA, public domain) and chelsea (CC0).
"""

import io
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import skimage.data
import typer
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, ViewportSize, sync_playwright

from benchmarks.figures.pictures import PICTURES, gray_of
from service.app import create_app
from service.cli.server import Server
from service.loading import load_colorizer
from service.settings import Settings

__all__ = ["main"]

PHOTOS = ("coffee", "astronaut", "chelsea")
LINK = "#seed=7&n=5"
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 780}
START_SECONDS = 60
QUALITY = 85


def main(out: Annotated[Path, typer.Option(help="Folder of the pictures.")] = PICTURES) -> None:
    """Write a picture of each state of the page.

    `page-welcome.jpg`, `page-grid.jpg`, `page-hints.jpg`, `page-viewer.jpg` (dark), `page-compare.jpg` and
    `page-phone.jpg`.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        raise typer.BadParameter("the pictures of the page need chromium (on Debian: apt-get install chromium)")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # chromium refuses to run as root with it
    with _serving() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=sandbox)
        _welcome(_opened(browser, address, DESKTOP, "light"), out)
        _grid(_colorized(browser, address, DESKTOP, "light"), out)
        _viewer(_colorized(browser, address, DESKTOP, "dark"), out)
        _phone(_colorized(browser, address, PHONE, "light"), out)
        browser.close()


@contextmanager
def _serving() -> Iterator[str]:
    """Serve the page on a free port; yield its address once the model is loaded."""
    app = create_app(Settings(), load_colorizer)
    server = Server(uvicorn.Config(app, port=0, log_level="warning", ws="none"), app.state.engine)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        give_up = time.monotonic() + START_SECONDS
        while not server.started or app.state.engine.state != "ready":
            if time.monotonic() > give_up or not thread.is_alive():
                raise RuntimeError("the service did not become ready")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()


def _opened(browser: Browser, address: str, size: ViewportSize, scheme: str) -> Page:
    """Open the page and wait for its demonstration."""
    page = browser.new_context(
        viewport=size, color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
    ).new_page()
    page.goto(address + LINK)
    page.wait_for_selector("#hero-colorings li:nth-child(4)", timeout=1000 * START_SECONDS)
    return page


def _colorized(browser: Browser, address: str, size: ViewportSize, scheme: str) -> Page:
    """Open the page, choose the photos and wait for all colorings."""
    page = _opened(browser, address, size, scheme)
    files: list[FilePayload] = [
        {"name": f"{name}.png", "mimeType": "image/png", "buffer": _png(name)} for name in PHOTOS
    ]
    page.set_input_files("#files", files)
    page.wait_for_selector("#strip:not(:has(.busy, .waiting)) .photo", timeout=1000 * START_SECONDS)
    page.wait_for_load_state("networkidle")
    return page


def _png(name: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(gray_of(getattr(skimage.data, name)())).save(buffer, "PNG")
    return buffer.getvalue()


def _welcome(page: Page, out: Path) -> None:
    _save(page, out / "page-welcome.jpg")


def _grid(page: Page, out: Path) -> None:
    for place in (1, 3):
        page.locator(".card.new .keep").nth(place).click()
    _save(page, out / "page-grid.jpg")
    page.get_by_role("button", name="Compare", exact=True).click()
    _save(page, out / "page-compare.jpg")
    page.locator("#compare-close").click()
    page.locator("#keep-none").click()
    page.get_by_role("button", name="Fix a color", exact=True).first.click()
    for x, y, name in ((0.86, 0.3, "wood"), (0.3, 0.75, "brick, rust")):
        _click(page, x, y)
        page.locator("#palette-swatches").get_by_role("button", name=name).click()
    page.wait_for_selector("#fix-status:not(:empty)")
    page.wait_for_selector("#fix-status:empty", state="attached", timeout=1000 * START_SECONDS)
    _click(page, 0.5, 0.25)  # the palette, for another one
    _save(page, out / "page-hints.jpg")


def _click(page: Page, x: float, y: float) -> None:
    """Click on the photo in full view, at fractions of its width and height."""
    photo = page.locator("#after").bounding_box()
    assert photo  # noqa: S101 - it is shown
    page.mouse.click(photo["x"] + x * photo["width"], photo["y"] + y * photo["height"])


def _viewer(page: Page, out: Path) -> None:
    page.locator(".card.new .open").nth(1).click()
    _save(page, out / "page-viewer.jpg")


def _phone(page: Page, out: Path) -> None:
    _save(page, out / "page-phone.jpg")


def _save(page: Page, path: Path) -> None:
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)  # until pictures are decoded
    page.screenshot(path=path, type="jpeg", quality=QUALITY)


if __name__ == "__main__":
    typer.run(main)
