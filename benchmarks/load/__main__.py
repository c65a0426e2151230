"""`python -m benchmarks.load --hostile`: what hostile clients cost the service, as a table."""

from typing import Annotated

import typer

from benchmarks.load.hostile import ATTACKS, MEGA, ROUNDS, measure, measure_ends

COLUMNS = (
    "attack",
    "extra memory, MB",
    "loop blocked, s",
    "loop computing, s",
    "normal requests",
    "p50, s",
    "p99, s",
    "against nobody's p99",
    "in each round",
    "the slowest 5 %, s",
    "refused",
)


def main(
    hostile: Annotated[bool, typer.Option("--hostile", help="Attack a service of our own.")] = False,
    rounds: Annotated[int, typer.Option(min=1, help="How often all attacks are run.")] = ROUNDS,
    only: Annotated[list[str] | None, typer.Option(help="Begin of the names of attacks; default: all.")] = None,
) -> None:
    """Print one row an attack: memory, longest block of the event loop, a normal client beside it; then how it ends."""
    if not hostile:
        raise typer.BadParameter("give --hostile; the other measurements of load have modules of their own")
    attacks = [name for name in ATTACKS if only is None or name.startswith(tuple(only))]
    typer.echo(f"| {' | '.join(COLUMNS)} |")
    typer.echo("|---" * len(COLUMNS) + "|")
    for row in measure(rounds, attacks):
        in_rounds = ", ".join(f"{ratio:.1f}" for ratio in row.round_ratios)
        typer.echo(
            f"| {row.attack} | {row.extra_bytes / MEGA:.0f} | {row.blocked_seconds:.2f} | {row.computed_seconds:.2f} "
            f"| {row.requests} | {row.p50_seconds:.2f} | {row.p99_seconds:.2f} | {row.quiet_ratio:.1f} | {in_rounds} "
            f"| {row.slowest} | {row.refused} |"
        )
    if only is None:
        typer.echo("\n| ended by | until all processes were gone, s |\n|---|---|")
        for how, seconds in measure_ends():
            typer.echo(f"| {how} | {seconds:.1f} |")


if __name__ == "__main__":
    typer.run(main)
