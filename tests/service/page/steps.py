"""Common steps of the page's tests."""

import io
import zipfile
from pathlib import Path

from playwright.sync_api import Locator, Page, Route, expect

from benchmarks.figures.steps import click_at, drop
from tests.service.waiting import eventually

FAILED = "Failed to load resource"
"""The browser's own words, in its console, for any answer that is an error"""


def begin_anew(page: Page) -> None:
    """Undo adding the only photo, which returns to the initial page."""
    page.keyboard.press("Control+z")
    expect(page.locator("#welcome")).to_be_visible()


def colorize_again(page: Page, seed: int) -> None:
    """Colorize a photo again, with a seed set under *Details*."""
    page.get_by_text("Details").first.click()
    page.fill("#seed", str(seed))
    page.locator("#seed").blur()
    page.click("#colorize")
    expect(page.locator("#history li")).to_have_count(2)


def downloaded(page: Page, selector: str) -> tuple[str, bytes]:
    """Press a selector's first element; return the name and the content of the downloaded file."""
    with page.expect_download() as started:
        page.locator(selector).first.click()
    return started.value.suggested_filename, started.value.path().read_bytes()


def unzipped(page: Page, selector: str) -> tuple[str, dict[str, bytes]]:
    """Press an element that downloads a zip; return its name, and its files' contents after a check of checksums."""
    name, content = downloaded(page, selector)
    with zipfile.ZipFile(io.BytesIO(content)) as files:
        return name, {each: files.read(each) for each in files.namelist()}


def drag(page: Page, x: float, y: float, dx: float, dy: float = 0) -> None:
    """Press the mouse at a position, and move it while its button is held."""
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()


def resize(page: Page, width: int, height: int) -> None:
    """Resize the window, and wait for the new layout: the page's observers run before the next frame."""
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate(
        """async (size) => {
          const frame = () => new Promise(requestAnimationFrame);
          while (String([innerWidth, innerHeight]) !== String(size)) await frame();
          await frame().then(frame);
        }""",
        [width, height],
    )


def swipe(page: Page, *fingers: tuple[float, float, float, float]) -> None:
    """Move fingers, each from a position (x, y) by (dx, dy), in ten steps."""
    session = page.context.new_cdp_session(page)
    for step in range(11):
        points = [{"x": x + dx * step / 10, "y": y + dy * step / 10} for x, y, dx, dy in fingers]
        kind = "touchMove" if step else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def fix_a_color(page: Page) -> None:
    """Open a photo from the grid, and fix the first offered color in its middle."""
    page.get_by_role("button", name="Fix a color", exact=True).first.click()
    page.click("#hint-add")
    page.locator("#palette-swatches button").first.click()


def borrow(page: Page, path: Path) -> None:
    """Give the current photo the colors of another, and wait for the two colorings."""
    drop(page, "#reference-zone", path)
    expect(page.locator("#run-title")).to_have_text(f"Colors of {path.name}")
    expect_colorings(page, 2)


def link_of(page: Page) -> str:
    """Copy the link of the coloring in full view."""
    page.click("#share")
    expect(page.get_by_role("status").and_(page.locator("#share-note"))).to_contain_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    return "/" + link[link.index("#") :]


def open_link(page: Page, address: str) -> None:
    """Open a link in the page's tab: change the part of the address in which links differ.

    Nobody is so fast that the browser is still going back from a dialog that was closed.
    """
    eventually(lambda: page.evaluate("history.state !== 'dialog' || document.querySelector('dialog[open]') !== null"))
    page.evaluate("address => { location.hash = address; }", address)


def expect_colorings(page: Page, count: int) -> None:
    """Wait until the grid has a number of colorings, and no more are being made."""
    expect(page.locator(".card.new")).to_have_count(count)
    expect(page.locator("#run-progress")).to_be_hidden()


def add_more(page: Page, count: int) -> None:
    """Press the main button, and wait until the grid has a number of colorings."""
    page.click("#colorize")
    expect_colorings(page, count)


def more_like(page: Page, title: str) -> None:
    """Request *More like this* for the coloring in full view, which has this title, and wait for all four."""
    page.click("#vary")
    expect(page.locator("#run-title")).to_have_text(f"More like {title}")
    expect_colorings(page, 4)


def make_steps(page: Page, count: int) -> None:
    """Make a number of steps between the last two kept colorings, and wait for all."""
    page.click("#compare-open")
    page.fill("#steps", str(count))
    page.click("#interpolate")
    expect(page.locator("#run-title")).to_have_text("From one to the other")
    expect_colorings(page, count)


def pixels(image: Locator, side: int = 8) -> list[int]:
    """Return side × side pixels of a picture, with four values each."""
    script = """async (image, side) => {
      await image.decode();
      const context = Object.assign(document.createElement('canvas'), {width: side, height: side}).getContext('2d');
      context.drawImage(image, 0, 0, side, side);
      return [...context.getImageData(0, 0, side, side).data];
    }"""
    return image.evaluate(script, side)


def taken(page: Page, held: list[Route]) -> Route:
    """Wait for a held request, and remove it from the list; the page shows work before its request arrives here."""
    for _ in range(1000):
        if held:
            break
        page.wait_for_timeout(10)
    return held.pop()


def followed(page: Page, count: int) -> None:
    """Wait until the colorings follow a number of fixed colors."""
    expect(page.locator("#hint-list li")).to_have_count(count)
    expect(page.locator("#run-facts")).to_contain_text(f"{count} fixed color" if count else "Balanced")
    if count == 1:
        expect(page.locator("#hint-count")).to_have_text("Every coloring follows 1 fixed color.")
    expect(page.locator("#fix-status")).to_have_text("")


def choose(page: Page, x: float, name: str) -> None:
    """Fix a color at half the photo's height."""
    click_at(page, x, 0.5)
    page.locator("#palette-swatches").get_by_role("button", name=name).click()


def fix(page: Page, x: float, name: str, count: int) -> None:
    """Fix a color at half the photo's height, and wait until the colorings follow a number of colors."""
    choose(page, x, name)
    followed(page, count)
