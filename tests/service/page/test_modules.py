"""The page's modules: no circular imports, and no unused or missing names."""

import re
from graphlib import TopologicalSorter
from pathlib import Path

PAGE = Path("service/page")
MODULES = {path.stem: path.read_text("utf-8") for path in PAGE.glob("*.js")}
IMPORT = re.compile(r'^import .*?from "\./([\w]+)\.js";$', re.MULTILINE)


def test_imports_have_no_circle() -> None:
    imports = {name: IMPORT.findall(text) for name, text in MODULES.items()}
    assert len(imports) > 20
    TopologicalSorter(imports).prepare()  # raises CycleError


def test_every_name_that_is_imported_is_used() -> None:
    for module, text in MODULES.items():
        for names in re.findall(r"^import \{ (.*?) \} from", text, re.MULTILINE):
            for name in names.split(", "):
                assert len(re.findall(rf"(?<![\w.]){name}\b", text.replace("...", " "))) > 1, f"{module}.js: {name}"


def test_every_element_that_is_asked_for_is_there() -> None:
    ids = set(re.findall(r'\bid="([\w-]+)"', (PAGE / "index.html").read_text("utf-8")))
    for module, text in MODULES.items():
        wanted = set(re.findall(r'byId\("([\w-]+)"\)', text))
        assert wanted <= ids, f"{module}.js: {wanted - ids}"
