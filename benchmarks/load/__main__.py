"""`python -m benchmarks.load --hostile`: a table of what hostile clients cost the service."""

from typing import Annotated

import typer

from benchmarks.load.hostile import ATTACKS, ROUNDS, measure, measure_ends
from benchmarks.report import show, table


def main(
    hostile: Annotated[bool, typer.Option("--hostile", help="Start a service and attack it.")] = False,
    rounds: Annotated[int, typer.Option(min=1, help="Number of runs of all attacks.")] = ROUNDS,
    only: Annotated[list[str] | None, typer.Option(help="Prefix of the attacks' names; default: all attacks.")] = None,
) -> None:
    """Print memory, event-loop delay and a normal client's latency for each attack, then shutdown times."""
    if not hostile:
        raise typer.BadParameter("give --hostile; the other measurements of load have modules of their own")
    attacks = [name for name in ATTACKS if only is None or name.startswith(tuple(only))]
    show([table("hostile clients", measure(rounds, attacks))])
    if only is None:
        show([table("ends", list(measure_ends()))])


if __name__ == "__main__":
    typer.run(main)
