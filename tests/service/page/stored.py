"""Checks of the page's session in the browser's storage."""

from playwright.sync_api import Page

from tests.service.waiting import eventually

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
    """Wait until one of the browser's stores has a number of entries."""
    eventually(lambda: page.evaluate(f"async () => (await ({READ})('{name}')).length === {number}"))


def until_state(page: Page, says: str) -> None:
    """Wait until a JavaScript expression is true of the only session's view."""
    eventually(
        lambda: page.evaluate(f"async () => {{ const [{{ view }}] = await ({READ})('states'); return {says}; }}")
    )
