"""The only module that prints or asks. Progress goes to stderr, results to stdout.

Must not know AWS or the settings: it is handed text and values. rich is imported when something is first shown, so
that `inv --list` does not wait for it.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.errors import SettingsError, UsageError, WorkflowError
from scripts.lifecycle import Status

if TYPE_CHECKING:
    from rich.console import Console

MARKS = {
    "STARTING": "🟡",
    "BOOTSTRAPPING": "🟡",
    "PENDING": "🟡",
    "RUNNING": "🟢",
    "WAITING": "✅",
    "COMPLETED": "✅",
    "TERMINATING": "🟠",
    "CANCEL_PENDING": "🟠",
    "TERMINATED": "⚫",
    "CANCELLED": "❌",
    "FAILED": "❌",
    "INTERRUPTED": "❌",
    "TERMINATED_WITH_ERRORS": "❌",
}
YES = ("oui", "yes")


@cache
def _console(name: str) -> Console:
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:  # rich would exit here; a pipeline has a cluster to end first
            raise BrokenPipeError

    if getattr(sys, name) is None:  # closed by whoever started us: `inv fetch >&-`
        setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    stream = getattr(sys, name)
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")  # an ASCII terminal shows ? for ✅ rather than a traceback
    # Piped, there is no width to fit: nothing may be cut off for whoever reads it by program.
    width = None if stream.isatty() else 160
    return Ours(stderr=name == "stderr", highlight=False, emoji=False, width=width)


def note(text: object = "") -> None:
    """A line of progress, to stderr."""
    _console("stderr").print(str(text), markup=False, soft_wrap=True)


def say(text: object = "") -> None:
    """A line of a result, to stdout."""
    _console("stdout").print(str(text), markup=False, soft_wrap=True)


def status(seen: Status) -> None:
    """`[08:00:00] 🟡 STARTING - Provisioning Amazon EC2 capacity`"""
    note(f"[{time.strftime('%H:%M:%S')}] {MARKS.get(seen.state, '⚪')} {seen}")


def fail(error: WorkflowError) -> None:
    """The last line of a command that failed; settings have a line for each problem before it."""
    if isinstance(error, SettingsError) and len(error.problems) > 1:
        for problem in error.problems:
            note(f"   {problem}")
    note(f"❌ {str(error)[:1].upper()}{str(error)[1:]}")


def ask(question: str, *, yes: bool, flag: str = "--yes") -> bool:
    """Whether the answer is oui or yes; `yes` answers without asking.

    Raises:
        UsageError: nobody is there to answer.
    """
    if yes:
        return True
    nobody = UsageError("asking", f"{question} Nobody can answer: this is no terminal", f"Add {flag} to agree.")
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        raise nobody
    _console("stderr").print(f"{question} [oui/yes, anything else is no] ", end="", markup=False)
    answer = sys.stdin.readline()
    if not answer:
        note()
        raise nobody
    return answer.strip().lower() in YES


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout; numbers stand on the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for n, column in enumerate(columns):
        number = bool(rows) and isinstance(rows[0][n], (int, float))
        shown.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        # Text: a label may have [brackets], which a plain string would turn into markup.
        shown.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else str(cell)) for cell in row))
    _console("stdout").print(shown)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A live elapsed time below the lines printed meanwhile; on a terminal only."""
    if not (sys.stderr and sys.stderr.isatty()):
        yield
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=_console("stderr"), transient=True) as progress:
        progress.add_task(what, total=None)
        yield


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar of bytes; yields the function that is told of each further `n` bytes."""
    if not (sys.stderr and sys.stderr.isatty()):
        note(f"{what} …")
        yield lambda _: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console("stderr")) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)
