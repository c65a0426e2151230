"""The page of settings names exactly those that exist, with their defaults."""

import re
from pathlib import Path

from service.settings import Settings

ROOT = Path(__file__).parents[2]


def documented() -> dict[str, str]:
    page = (ROOT / "docs" / "settings.md").read_text()
    return dict(re.findall(r"^\| `TINTFLOW_(\w+)` \| (.*?) \|", page, re.MULTILINE))


def shown(default: object) -> str:
    """Write a default as the page does."""
    if isinstance(default, Path):
        return f"`{default.relative_to(ROOT)}/`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, int | float):
        return f"{default:g}" if isinstance(default, float) else str(default)
    return f"`{default}`" if default else "none"


def test_page_names_every_setting_and_its_default() -> None:
    defaults = {name.upper(): shown(field.default) for name, field in Settings.model_fields.items()}
    assert documented() == defaults
