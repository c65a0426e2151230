"""Checks of the page's session in the browser's storage."""

from playwright.sync_api import Page

__all__ = ["until_state", "until_stored"]


def until_stored(page: Page, name: str, number: int) -> None:
    """Wait until one of the browser's stores has a number of entries."""
    _until(page, name, "getAllKeys", f"all.length === {number}")


def until_state(page: Page, says: str) -> None:
    """Wait until a JavaScript expression is true of the only session's view."""
    _until(page, "states", "getAll", f"(([{{ view }}]) => {says})(all)")


def _until(page: Page, name: str, read: str, says: str) -> None:
    """Wait in the page, which takes less time than asking it again and again."""
    page.evaluate(f"""async () => {{
      const read = () => new Promise((resolve) => {{
        indexedDB.open('tintflow').onsuccess = ({{ target: {{ result }} }}) => {{
          result.transaction('{name}').objectStore('{name}').{read}().onsuccess = ({{ target }}) => {{
            result.close();
            resolve(target.result);
          }};
        }};
      }});
      for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((go) => setTimeout(go, 50))) {{
        const all = await read();
        if ({says}) return;
      }}
      throw new Error('did not happen in time');
    }}""")
