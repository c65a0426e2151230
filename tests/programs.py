"""A runner for typer programs in this process."""

from collections.abc import Callable

from click.testing import Result
from typer import Typer
from typer.testing import CliRunner

__all__ = ["run"]


def run(program: Typer | Callable[..., None], *words: object, status: int = 0, stdin: bytes | None = None) -> Result:
    """Run a program or a single command, and check its exit status."""
    app = program if isinstance(program, Typer) else Typer()
    if app is not program:
        app.command()(program)
    done = CliRunner().invoke(app, [str(word) for word in words], input=stdin)
    assert done.exit_code == status, done.output
    return done
