"""Steps that many tests of the page take."""

from pathlib import Path

from playwright.sync_api import Locator, Page, Route, expect

__all__ = [
    "add_more",
    "begin_anew",
    "colorize_again",
    "downloaded",
    "drop",
    "expect_colorings",
    "hold",
    "more_like",
    "pixels",
    "taken",
]


def begin_anew(page: Page) -> None:
    """Take back the only photo by undo: the page is as it was at first."""
    page.keyboard.press("Control+z")
    expect(page.locator("#welcome")).to_be_visible()


def colorize_again(page: Page, seed: int) -> None:
    """Colorize a photo that was colorized once, with a seed set under *Details*."""
    page.get_by_text("Details").first.click()
    page.fill("#seed", str(seed))
    page.locator("#seed").blur()
    page.click("#colorize")
    expect(page.locator("#history li")).to_have_count(2)


def downloaded(page: Page, selector: str) -> tuple[str, bytes]:
    """Press what a selector finds first; return the name and the content of the file that comes."""
    with page.expect_download() as started:
        page.locator(selector).first.click()
    return started.value.suggested_filename, started.value.path().read_bytes()


def drop(page: Page, selector: str, path: Path, kinds: tuple[str, ...] = ("dragover", "drop")) -> None:
    """Drop a file on what a selector finds, as a drag from a folder does; or only hold it there."""
    script = """(target, {bytes, name, kinds}) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], name, {type: 'image/png'}));
      for (const kind of kinds) {
        target.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
      }
    }"""
    file = {"bytes": list(path.read_bytes()), "name": path.name, "kinds": kinds}
    page.locator(selector).evaluate(script, file)


def hold(page: Page, endpoint: str, times: int | None = None) -> list[Route]:
    """Leave an endpoint's requests unanswered, all or so many; return them as they come."""
    held: list[Route] = []
    page.route(f"**/v1/{endpoint}", lambda route: held.append(route), times=times)
    return held


def expect_colorings(page: Page, count: int) -> None:
    """Wait until the grid has so many colorings, and no more are being made."""
    expect(page.locator(".card.new")).to_have_count(count)
    expect(page.locator("#run-progress")).to_be_hidden()


def add_more(page: Page, count: int) -> None:
    """Press the main button, and wait until the grid has so many colorings."""
    page.click("#colorize")
    expect_colorings(page, count)


def more_like(page: Page, title: str) -> None:
    """Ask for more like the coloring in full view, which has this title, and wait for all four."""
    page.click("#vary")
    expect(page.locator("#run-title")).to_have_text(f"More like {title}")
    expect_colorings(page, 4)


def pixels(image: Locator, side: int = 8) -> list[int]:
    """Return a picture as side by side pixels, of four values each."""
    script = """async (image, side) => {
      await image.decode();
      const context = Object.assign(document.createElement('canvas'), {width: side, height: side}).getContext('2d');
      context.drawImage(image, 0, 0, side, side);
      return [...context.getImageData(0, 0, side, side).data];
    }"""
    return image.evaluate(script, side)


def taken(page: Page, held: list[Route]) -> Route:
    """Wait until a request is held, and take it: the page says that it works before its request has come here."""
    for _ in range(1000):
        if held:
            break
        page.wait_for_timeout(10)
    return held.pop()
