"""Work on many photos: some at once, with progress. Failures do not stop it and are listed at the end."""

import asyncio
import errno
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from types import FrameType
from typing import NoReturn, TypeVar, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from model.errors import ModelError
from service.cli.connection import Connection
from service.cli.statuses import FAILED, INTERRUPTED, MISUSED
from service.client import AsyncClient, ConnectionFailedError, TintflowError, exchange
from service.client.found import Photo, Trouble
from service.client.maker import is_of_all_photos
from service.errors import ServiceError
from service.settings import SettingsError

__all__ = [
    "STOPPED",
    "end",
    "finish",
    "printable",
    "progress_columns",
    "run_batch",
    "run_client",
    "share",
    "show",
    "tell",
]

T = TypeVar("T")

Work = Callable[[AsyncClient, Photo], Awaitable[str | None]]
"""does all the work on one photo; may return a line to print"""

FULL = {errno.ENOSPC, errno.EDQUOT}
RAISED_BY = {
    "upload_too_large": "TINTFLOW_MAX_BYTES",
    "too_many_pixels": "TINTFLOW_MAX_PIXELS",
    "output_too_large": "TINTFLOW_MAX_OUTPUT_PIXELS",
}
"""settings of this process that raise a limit, by the code of the error"""
STOPPED = "stopped; the same command goes on from here"
SHORT_SECONDS = 3.0
"""longest single wait for a busy service, or a rate limit per second, that is never announced"""
WAIT_SECONDS = 10.0
"""longest wait that is not announced, counted from the end of the last announced one"""
CONTROLS = {code: ascii(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0))}


def printable(text: str) -> str:
    """Escape control characters, as in a file's name: they break lines, and a terminal obeys them."""
    return text.translate(CONTROLS)


def end(line: str, status: int) -> NoReturn:
    typer.echo(line, err=True)
    raise typer.Exit(status)


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{60 * speed:.1f} photos/min" if speed else "", style="cyan")


def progress_columns() -> Sequence[ProgressColumn]:
    return TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn()


def _end_as_ctrl_c(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does. asyncio's handler of it cancels the task: a callback could swallow an exception."""
    end = signal.getsignal(signal.SIGINT)
    (end if callable(end) else signal.default_int_handler)(signal.SIGINT, frame)


class _Waits(logging.Handler):
    """Tells why the client waits for a server, unless the wait is short or already announced."""

    def __init__(self) -> None:
        super().__init__()
        self._until = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        error, seconds = cast("tuple[object, float]", record.args)
        until = time.monotonic() + seconds
        is_long = seconds > SHORT_SECONDS or isinstance(error, ConnectionFailedError)  # a restart is many short waits
        if is_long and until > self._until + WAIT_SECONDS:
            self._until = until
            sys.stderr.write(f"{printable(record.getMessage())}\n")  # above a bar, if there is one


def run_client(
    connection: Connection,
    ask: Callable[[AsyncClient], Awaitable[T]],
    stopped: str = STOPPED,
    status: int = INTERRUPTED,
) -> T:
    """Connect, and run `ask`. An error that the user can fix is printed, and the program ends with status 2.

    stopped, status: message and exit status on Ctrl-C or SIGTERM.
    """

    async def run() -> T:
        async with connection.open() as client:
            return await ask(client)

    waits = _Waits()
    exchange.log.addHandler(waits)
    exchange.log.setLevel(logging.INFO)
    terminate = signal.signal(signal.SIGTERM, _end_as_ctrl_c)
    try:
        return asyncio.run(run())
    except (TintflowError, ModelError, ServiceError, OSError, SettingsError) as error:
        for line in str(error).splitlines():
            typer.echo(printable(line), err=True)
        raise typer.Exit(MISUSED) from error
    except KeyboardInterrupt:
        end(stopped, status)
    finally:
        signal.signal(signal.SIGTERM, terminate)
        exchange.log.removeHandler(waits)


async def share(photos: Sequence[Photo], work: Callable[[Photo], Awaitable[None]], at_once: int) -> None:
    """Work on photos, `at_once` at a time. An error ends all work."""
    waiting = iter(photos)

    async def worker() -> None:
        for photo in waiting:
            await work(photo)

    workers = [asyncio.create_task(worker()) for _ in range(at_once)]
    try:
        await asyncio.gather(*workers)
    finally:
        for each in workers:
            each.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def run_batch(
    connection: Connection, photos: Sequence[Photo], work: Work, at_once: int, description: str, console: Console
) -> list[Trouble]:
    """Work on photos and return those that failed. Ends the program as `run_client` does."""
    troubles: list[Trouble] = []

    async def ask(client: AsyncClient) -> None:
        with Progress(
            *progress_columns(), console=console, transient=True, disable=not console.is_terminal
        ) as progress:
            task = progress.add_task(description, total=len(photos))

            async def work_on(photo: Photo) -> None:
                line = None
                try:
                    line = await work(client, photo)
                except (TintflowError, OSError) as error:
                    if is_of_all_photos(error):
                        raise
                    trouble = Trouble.of(photo.source, error)
                    if connection.url is None and (setting := RAISED_BY.get(getattr(error, "code", ""))):
                        trouble = replace(trouble, reason=f"{trouble.reason}; set {setting} to allow more")
                    if isinstance(error, OSError) and error.errno in FULL:  # the disk is full for all further photos
                        raise OSError(f"{trouble.name}: {trouble.reason}") from error
                    troubles.append(trouble)
                progress.advance(task)
                if line:
                    tell(console, printable(line))

            await share(photos, work_on, at_once)

    if photos:
        run_client(connection, ask)
    return troubles


def tell(console: Console, line: str) -> None:
    """Print a line, unformatted if a program reads it. Raises OSError, which ends the work, if writing fails."""
    if console.is_terminal:
        console.print(line, highlight=False, markup=False, emoji=False, soft_wrap=True)
        return
    try:
        typer.echo(line, file=console.file)
    except OSError as error:  # rich would exit inside an asyncio task, which then cannot be awaited
        raise OSError(f"standard output: {error.strerror}") from error


def show(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Show a table. To a program or a file, write tab-separated lines, so that no name is cut."""
    rows = [list(map(printable, row)) for row in rows]
    if not console.is_terminal:
        heads = title or "\t".join(str(column.header) for column in columns)
        typer.echo("\n".join([heads, *map("\t".join, rows)]), file=console.file)
        return
    table = Table(*columns, title=title or None, title_justify="left")
    for row in rows:
        table.add_row(*map(Text, row))  # brackets in names are no markup
    console.print(table)


def finish(troubles: Sequence[Trouble], more: int = 0, where: str = "", status: int = FAILED) -> None:
    """List failures, the number of further ones and where to find these; if any, end with this status."""
    if not troubles:
        return
    rows = [(trouble.name, trouble.reason) for trouble in troubles]
    if more:
        rows.append((f"and {more} more", where))
    columns = Column("not done", overflow="fold"), Column("why", overflow="fold")
    show(Console(stderr=True), columns, rows, f"{len(troubles) + more} not done")
    raise typer.Exit(status)
