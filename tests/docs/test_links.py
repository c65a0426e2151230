"""Every link between documents, to a heading or to a picture has a target; every picture is shown."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "weights").glob("*.md")),
]
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)|<img src=\"(?P<picture>[^\"]+)\"")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def targets(document: Path) -> list[str]:
    found = (each["target"] or each["picture"] for each in LINK.finditer(document.read_text("utf-8")))
    return [target for target in found if not target.startswith("http")]


def anchors(document: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(document.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in targets(document):
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_picture_is_shown() -> None:
    shown = {(document.parent / target).resolve() for document in DOCUMENTS for target in targets(document)}
    kept = {path for path in (ROOT / "docs" / "pictures").iterdir() if path.name != "grey.jpg"}  # for readers to try
    assert kept <= shown
