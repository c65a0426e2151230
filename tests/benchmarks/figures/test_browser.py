"""A machine without the browser, or without what Playwright needs, gets a reason."""

import shutil
import sys
from pathlib import Path

import pytest

from benchmarks.figures import browser


def test_a_machine_without_a_browser_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(browser.MissingBrowserError, match="apt-get install chromium-headless-shell"):
        browser.check_browser()


@pytest.mark.parametrize("words", ["libatomic.so.1: cannot open shared object file", ""])
def test_a_driver_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nprintf '%s' '{words}' >&2\nexit 127\n")
    python.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(browser.MissingBrowserError, match=words or "exit status 127") as raised:
        browser.check_browser()
    assert "apt-get install libatomic1" in str(raised.value)
