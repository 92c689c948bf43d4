"""Printing: tables on a terminal, plain lines for pipes, JSON on request."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ravl.data import Rejected

SHOWN = 10  # listed problems or near-duplicates

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Print only errors.")
where_option = click.option(
    "--where",
    metavar="FILTER",
    help="Only rows that match, e.g. 'price < 40 and tags has \"red\"'.",
)


def print_json(value: object) -> None:
    """JSON with readable characters."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """A table on a terminal; otherwise tab-separated lines."""
    if not sys.stdout.isatty():
        for line in lines:
            click.echo("\t".join(flat(cell) for cell in line))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*head, box=box.SIMPLE_HEAD)
    for line in lines:
        table.add_row(*(Text(flat(cell)) for cell in line))
    Console().print(table)


def print_problems(count: int, problems: Sequence[Rejected]) -> None:
    """Print the first rejected items on standard error."""
    if not count:
        return
    click.echo(f"{count:,} set aside:", err=True)
    for problem in problems[:SHOWN]:
        click.echo(f"  {problem}", err=True)
    if count > SHOWN:
        click.echo(
            f"  ... and {count - SHOWN:,} more; list all with: ravl info MEMORY --quarantine",
            err=True,
        )


NOTHING_FOUND = 4  # the exit code


def print_skipped(skipped: Mapping[str, int]) -> None:
    """Print how many files of each kind a folder has that were not read, on standard error."""
    if skipped:
        from ravl.data.readers.folder_files import listed

        click.echo(f"Skipped: {listed(skipped)}.", err=True)


def print_kept(rows: int) -> None:
    """Print in how many rows a person's value stays against that of a source."""
    if rows:
        click.echo(
            f"In {rows:,} row{'s' if rows > 1 else ''} a value stays that somebody has set, though "
            "the source says another one."
        )


def nothing_found(where: str) -> int:
    """Warn on standard error that nothing was there to read; returns the exit code."""
    click.echo(
        f"Warning: nothing came in. ravl found no picture or row that it can read in {where}.",
        err=True,
    )
    return NOTHING_FOUND


def flat(cell: object) -> str:
    """One line without control characters, which a caption could contain."""
    return "".join(c if c.isprintable() else " " for c in str(cell))
