"""``ravl export``, ``import`` and ``merge``: memories as files, and as parts of each other."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from ravl.cli.indexing import print_summary
from ravl.cli.output import print_problems, where_option
from ravl.cli.rows import memory_argument


@click.command()
@memory_argument
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--format",
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    show_default=True,
    help="rows.jsonl and pictures, or one rows.parquet.",
)
@where_option
def export(
    memory: Path, folder: Path, format: Literal["jsonl", "parquet"], where: str | None
) -> None:
    """Write rows and pictures to a new FOLDER, for other tools or `ravl import`."""
    from ravl.memory import Memory

    with Memory.open(memory) as opened:
        report = opened.export(folder, format, where)
    click.echo(f"{report.rows:,} rows in {report.file}")
    print_problems(len(report.missing), report.missing)


@click.command(name="import")
@memory_argument
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--copy", is_flag=True, help="Keep a copy of each picture in the memory.")
def import_(memory: Path, folder: Path, copy: bool) -> None:
    """Bring back what `ravl export` wrote; MEMORY is made if new."""
    from ravl.memory import Memory

    parquet = folder / "rows.parquet"
    with Memory.open(memory) if memory.exists() else Memory.create(memory) as opened:
        # Pictures inside a Parquet file have nowhere else to be.
        source, copy = (parquet, True) if parquet.exists() else (folder, copy)
        print_summary(opened.index(source, copy=copy), memory, len(opened))


@click.command()
@memory_argument
@click.argument("other", type=click.Path(path_type=Path))
def merge(memory: Path, other: Path) -> None:
    """Bring the rows of the memory OTHER into MEMORY, with their vectors."""
    from ravl.memory import Memory

    with Memory.open(memory) as opened, Memory.open(other) as source:
        print_summary(opened.merge(source), memory, len(opened))


COMMANDS = (export, import_, merge)
