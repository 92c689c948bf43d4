"""Progress bars with throughput and time left; silent where no terminal is watching."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int, int | None], None]


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
        yield lambda _count, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"), TimeElapsedColumn(), TextColumn("left"), TimeLeft(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None, speed="")

        def advance(count: int, total: int | None) -> None:
            # Without a total no time left is shown; some sources know it only after a while.
            bar.update(task, advance=count, total=total)
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            bar.update(task, speed=f"{speed:,.0f} {unit}/s" if speed else "")

        yield advance
