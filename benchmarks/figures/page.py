"""`python -m benchmarks.figures.page`: pictures of each state of the page, taken in Chromium with the released weights.

The photos come with scikit-image: coffee (CC0), astronaut (NASA, public domain) and chelsea (CC0).
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import skimage.data
import typer
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, ViewportSize, sync_playwright

from benchmarks.figures.browser import MissingBrowserError, check_browser, launch
from benchmarks.figures.pictures import PICTURES, gray_of
from benchmarks.figures.steps import click_at, drop, hold, keep, release
from benchmarks.running import running

PHOTOS = ("coffee", "astronaut", "chelsea")
REFERENCE = "coffee"
SETTINGS = "#seed=7&n=4"
LINK = "#seed=7&n=4&index=2&temperature=0.7"
EARLIER = "&model=tintflow-cwf-8.00000000"
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
TABLET: ViewportSize = {"width": 768, "height": 1024}
PHONE: ViewportSize = {"width": 390, "height": 780}
PHONE_GAP = 16  # pixels between two phones in a picture
PATIENCE = 300  # seconds; long enough for a busy machine
QUALITIES = (90, 80, 70, 60)
MAX_BYTES = 200_000
COLORIZATIONS = "**/v1/colorizations"
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


Part = StrEnum("Part", ["WELCOME", "DESKTOP", "VIEWER", "SELDOM", "TABLET", "PHONE"])
"""The parts of the walk through the page."""


def main(
    only: Annotated[list[Part] | None, typer.Option(help="Part of the walk (default: all); may be repeated.")] = None,
) -> None:
    """Write `page-STATE.webp`, at most 200 KB, for each state of the page in the chosen parts of the walk."""
    try:
        check_browser()
    except MissingBrowserError as error:
        raise typer.BadParameter(f"a picture of the page {error}") from error
    with running() as service, sync_playwright() as playwright:
        browser = launch(playwright)
        walk = _Walk(browser, f"{service.url}/")
        for part in only or Part:
            getattr(walk, part)()
        browser.close()


class _Walk:
    """Walk through the page, with a picture of each state."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser, self._address = browser, address

    def welcome(self) -> None:
        """Picture the welcome, opened links, a file that is too large, a starting service, and the API key dialog."""
        with self._page(DESKTOP, "light") as page, TemporaryDirectory() as folder:
            self._save(page, "welcome")
            file = Path(folder, "scan.tif")
            with file.open("wb") as large:
                large.truncate(60_000_000)
            page.set_input_files("#files", file)
            self._save(page, "too-large")
        with self._page(DESKTOP, "dark", LINK) as page:
            self._save(page, "link")
        with self._page(DESKTOP, "light", LINK + EARLIER) as page:
            page.get_by_text("colors will differ").wait_for()
            self._save(page, "model-changed")
        loading = {"status": 503, "code": "loading", "detail": "the model is being loaded"}
        with self._page(DESKTOP, "dark", problem=loading) as page:
            page.wait_for_selector("#model-note:not([hidden])")
            self._save(page, "starting")
        missing_key = {"status": 401, "code": "missing_key", "detail": "this service asks for an API key"}
        with self._page(DESKTOP, "light", problem=missing_key) as page:
            page.wait_for_selector("#key-dialog[open]")
            self._save(page, "key")

    def desktop(self) -> None:
        """Picture photos in work, the grid, kept colorings, steps, hints, variations, a reference, and errors."""
        with self._page(DESKTOP, "light") as page:
            with _first_of_several(page):
                self._save(page, "album")
            _finish(page)
            self._save(page, "grid")
            page.locator(".card .likelihood").nth(1).click()
            self._save(page, "explanation")
            page.keyboard.press("Escape")
            page.evaluate("document.activeElement.blur()")
            drop(page, "body", PICTURES / "grey.jpg", ("dragover",))
            self._save(page, "drag")
            page.dispatch_event("body", "dragleave")
            held = hold(page, "colorizations")
            page.locator("#seed").evaluate("seed => { seed.value = ''; seed.dispatchEvent(new Event('change')) }")
            page.click("#colorize")
            page.wait_for_selector(".card.pending.working")
            self._save(page, "working")
            page.click("#stop")
            page.wait_for_selector("#run-error:not([hidden])")
            self._save(page, "stopped")
            release(page, "colorizations", held)
            page.click("#retry")
            _finish(page)
            keep(page, 1, 3)
            self._save(page, "kept")
            page.click("#compare-open")
            self._save(page, "compare")
            page.click("#interpolate")
            _finish(page)
            self._save(page, "steps")
            page.locator("#keep-none").click()
            page.locator("#notices button").click()  # its message
            _fix_colors(page)
            self._save(page, "hints")
            page.locator("#viewer-close").click()
            page.locator("#history button").last.click()
            _view(page, 1)
            page.click("#vary")
            _finish(page)
            self._save(page, "variations")
            page.locator("#strip .photo").nth(1).click()
            page.set_input_files("#reference", _files(REFERENCE, gray=False))
            _finish(page)
            self._save(page, "reference")
            page.route(COLORIZATIONS, lambda route: route.abort())
            page.locator("#history button").last.click()
            page.click("#colorize")
            page.wait_for_selector("#run-error:not([hidden])")
            self._save(page, "error")

    def viewer(self) -> None:
        """Picture one coloring in full view, then with its colors adjusted, in the dark."""
        with self._page(DESKTOP, "dark") as page:
            _color(page, *PHOTOS)
            _view(page, 1)
            self._save(page, "viewer")
            page.locator("#saturation").fill("1.4")
            page.locator("#warmth").fill("0.3")
            page.wait_for_selector("#look-reset:not([hidden])")
            self._save(page, "adjust")

    def seldom(self) -> None:
        """Picture albums with failures or of one color, and colorings without a link, steps or variations."""
        with self._page(DESKTOP, "light") as page:
            with _first_of_several(page):
                page.click("#album-cancel")
                page.wait_for_selector("#album-resume:not([hidden])")
                self._save(page, "album-stopped")
            page.click("#album-resume")
            _finish(page)
            page.set_input_files("#reference", _files(REFERENCE, gray=False))
            _finish(page)
            _view(page, 0)
            page.locator("#share-note").scroll_into_view_if_needed()
            self._save(page, "no-link")
            page.locator("#viewer-close").click()
            keep(page, 0, 1)
            page.click("#compare-open")
            self._save(page, "no-steps")
            page.locator("#compare-close").click()
            page.locator("#keep-none").click()
            page.locator("#notices button").click()  # its message
            page.locator("#strip .photo").nth(1).click()
            page.fill("#boldness", "0")
            page.click("#colorize")
            _finish(page)
            _view(page, 0)
            self._save(page, "safest")
        with self._page(DESKTOP, "light") as page:
            problem = {"status": 500, "code": "model_error", "detail": "the device was reset"}
            page.route(COLORIZATIONS, lambda route: route.fulfill(status=500, json=problem), times=1)
            page.route(COLORIZATIONS, lambda route: route.continue_(), times=1)  # the first photo's
            page.set_input_files("#files", _files(*PHOTOS))
            page.wait_for_selector("#album-resume:not([hidden])")
            page.locator("#strip .photo").nth(1).click()
            self._save(page, "album-failed")
            page.click("#album-resume")
            _finish(page)
            page.locator("#strip .photo").nth(1).click()
            _view(page, 0)
            page.click("#spread")
            _finish(page)
            page.locator("#strip .photo").nth(2).click()
            self._save(page, "spread")

    def tablet(self) -> None:
        """Picture the grid on a tablet, in the dark."""
        with self._page(TABLET, "dark") as page:
            _color(page, *PHOTOS)
            self._save(page, "tablet")

    def phone(self) -> None:
        """Picture a phone in light and dark, then with several photos, with states side by side in each picture."""
        for scheme in SCHEMES:
            with self._page(PHONE, scheme) as page:
                states = [_shot(page)]
                _color(page, PHOTOS[0])
                states.append(_shot(page))
                _view(page, 1)
                states.append(_shot(page))
                page.locator("#viewer-close").click()
                _fix_colors(page)
                states.append(_shot(page))
            self._write(_side_by_side(states), f"phone-{scheme}")
        with self._page(PHONE, "light") as page:
            with _first_of_several(page):
                states = [_shot(page)]
            _finish(page)
            keep(page, 0, 3)
            states.append(_shot(page))
            page.click("#compare-open")
            states.append(_shot(page))
        self._write(_side_by_side(states), "phone-several")

    @contextmanager
    def _page(
        self, size: ViewportSize, scheme: Scheme, at: str = SETTINGS, problem: dict[str, object] | None = None
    ) -> Iterator[Page]:
        """Open the page and its demonstration in a new browser context.

        problem: error that the service answers to the request for its model. The page then has no demonstration.
        """
        phone = size is PHONE
        with self._browser.new_context(
            viewport=size, color_scheme=scheme, reduced_motion="reduce", has_touch=phone, is_mobile=phone
        ) as context:
            page = context.new_page()
            page.set_default_timeout(1000 * PATIENCE)
            if problem:
                answer = {"status": problem["status"], "json": problem, "headers": {"Retry-After": "60"}}
                page.route("**/v1/models", lambda route: route.fulfill(**answer))
            page.goto(self._address + at)
            if not problem:
                page.wait_for_selector("#hero-colorings li:nth-child(4)")
            yield page

    def _save(self, page: Page, state: str) -> None:
        self._write(_shot(page), state)

    def _write(self, picture: Image.Image, state: str) -> None:
        for quality in QUALITIES:
            buffer = io.BytesIO()
            picture.save(buffer, "WEBP", quality=quality, method=6)
            if buffer.tell() <= MAX_BYTES:
                break
        (PICTURES / f"page-{state}.webp").write_bytes(buffer.getvalue())
        print(f"page-{state}.webp  {picture.width} × {picture.height}  {buffer.tell() / 1000:.0f} KB")


@contextmanager
def _first_of_several(page: Page) -> Iterator[None]:
    """Choose several photos; let the first be colored, and leave the others waiting."""
    held = hold(page, "colorizations", after=1)
    page.set_input_files("#files", _files(*PHOTOS))
    page.wait_for_selector("#strip li:first-child img:not(.gray)")
    yield
    release(page, "colorizations", held)


def _color(page: Page, *photos: str) -> None:
    """Choose photos, and wait for their colorings."""
    page.set_input_files("#files", _files(*photos))
    _finish(page)


def _view(page: Page, place: int) -> None:
    page.locator(".card.new .open").nth(place).click()


def _finish(page: Page) -> None:
    """Wait for all colorings that are in work."""
    page.wait_for_selector("#strip:not(:has(.busy, .waiting))", state="attached")
    page.wait_for_selector("#run-progress", state="hidden")


def _fix_colors(page: Page) -> None:
    """Fix two colors, and ask for a third."""
    page.locator(".card .fix").first.click()
    for x, y, name in ((0.86, 0.3, "wood"), (0.2, 0.55, "brick, rust")):
        click_at(page, x, y)
        with page.expect_response(COLORIZATIONS):
            page.locator("#palette-swatches").get_by_role("button", name=name).click()
        page.wait_for_selector("#fix-status:empty", state="attached")
    click_at(page, 0.5, 0.25)
    page.wait_for_selector("#ideas:not(:has(i))")


def _files(*names: str, gray: bool = True) -> list[FilePayload]:
    files: list[FilePayload] = []
    for name in names:
        photo, buffer = getattr(skimage.data, name)(), io.BytesIO()
        Image.fromarray(gray_of(photo) if gray else photo).save(buffer, "PNG")
        files.append({"name": f"{name}.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
    return files


def _side_by_side(states: list[Image.Image]) -> Image.Image:
    step = PHONE["width"] + PHONE_GAP
    joined = Image.new("RGBA", (len(states) * step - PHONE_GAP, PHONE["height"]))
    for i, state in enumerate(states):
        joined.paste(state, (i * step, 0))
    return joined


def _shot(page: Page) -> Image.Image:
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)  # until pictures are decoded
    return Image.open(io.BytesIO(page.screenshot(type="png"))).convert("RGB")


if __name__ == "__main__":
    typer.run(main)
