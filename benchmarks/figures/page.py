"""`python -m benchmarks.figures.page`: pictures of each state of the page, taken in Chromium with the released weights.

The photos come with scikit-image: coffee (CC0), astronaut (NASA, public domain) and chelsea (CC0).
"""

import io
import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import numpy as np
import skimage.data
import typer
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, Route, ViewportSize, sync_playwright

from benchmarks.figures.browser import MissingBrowserError, executable, launch
from benchmarks.figures.pictures import PICTURES, gray_of
from benchmarks.running import running

__all__ = ["main"]

PHOTOS = ("coffee", "astronaut", "chelsea")
REFERENCE = "coffee"
SETTINGS = "#seed=7&n=4"
LINK = "#seed=7&n=4&index=2&temperature=0.7"
EARLIER = "&model=tintflow-cwf-8.00000000"
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
TABLET: ViewportSize = {"width": 768, "height": 1024}
PHONE: ViewportSize = {"width": 390, "height": 780}
PHONE_GAP = 16  # pixels between the phones of one picture
PATIENCE = 300  # seconds; a busy machine takes its time
QUALITIES = (90, 80, 70, 60)
MAX_BYTES = 200_000
Scheme = Literal["light", "dark"]


class Part(StrEnum):
    """A part of the walk through the page."""

    WELCOME = "welcome"
    DESKTOP = "desktop"
    VIEWER = "viewer"
    SELDOM = "seldom"
    TABLET = "tablet"
    PHONE = "phone"


def main(
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")] = PICTURES,
    only: Annotated[list[Part] | None, typer.Option(help="A part of the walk; give it again for more parts.")] = None,
) -> None:
    """Write `page-STATE.webp` of each state of the page, or of some parts of the walk, at most 200 KB each."""
    try:
        executable()
    except MissingBrowserError as error:
        raise typer.BadParameter(f"a picture of the page {error}") from error
    out.mkdir(parents=True, exist_ok=True)
    with running() as service, sync_playwright() as playwright:
        browser = launch(playwright)
        walk = _Walk(browser, f"{service.url}/", out)
        for part in only or Part:
            getattr(walk, part)()
        browser.close()


class _Walk:
    """A walk through the page, with a picture of each state."""

    def __init__(self, browser: Browser, address: str, out: Path) -> None:
        self._browser, self._address, self._out = browser, address, out

    def welcome(self) -> None:
        """Picture the first look, opened links, a file that is too large, a start, and the question for a key."""
        page = self._open(DESKTOP, "light")
        self._save(page, "welcome")
        with TemporaryDirectory() as folder:
            file = Path(folder, "scan.tif")
            with file.open("wb") as large:
                large.truncate(60_000_000)
            page.set_input_files("#files", file)
        self._save(page, "too-large")
        page.context.close()
        page = self._open(DESKTOP, "dark", LINK)
        self._save(page, "link")
        page.context.close()
        page = self._open(DESKTOP, "light", LINK + EARLIER)
        page.get_by_text("colors will differ").wait_for()
        self._save(page, "model-changed")
        page.context.close()
        page = self._open(DESKTOP, "dark", before=_still_start, demo=False)
        page.wait_for_selector("#model-note:not([hidden])")
        self._save(page, "starting")
        page.context.close()
        page = self._open(DESKTOP, "light", before=_ask_for_key, demo=False)
        page.wait_for_selector("#key-dialog[open]")
        self._save(page, "key")
        page.context.close()

    def desktop(self) -> None:
        """Picture several photos in work, the grid, what is kept, steps, hints, variations, a reference, and errors."""
        page = self._open(DESKTOP, "light")
        with _held(page, after=1):
            page.set_input_files("#files", _files(*PHOTOS))
            page.wait_for_selector("#strip li:first-child img:not(.gray)")
            self._save(page, "album")
        _finish(page)
        self._save(page, "grid")
        page.locator(".card .likelihood").nth(1).click()
        self._save(page, "explanation")
        page.keyboard.press("Escape")
        page.evaluate("document.activeElement.blur()")
        _drag(page, "dragover")
        self._save(page, "drag")
        _drag(page, "dragleave")
        with _held(page, after=0):
            page.locator("#seed").evaluate("each => { each.value = ''; each.dispatchEvent(new Event('change')) }")
            page.click("#colorize")
            page.wait_for_selector(".card.pending.working")
            self._save(page, "working")
            page.click("#stop")
            page.wait_for_selector("#run-error:not([hidden])")
            self._save(page, "stopped")
        page.click("#retry")
        _finish(page)
        for place in (1, 3):
            page.locator(".card.new .keep").nth(place).click()
        self._save(page, "kept")
        page.get_by_role("button", name="Compare", exact=True).click()
        self._save(page, "compare")
        page.click("#interpolate")
        _finish(page)
        self._save(page, "steps")
        page.locator("#keep-none").click()
        _fix_colors(page)
        self._save(page, "hints")
        page.locator("#viewer-close").click()
        page.locator("#history button").last.click()
        page.locator(".card.new .open").nth(1).click()
        page.click("#vary")
        _finish(page)
        self._save(page, "variations")
        page.locator("#strip .photo").nth(1).click()
        page.set_input_files("#reference", _files(REFERENCE, gray=False))
        _finish(page)
        self._save(page, "reference")
        page.route("**/v1/colorizations", lambda route: route.abort())
        page.locator("#history button").last.click()
        page.click("#colorize")
        page.wait_for_selector("#run-error:not([hidden])")
        self._save(page, "error")
        page.context.close()

    def viewer(self) -> None:
        """Picture one coloring in full view, then with its colors adjusted, in the dark."""
        page = self._colored(DESKTOP, "dark")
        page.locator(".card.new .open").nth(1).click()
        self._save(page, "viewer")
        page.locator("#saturation").fill("1.4")
        page.locator("#warmth").fill("0.3")
        page.wait_for_selector("#look-reset:not([hidden])")
        self._save(page, "adjust")
        page.context.close()

    def seldom(self) -> None:
        """Picture albums in trouble and of one color, and what has no link, steps or variations."""
        page = self._open(DESKTOP, "light")
        with _held(page, after=1):
            page.set_input_files("#files", _files(*PHOTOS))
            page.wait_for_selector("#strip li:first-child img:not(.gray)")
            page.click("#album-cancel")
            page.wait_for_selector("#album-resume:not([hidden])")
            self._save(page, "album-stopped")
        page.click("#album-resume")
        _finish(page)
        _fix_colors(page)
        page.keyboard.press("Escape")
        page.locator("#viewer-close").click()
        page.set_input_files("#reference", _files(REFERENCE, gray=False))
        _finish(page)
        self._save(page, "colors-off")
        page.locator(".card.new .open").first.click()
        page.locator("#share-note").scroll_into_view_if_needed()
        self._save(page, "no-link")
        page.locator("#viewer-close").click()
        for place in (0, 1):
            page.locator(".card.new .keep").nth(place).click()
        page.get_by_role("button", name="Compare", exact=True).click()
        self._save(page, "no-steps")
        page.locator("#compare-close").click()
        page.locator("#keep-none").click()
        page.locator("#strip .photo").nth(1).click()
        page.locator("#boldness").evaluate("each => { each.value = 0; each.dispatchEvent(new Event('change')) }")
        page.click("#colorize")
        _finish(page)
        page.locator(".card.new .open").first.click()
        self._save(page, "safest")
        page.context.close()
        page = self._open(DESKTOP, "light")
        _fail_second(page)
        page.set_input_files("#files", _files(*PHOTOS))
        page.wait_for_selector("#album-resume:not([hidden])")
        page.locator("#strip .photo").nth(1).click()
        self._save(page, "album-failed")
        page.click("#album-resume")
        _finish(page)
        page.locator("#strip .photo").nth(1).click()
        page.locator(".card.new .open").first.click()
        page.click("#spread")
        _finish(page)
        page.locator("#strip .photo").nth(2).click()
        self._save(page, "spread")
        page.context.close()

    def tablet(self) -> None:
        """Picture the grid on a tablet, in the dark."""
        page = self._colored(TABLET, "dark")
        self._save(page, "tablet")
        page.context.close()

    def phone(self) -> None:
        """Picture a phone, in light and dark, and with several photos."""
        self._phone("light")
        self._phone("dark")
        self._phone_of_several()

    def _phone(self, scheme: Scheme) -> None:
        """Picture the first look, the grid, the full view and fixed colors on a phone, side by side."""
        page = self._open(PHONE, scheme)
        states = [_shot(page)]
        page.set_input_files("#files", _files(PHOTOS[0]))
        _finish(page)
        states.append(_shot(page))
        page.locator(".card.new .open").nth(1).click()
        states.append(_shot(page))
        page.locator("#viewer-close").click()
        _fix_colors(page)
        states.append(_shot(page))
        self._write(_side_by_side(states), f"phone-{scheme}")
        page.context.close()

    def _phone_of_several(self) -> None:
        """Picture the work on an album, and two colorings compared, on a phone, side by side."""
        page = self._open(PHONE, "light")
        with _held(page, after=1):
            page.set_input_files("#files", _files(*PHOTOS))
            page.wait_for_selector("#strip li:first-child img:not(.gray)")
            states = [_shot(page)]
        _finish(page)
        for place in (0, 3):
            page.locator(".card.new .keep").nth(place).click()
        states.append(_shot(page))
        page.get_by_role("button", name="Compare", exact=True).click()
        states.append(_shot(page))
        self._write(_side_by_side(states), "phone-several")
        page.context.close()

    def _open(
        self,
        size: ViewportSize,
        scheme: Scheme,
        at: str = SETTINGS,
        before: Callable[[Page], None] = lambda page: None,
        demo: bool = True,
    ) -> Page:
        """Open the page in a browser of its own; `before` prepares it. Wait for the demonstration, if there is one."""
        context = self._browser.new_context(
            viewport=size,
            color_scheme=scheme,
            reduced_motion="reduce",
            has_touch=size is PHONE,
            is_mobile=size is PHONE,
        )
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        before(page)
        page.goto(self._address + at)
        if demo:
            page.wait_for_selector("#hero-colorings li:nth-child(4)")
        return page

    def _colored(self, size: ViewportSize, scheme: Scheme) -> Page:
        """Open the page, and wait for colorings of all photos."""
        page = self._open(size, scheme)
        page.set_input_files("#files", _files(*PHOTOS))
        _finish(page)
        return page

    def _save(self, page: Page, state: str) -> None:
        self._write(_shot(page), state)

    def _write(self, picture: Image.Image, state: str) -> None:
        for quality in QUALITIES:
            buffer = io.BytesIO()
            picture.save(buffer, "WEBP", quality=quality, method=6)
            if buffer.tell() <= MAX_BYTES:
                break
        (self._out / f"page-{state}.webp").write_bytes(buffer.getvalue())
        print(f"page-{state}.webp  {picture.width} × {picture.height}  {buffer.tell() / 1000:.0f} KB")


@contextmanager
def _held(page: Page, after: int) -> Iterator[None]:
    """Hold requests for colorings, after some that go through."""
    held: list[Route] = []
    left: float = after

    def hold(route: Route) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            route.continue_()
        else:
            held.append(route)

    page.route("**/v1/colorizations", hold)
    yield
    left = math.inf
    for route in held:
        route.continue_()


def _still_start(page: Page) -> None:
    problem = {"status": 503, "code": "loading", "detail": "the model is being loaded"}
    page.route("**/v1/models", lambda route: route.fulfill(status=503, json=problem, headers={"Retry-After": "60"}))


def _fail_second(page: Page) -> None:
    """Answer the second request for colorings with an error of the model."""
    problem = {"status": 500, "code": "model_error", "detail": "the device was reset"}
    order = itertools.count()

    def answer(route: Route) -> None:
        if next(order) == 1:
            route.fulfill(status=500, json=problem)
        else:
            route.continue_()

    page.route("**/v1/colorizations", answer)


def _drag(page: Page, kind: str) -> None:
    """Hold a file over the page, or take it away."""
    script = """kind => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(["photo"], "photo.png", { type: "image/png" }));
      document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(script, kind)


def _ask_for_key(page: Page) -> None:
    problem = {"status": 401, "code": "missing_key", "detail": "this service asks for an API key"}
    page.route("**/v1/models", lambda route: route.fulfill(status=401, json=problem))


def _finish(page: Page) -> None:
    """Wait for all colorings that are in work."""
    page.wait_for_selector("#strip:not(:has(.busy, .waiting))", state="attached")
    page.wait_for_selector("#run-progress", state="hidden")


def _fix_colors(page: Page) -> None:
    """Fix two colors, and ask for a third."""
    page.locator(".card .fix").first.click()
    for x, y, name in ((0.86, 0.3, "wood"), (0.3, 0.75, "brick, rust")):
        _click(page, x, y)
        with page.expect_response("**/v1/colorizations"):
            page.locator("#palette-swatches").get_by_role("button", name=name).click()
        page.wait_for_selector("#fix-status:empty", state="attached")
    _click(page, 0.5, 0.25)


def _click(page: Page, x: float, y: float) -> None:
    """Click on the photo in full view, at fractions of its width and height."""
    photo = page.locator("#after").bounding_box()
    assert photo  # noqa: S101 - it is shown
    page.mouse.click(photo["x"] + x * photo["width"], photo["y"] + y * photo["height"])


def _files(*names: str, gray: bool = True) -> list[FilePayload]:
    def png(pixels: NDArray[np.uint8]) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return buffer.getvalue()

    photos = {name: getattr(skimage.data, name)() for name in names}
    return [
        {"name": f"{name}.png", "mimeType": "image/png", "buffer": png(gray_of(photo) if gray else photo)}
        for name, photo in photos.items()
    ]


def _side_by_side(states: list[Image.Image]) -> Image.Image:
    width = sum(each.width for each in states) + PHONE_GAP * (len(states) - 1)
    joined = Image.new("RGBA", (width, states[0].height))
    left = 0
    for each in states:
        joined.paste(each, (left, 0))
        left += each.width + PHONE_GAP
    return joined


def _shot(page: Page) -> Image.Image:
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)  # until pictures are decoded
    return Image.open(io.BytesIO(page.screenshot(type="png"))).convert("RGB")


if __name__ == "__main__":
    typer.run(main)
