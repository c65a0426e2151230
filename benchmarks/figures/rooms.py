"""The import graph of CONTRIBUTING.md: `python -m benchmarks.figures.rooms` draws it anew."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import typer

__all__ = ["PAGE", "drawn"]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "CONTRIBUTING.md"
PACKAGES = ("research", "benchmarks", "tintflow", "service", "training", "model")
DIVIDED = ("service", "model")
"""Packages whose rooms are drawn individually."""
BEGIN, END = "<!-- rooms, drawn by `python -m benchmarks.figures.rooms` -->\n", "<!-- end of rooms -->\n"

Graph = Mapping[str, set[str]]


def main() -> None:
    """Write the graph into CONTRIBUTING.md."""
    PAGE.write_text(drawn(PAGE.read_text("utf-8")), "utf-8")


def drawn(page: str) -> str:
    """Return the page with the graph of the current code."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}```mermaid\n{_mermaid(_reduced(_imports()))}```\n{END}{after}"


def _imports() -> Graph:
    """Return the rooms that each room imports."""
    found: dict[str, set[str]] = defaultdict(set)
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            importer = _room(file.relative_to(ROOT).with_suffix("").parts)
            for name in _imported(ast.parse(file.read_text("utf-8"))):
                imported = _room(tuple(name.split(".")))
                if imported.partition(".")[0] in PACKAGES and imported != importer:
                    found[importer].add(imported)
    return found


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{each.name}" for each in node.names)


def _room(parts: tuple[str, ...]) -> str:
    is_room = parts[0] in DIVIDED and len(parts) > 1 and parts[1] != "__init__"
    return ".".join(parts[:2]) if is_room else parts[0]


def _reduced(graph: Graph) -> Graph:
    """Leave out every arrow that a longer path implies (transitive reduction)."""
    left = {room: set(others) for room, others in graph.items()}
    for room in sorted(graph):
        for other in sorted(graph[room]):
            left[room].discard(other)
            if not _reaches(left, room, other):
                left[room].add(other)
    return left


def _reaches(graph: Graph, start: str, end: str) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        new = graph.get(waiting.pop(), set()) - seen
        seen |= new
        waiting += new
    return end in seen


def _mermaid(graph: Graph) -> str:
    rooms = sorted(set(graph).union(*graph.values()))
    lines = ["flowchart LR"]
    for package in DIVIDED:
        own = [room for room in rooms if room.startswith(f"{package}.")]
        lines += [f"  subgraph {package}", *(f"    {room}[{room.partition('.')[2]}]" for room in own), "  end"]
    lines += [f"  {room} --> {other}" for room in rooms for other in sorted(graph.get(room, ()))]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(main)
