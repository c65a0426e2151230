"""Steps that many tests of the page take."""

from playwright.sync_api import Locator, Page, Route, expect

__all__ = ["begin_anew", "downloaded", "hold", "more_like", "pixels", "taken"]


def begin_anew(page: Page) -> None:
    """Take back the only photo by undo: the page is as it was at first."""
    page.keyboard.press("Control+z")
    expect(page.locator("#welcome")).to_be_visible()


def downloaded(page: Page, selector: str) -> tuple[str, bytes]:
    """Press what a selector finds first; return the name and the content of the file that comes."""
    with page.expect_download() as started:
        page.locator(selector).first.click()
    return started.value.suggested_filename, started.value.path().read_bytes()


def hold(page: Page, endpoint: str, times: int | None = None) -> list[Route]:
    """Leave an endpoint's requests unanswered, all or so many; return them as they come."""
    held: list[Route] = []
    page.route(f"**/v1/{endpoint}", lambda route: held.append(route), times=times)
    return held


def more_like(page: Page, title: str) -> None:
    """Ask for more like the coloring in full view, which has this title, and wait for all four."""
    page.click("#vary")
    expect(page.locator("#run-title")).to_have_text(f"More like {title}")
    expect(page.locator(".card.new")).to_have_count(4)
    expect(page.locator("#run-progress")).to_be_hidden()


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
