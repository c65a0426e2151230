"""Looks at the browser's storage of the page's session."""

from playwright.sync_api import Page

__all__ = ["until_stored"]


def _stored(page: Page, name: str) -> int:
    """Return how many entries one of the browser's stores has."""
    return page.evaluate(
        """(name) => new Promise((resolve) => {
          indexedDB.open('tintflow').onsuccess = ({ target: { result } }) => {
            result.transaction(name).objectStore(name).count().onsuccess = ({ target }) => {
              result.close();
              resolve(target.result);
            };
          };
        })""",
        name,
    )


def until_stored(page: Page, name: str, number: int) -> None:
    for _ in range(500):
        if _stored(page, name) == number:
            return
        page.wait_for_timeout(20)
    assert _stored(page, name) == number
