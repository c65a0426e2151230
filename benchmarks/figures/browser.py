"""The browser that takes pictures of the page, and tests it."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

__all__ = ["MissingBrowserError", "executable", "launch"]

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first is the fastest."""


class MissingBrowserError(Exception):
    """There is no browser on this machine that is known here."""


def executable() -> str:
    """Return the path of the browser. Raises MissingBrowserError."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise MissingBrowserError("needs chromium (on Debian: apt-get install chromium-headless-shell)")
    return found


def launch(playwright: Playwright) -> Browser:
    """Start the browser. Raises MissingBrowserError."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # chromium refuses to run as root with it
    return playwright.chromium.launch(executable_path=executable(), args=sandbox)
