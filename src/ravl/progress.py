"""Progress bars with throughput and time left; silent where no terminal is watching."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """Says how many more are done, of how many in all, and what else is worth showing."""

    def __call__(self, count: int, total: int | None, note: str = "", /) -> None:
        """Move the bar."""


@contextmanager
def progress_bar(what: str, unit: str, show: bool | None = None) -> Iterator[Advance]:
    """A bar on standard error; yields a function that says how many more are done, of how many.

    Args:
        what: shown before the bar, for example "Indexing".
        unit: of what, for example "pictures".
        show: True or False, or None for "only on a terminal".
    """
    if show is None:
        show = sys.stderr.isatty()
    if not show:
        yield lambda _count, _total, _note="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeLeft(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None, speed="", note="")

        def advance(count: int, total: int | None, note: str = "") -> None:
            # Without a total no time left is shown; some sources know it only after a while.
            bar.update(task, advance=count, total=total, note=note)
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            bar.update(task, speed=f"{speed:,.0f} {unit}/s" if speed else "")

        yield advance
