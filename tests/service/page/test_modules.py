"""The page's modules: no circle among their imports, and no name that is not used or not there."""

import re
from pathlib import Path

PAGE = Path("service/page")
IMPORT = re.compile(r'^import .*?from "\./([\w]+)\.js";$', re.MULTILINE)


def imports() -> dict[str, list[str]]:
    return {path.stem: IMPORT.findall(path.read_text("utf-8")) for path in PAGE.glob("*.js")}


def test_imports_have_no_circle() -> None:
    rest = imports()
    assert len(rest) > 20
    while rest:
        ends = [name for name, wanted in rest.items() if not set(wanted) & set(rest)]
        assert ends, f"a circle among {sorted(rest)}"
        for name in ends:
            del rest[name]


def test_every_name_that_is_imported_is_used() -> None:
    for path in PAGE.glob("*.js"):
        text = path.read_text("utf-8").replace("...", " ")
        for names in re.findall(r"^import \{ (.*?) \} from", text, re.MULTILINE):
            for name in names.split(", "):
                assert len(re.findall(rf"(?<![\w.]){name}\b", text)) > 1, f"{path.name}: {name}"


def test_every_element_that_is_asked_for_is_there() -> None:
    ids = set(re.findall(r'\bid="([\w-]+)"', (PAGE / "index.html").read_text("utf-8")))
    for path in PAGE.glob("*.js"):
        wanted = set(re.findall(r'byId\("([\w-]+)"\)', path.read_text("utf-8")))
        assert wanted <= ids, f"{path.name}: {wanted - ids}"
