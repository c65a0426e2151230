"""`python -m benchmarks.load --hostile`: what hostile clients cost the service, as a table."""

from typing import Annotated

import typer

from benchmarks.load.hostile import MEGA, measure


def main(hostile: Annotated[bool, typer.Option("--hostile", help="Attack a service of our own.")] = False) -> None:
    """Print one row an attack: memory, the longest block of the event loop, and a normal client beside it."""
    if not hostile:
        raise typer.BadParameter("give --hostile; the other measurements of load have modules of their own")
    typer.echo("| attack | extra memory, MB | loop blocked, s | loop computing, s | normal p50, s | p99, s | refused |")
    typer.echo("|---|---|---|---|---|---|---|")
    for row in measure():
        typer.echo(
            f"| {row.attack} | {row.extra_bytes / MEGA:.0f} | {row.blocked_seconds:.2f} | {row.computed_seconds:.2f} "
            f"| {row.p50_seconds:.2f} | {row.p99_seconds:.2f} | {row.refused} |"
        )


if __name__ == "__main__":
    typer.run(main)
