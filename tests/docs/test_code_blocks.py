"""Every code block of README.md and docs/ runs, in the order of its page, or a comment above it says why not.

A page's blocks run in one folder; those of docs/start.md run in that of README.md, which they continue. It has
photo.jpg, gray.jpg, color.jpg, photos/ and docs/pictures/. The real application, with a tiny network, runs at
http://localhost:8000. Blocks of output are `json` or `text`.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from benchmarks.running import running

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
URL = "http://localhost:8000"
BLOCK_SECONDS = 180
FENCE = re.compile(r"^\s*(```|~~~)", re.MULTILINE)
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>\S.*?) -->\n\s*)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
OUTPUT = {"json", "text"}
OTHERS = {"mermaid", "caddyfile", "ini", "nginx", "yaml"}
"""diagrams, and configurations of other programs"""
CURL = "fail-with-body\nsilent\nshow-error\n"
"""Configuration of curl, which by itself takes a 422 for success"""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    code: str
    reason: str | None

    @property
    def name(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [
        Block(page, text.count("\n", 0, each.start("language")) + 1, each["language"], each["code"], each["reason"])
        for each in BLOCK.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def node() -> str:
    found = shutil.which("node")
    if not found:
        pytest.skip("JavaScript needs node")
    return found


COMMANDS: dict[str, Callable[[str], list[str]]] = {
    "sh": lambda code: ["bash", "-euo", "pipefail", "-c", code],
    "python": lambda code: [sys.executable, "-W", "error", "-c", code],
    "javascript": lambda code: [node(), "--input-type=module", "--eval", code],
}


@pytest.fixture(scope="module")
def server(tiny_file: Path) -> Iterator[str]:
    with running({"TINTFLOW_WEIGHTS": str(tiny_file), "TINTFLOW_DEVICE": "cpu"}) as service:
        yield service.url


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """A function that returns a page's folder, with the files for its blocks."""
    made: dict[Path, Path] = {}
    color = Image.fromarray(skimage.data.astronaut()).resize((128, 128))

    def folder(page: Path) -> Path:
        page = PAGES[0] if page.name == "start.md" else page
        if page not in made:
            made[page] = path = tmp_path_factory.mktemp(page.stem)
            color.save(path / "color.jpg")
            for name in ("photo.jpg", "gray.jpg", "photos/one.jpg", "photos/more/two.jpg"):
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                color.convert("L").save(path / name)
            shutil.copytree(ROOT / "docs/pictures", path / "docs/pictures")
        return made[page]

    return folder


@pytest.fixture(scope="module")
def environment(server: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("curl")
    (home / ".curlrc").write_text(CURL)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TINTFLOW_")}
    return kept | {"PATH": path, "CURL_HOME": str(home), "TINTFLOW_URL": server}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_fence_is_understood(page: Path) -> None:
    assert len(FENCE.findall(page.read_text("utf-8"))) == 2 * len(blocks_of(page))
    for block in blocks_of(page):
        assert block.language in {*COMMANDS, *OUTPUT, *OTHERS}, f"{block.name} is {block.language or 'of no language'}"


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.language in COMMANDS], ids=lambda block: block.name)
def test_a_block_runs(block: Block, server: str, folders: Callable[[Path], Path], environment: dict[str, str]) -> None:
    if block.reason:
        pytest.skip(block.reason)
    if re.search(r"\bcurl\b", block.code) and not shutil.which("curl"):
        pytest.skip("needs curl")
    code = block.code.replace(URL, server)
    status, output = run(COMMANDS[block.language](code), folders(block.page), environment)
    assert status == 0, f"{block.name}\n{block.code}\n{output[-4000:]}"


def run(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command; if it takes too long, end it and its children."""
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=folder, env=environment, process_group=0, **both) as process:  # noqa: S603
        try:
            output, _ = process.communicate(timeout=BLOCK_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output


def test_a_block_that_fails_is_seen(server: str, environment: dict[str, str], tmp_path: Path) -> None:
    refused = f"curl -F image=x {server}/v1/colorizations"
    for code in (refused, "false | true", "$UNSET", "tintflow colorize missing.jpg"):
        assert run(COMMANDS["sh"](code), tmp_path, environment)[0] != 0
