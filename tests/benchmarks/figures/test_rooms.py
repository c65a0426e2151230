"""The import graph in CONTRIBUTING.md is that of the code."""

from benchmarks.figures.rooms import PAGE, drawn


def test_the_graph_is_up_to_date() -> None:
    page = PAGE.read_text("utf-8")
    assert drawn(page) == page, "run python -m benchmarks.figures.rooms"
