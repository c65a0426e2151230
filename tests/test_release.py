"""The release has one version, the newest in CHANGELOG.md."""

import re
import tomllib
from pathlib import Path

from service import __version__

ROOT = Path(__file__).parents[1]


def test_the_version_is_the_newest_of_the_changelog() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(__version__)} \(\d{{4}}-\d\d-\d\d\)", headings[1])


def test_the_package_has_the_version_of_the_code() -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in configuration["project"]
    assert configuration["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "service.__version__"}
