"""The browser for pictures and tests of the page."""

import os
import shutil
import subprocess
import sys

from playwright.sync_api import Browser, Playwright

__all__ = ["MissingBrowserError", "check_browser", "executable", "launch"]

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""Names of the browser's program, the fastest first."""


class MissingBrowserError(Exception):
    """None of the known browsers is installed, or Playwright, which drives it, does not start."""


def executable() -> str:
    """Return the path of the browser. Raises MissingBrowserError."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise MissingBrowserError("needs chromium (on Debian: apt-get install chromium-headless-shell)")
    return found


def check_browser() -> None:
    """Raise MissingBrowserError if there is no browser, or if Playwright's driver cannot start.

    Call this first: where the driver does not start, Playwright only says that the connection was closed.
    """
    executable()
    command = (sys.executable, "-m", "playwright", "--version")
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    if done.returncode:
        reason = done.stderr.strip() or f"exit status {done.returncode}"
        raise MissingBrowserError(f"needs Playwright's driver (on Debian: apt-get install libatomic1): {reason}")


def launch(playwright: Playwright) -> Browser:
    """Start the browser. Raises MissingBrowserError if there is none."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # chromium refuses to run as root with it
    return playwright.chromium.launch(executable_path=executable(), args=sandbox)
