"""Steps on the page, shared by its pictures and its tests."""

from pathlib import Path

from playwright.sync_api import Page, Route

__all__ = ["click_at", "drop", "hold", "keep", "release"]


def keep(page: Page, *places: int) -> None:
    """Keep colorings in the grid."""
    for place in places:
        page.locator(".card.new .keep").nth(place).click()


def click_at(page: Page, x: float, y: float) -> None:
    """Click on the photo in full view, at fractions of its width and height."""
    photo = page.locator("#after").bounding_box()
    assert photo  # noqa: S101 - it is shown
    page.mouse.click(photo["x"] + x * photo["width"], photo["y"] + y * photo["height"])


def drop(page: Page, selector: str, path: Path, kinds: tuple[str, ...] = ("dragover", "drop")) -> None:
    """Drop a file on the element that a selector finds, as a drag from a folder does; or only hold it there."""
    script = """(target, {bytes, name, kinds}) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], name, {type: 'image/png'}));
      for (const kind of kinds) {
        target.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
      }
    }"""
    file = {"bytes": list(path.read_bytes()), "name": path.name, "kinds": kinds}
    page.locator(selector).evaluate(script, file)


def hold(page: Page, endpoint: str, times: int | None = None, after: int = 0) -> list[Route]:
    """Leave an endpoint's requests unanswered: all, or `times` after the first `after`. Return their growing list."""
    held: list[Route] = []
    page.route(f"**/v1/{endpoint}", lambda route: held.append(route), times=times)
    if after:
        page.route(f"**/v1/{endpoint}", lambda route: route.continue_(), times=after)
    return held


def release(page: Page, endpoint: str, held: list[Route]) -> None:
    """Let an endpoint's requests go on."""
    for route in held:
        route.continue_()
    page.unroute(f"**/v1/{endpoint}")
