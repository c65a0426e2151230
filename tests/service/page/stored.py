"""Looks at the browser's storage of the page's session."""

from playwright.sync_api import Page

__all__ = ["until_state", "until_stored"]

READ = """(name) => new Promise((resolve) => {
  indexedDB.open('tintflow').onsuccess = ({ target: { result } }) => {
    result.transaction(name).objectStore(name).getAll().onsuccess = ({ target }) => {
      result.close();
      resolve(target.result);
    };
  };
})"""


def until_stored(page: Page, name: str, number: int) -> None:
    """Wait until one of the browser's stores has so many entries."""
    _until(page, f"async () => (await ({READ})('{name}')).length === {number}")


def until_state(page: Page, says: str) -> None:
    """Wait until the only session has a view of which a JavaScript expression is true."""
    _until(page, f"async () => {{ const [{{ view }}] = await ({READ})('states'); return {says}; }}")


def _until(page: Page, condition: str) -> None:
    for _ in range(500):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(20)
    assert page.evaluate(condition), condition
