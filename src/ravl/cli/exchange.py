"""``ravl export``, ``import`` and ``merge``: exchange of memories and runs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from ravl.cli.indexing import memory_to_fill, print_summary
from ravl.cli.output import nothing_found, print_problems, where_option
from ravl.cli.rows import memory_argument

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("place", metavar="MEMORY|RUN", type=FILE)
@click.argument("folder", type=FILE, required=False)
@click.option(
    "--format",
    type=click.Choice(["jsonl", "parquet"]),
    help="For a memory: rows.jsonl and pictures (default), or one rows.parquet.",
)
@where_option
@click.option(
    "--onnx", type=FILE, metavar="DIR", help="For a run: write its networks to this new folder."
)
@click.option("--memory", type=FILE, help="The memory of the run, in place of its own.")
@click.option("--int8", is_flag=True, help="Eight-bit weights; the loss is measured.")
@click.option("--check", type=FILE, metavar="DATA", help="Labelled pictures to measure --int8 on.")
@click.option(
    "--sample",
    type=click.IntRange(1),
    help="Number of pictures of the memory to compare run and export. [default: 32]",
)
def export(
    place: Path,
    folder: Path | None,
    format: Literal["jsonl", "parquet"] | None,
    where: str | None,
    onnx: Path | None,
    memory: Path | None,
    int8: bool,
    check: Path | None,
    sample: int | None,
) -> None:
    """Write a memory's rows, or a run that needs no torch.

    \b ravl export shop.ravl rows/                 rows and pictures, for other tools or
    `ravl import` ravl export runs/shirts --onnx shirts-onnx  a run as ONNX; use it like the run
    itself
    """
    if place.is_dir():
        if folder is not None or format or where or onnx is None:
            raise click.UsageError(
                f"{place} is a run. Export it with: ravl export {place} --onnx DIR, without "
                "FOLDER, --format and --where, which are for memories."
            )
        _run(place, onnx, memory, int8, check, sample)
        return
    of_run = {"onnx": onnx, "memory": memory, "int8": int8, "check": check, "sample": sample}
    given = [f"--{name}" for name, value in of_run.items() if value]
    if given:
        raise click.UsageError(
            f"{place} is a memory, or does not exist, and {given[0]} is for runs. Give the folder "
            "of a "
            f"run, or export the memory's rows with: ravl export {place} FOLDER"
        )
    if folder is None:
        raise click.UsageError(f"Give a new folder for the rows: ravl export {place} FOLDER")
    from ravl.memory import Memory

    with Memory.open(place) as opened:
        report = opened.export(folder, format or "jsonl", where)
    click.echo(f"{report.rows:,} rows in {report.file}")
    print_problems(len(report.missing), report.missing)


def _run(
    run: Path, out: Path, memory: Path | None, int8: bool, check: Path | None, sample: int | None
) -> None:
    if check is not None and not int8:
        raise click.UsageError(
            "--check measures the loss of --int8. Add --int8, or leave --check out."
        )
    from ravl.exports.run import SAMPLE, export_run

    click.echo(export_run(run, out, memory=memory, int8=int8, data=check, sample=sample or SAMPLE))


@click.command(name="import")
@memory_argument
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--copy", is_flag=True, help="Store a copy of each picture in the memory.")
def import_(memory: Path, folder: Path, copy: bool) -> int:
    """Read an export of `ravl export` into MEMORY, which is created if necessary.

    The exit code is 4 if there was nothing to read.
    """
    parquet = folder / "rows.parquet"
    with memory_to_fill(memory) as opened:
        # Pictures inside a Parquet file must be copied, because they have no file.
        source, copy = (parquet, True) if parquet.exists() else (folder, copy)
        report = opened.index(source, copy=copy)
        print_summary(report, memory, len(opened))
        return nothing_found(str(folder)) if report.found_nothing else 0


@click.command()
@memory_argument
@click.argument("other", type=click.Path(path_type=Path))
def merge(memory: Path, other: Path) -> None:
    """Add the rows of the memory OTHER to MEMORY, with their vectors."""
    from ravl.memory import Memory

    with Memory.open(memory) as opened, Memory.open(other) as source:
        print_summary(opened.merge(source), memory, len(opened))


COMMANDS = (export, import_, merge)
