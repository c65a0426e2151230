"""The browser for pictures and tests of the page."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

__all__ = ["MissingBrowserError", "executable", "launch"]

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""Names of the browser's program, the fastest first."""


class MissingBrowserError(Exception):
    """None of the known browsers is installed."""


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
