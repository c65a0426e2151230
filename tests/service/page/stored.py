"""Looks at the browser's storage of the page's session."""

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
    """Wait until one of the browser's stores has so many entries."""
    eventually(lambda: page.evaluate(f"async () => (await ({READ})('{name}')).length === {number}"))


def until_state(page: Page, says: str) -> None:
    """Wait until the only session has a view of which a JavaScript expression is true."""
    eventually(
        lambda: page.evaluate(f"async () => {{ const [{{ view }}] = await ({READ})('states'); return {says}; }}")
    )
