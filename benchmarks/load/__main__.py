"""`python -m benchmarks.load --hostile`: what hostile clients cost the service, as a table."""

from typing import Annotated

import typer

from benchmarks.load.hostile import MEGA, measure, measure_ends


def main(hostile: Annotated[bool, typer.Option("--hostile", help="Attack a service of our own.")] = False) -> None:
    """Print one row an attack: memory, longest block of the event loop, a normal client beside it; then how it ends."""
    if not hostile:
        raise typer.BadParameter("give --hostile; the other measurements of load have modules of their own")
    typer.echo("| attack | extra memory, MB | loop blocked, s | loop computing, s | normal p50, s | p99, s | refused |")
    typer.echo("|---|---|---|---|---|---|---|")
    for row in measure():
        typer.echo(
            f"| {row.attack} | {row.extra_bytes / MEGA:.0f} | {row.blocked_seconds:.2f} | {row.computed_seconds:.2f} "
            f"| {row.p50_seconds:.2f} | {row.p99_seconds:.2f} | {row.refused} |"
        )
    typer.echo("\n| ended by | until all processes were gone, s |\n|---|---|")
    for how, seconds in measure_ends():
        typer.echo(f"| {how} | {seconds:.1f} |")


if __name__ == "__main__":
    typer.run(main)
