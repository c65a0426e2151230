"""`python -m benchmarks.load --hostile`: what hostile clients cost the service, as a table."""

from typing import Annotated

import typer

from benchmarks.load.hostile import ATTACKS, ROUNDS, measure, measure_ends
from benchmarks.report import show, table


def main(
    hostile: Annotated[bool, typer.Option("--hostile", help="Attack a service of our own.")] = False,
    rounds: Annotated[int, typer.Option(min=1, help="How often all attacks are run.")] = ROUNDS,
    only: Annotated[list[str] | None, typer.Option(help="Begin of the names of attacks; default: all.")] = None,
) -> None:
    """Print one row an attack: memory, longest block of the event loop, a normal client beside it; then how it ends."""
    if not hostile:
        raise typer.BadParameter("give --hostile; the other measurements of load have modules of their own")
    attacks = [name for name in ATTACKS if only is None or name.startswith(tuple(only))]
    show([table("hostile clients", measure(rounds, attacks))])
    if only is None:
        show([table("ends", list(measure_ends()))])


if __name__ == "__main__":
    typer.run(main)
