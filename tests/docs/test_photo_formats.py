"""Documents name the formats of photos that the service reads."""

from pathlib import Path

import pytest

from service.api.formats import PHOTO_FORMATS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "page", ["README.md", "docs/api.md", "docs/how-it-works.md", "docs/operations.md", "docs/training.md"]
)
def test_documents_name_the_formats_that_are_read(page: str) -> None:
    *first, last = PHOTO_FORMATS
    text = (ROOT / page).read_text("utf-8")
    assert any(f"{', '.join(first)} {word} {last}" in text for word in ("and", "or"))
