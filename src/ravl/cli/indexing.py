"""``ravl index`` and ``ravl reembed``: filling a memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ravl.cli.options import Options
from ravl.cli.output import (
    SHOWN,
    flat,
    json_option,
    nothing_found,
    print_json,
    print_kept,
    print_problems,
    print_skipped,
    quiet_option,
)

if TYPE_CHECKING:
    from ravl.memory import IndexReport, Memory


@click.command()
@click.argument("source")
@click.option(
    "--memory",
    "-m",
    required=True,
    type=click.Path(path_type=Path),
    help="The memory's file; created if necessary.",
)
@click.option(
    "--encoder",
    help="For a new memory: builtin, multilingual, hf:NAME or hf:FOLDER, or run:FOLDER. "
    "[default: builtin]",
)
@click.option(
    "--captions",
    type=click.Path(path_type=Path),
    help="A table about the pictures of the folder SOURCE.",
)
@click.option("--root", type=click.Path(path_type=Path), help="The folder of a table's pictures.")
@click.option("--prefix", default="", help="A prefix for every id, to separate sources.")
@click.option("--copy", is_flag=True, help="Store a copy of each picture in the memory.")
@click.option(
    "--folder-labels/--no-folder-labels",
    default=None,
    help="Use sub-folders as labels. [default: if all pictures are in sub-folders]",
)
@click.option("--image-column", help="The table's column with the picture's path.")
@click.option("--id-column", help="The column with the id.")
@click.option("--label-column", help="The column with the label.")
@click.option("--tags-column", help="The column with the tags.")
@click.option("--text-column", multiple=True, help="A column with texts; may be repeated.")
@click.option("--question-column", help="The column with questions.")
@click.option("--answer-column", help="The column with answers.")
@click.option(
    "--annotations", type=click.Path(path_type=Path), help="The answers to a VQA questions file."
)
@click.option("--encoding", help="Encoding of a CSV, TSV or JSONL file. [default: utf-8]")
@click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    help="Set larger pictures aside. [default: 100,000,000]",
)
@click.option("--dry-run", is_flag=True, help="Read and check everything, change nothing.")
@quiet_option
@json_option
def index(
    source: str,
    memory: Path,
    encoder: str | None,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
    **options: object,
) -> int:
    """Index pictures of a folder, table or dataset in a memory.

    SOURCE is a folder of pictures (sub-folders can be classes), a .csv, .tsv, .jsonl or .parquet
    table, COCO captions or VQA questions as .json, or hf:NAME for a Hugging Face dataset.

    Unchanged pictures are skipped; an interrupted command continues where it stopped. The exit code
    is 4 if there was nothing to read.
    """
    with ExitStack() as stack:
        if dry_run and not memory.exists():  # a dry run creates no file
            from ravl.files.scratch import scratch_folder

            memory = stack.enter_context(scratch_folder()) / "dry-run.ravl"
        opened = stack.enter_context(memory_to_fill(memory, encoder))
        progress = False if quiet or as_json else None
        try:
            report = opened.index(
                source, dry_run=dry_run, progress=progress, **_reader_options(options)
            )
        except KeyboardInterrupt:
            click.echo(
                f"Interrupted. {len(opened):,} rows are stored in {memory}; run the same command "
                "to continue.",
                err=True,
            )
            raise
        if as_json:
            print_json(report.to_json() | {"memory": str(memory), "rows": len(opened)})
        elif not quiet:
            print_summary(report, memory, len(opened))
        return nothing_found(source) if report.found_nothing else 0


@click.command()
@click.argument("memory", type=click.Path(path_type=Path))
@click.option(
    "--encoder",
    required=True,
    help="builtin, multilingual, hf:NAME or hf:FOLDER, or run:FOLDER, the folder of a training "
    "run.",
)
@quiet_option
@json_option
def reembed(memory: Path, encoder: str, quiet: bool, as_json: bool) -> None:
    """Change the encoder of a memory.

    Searches use the old encoder until the command is complete; an interrupted command continues
    where it stopped.
    """
    from ravl.memory import Memory

    with Memory.open(memory) as opened:
        report = opened.reembed(encoder, progress=False if quiet or as_json else None)
        if as_json:
            print_json(report.to_json())
        elif not quiet and not (report.rows or report.rejected):
            click.echo(f"{memory} already has the vectors of {encoder}.")
        elif not quiet:
            click.echo(
                f"{report.rows:,} rows embedded with {encoder}, "
                f"{report.reused:,} of them from stored features."
            )
            print_problems(len(report.rejected), report.rejected)


@contextmanager
def memory_to_fill(path: Path, encoder: str | None = None) -> Iterator[Memory]:
    """The memory in a file, which is created if necessary.

    A new memory is removed after an error, if nothing was written to it: what was to come in could
    not be read.
    """
    from ravl.memory import Memory

    new = [each for each in (path, *path.parents) if not each.exists()]
    with Memory.open_or_create(path, encoder) as opened:
        try:
            yield opened
        except Exception:
            if new and opened.remove_if_unused():
                for folder in new[1:]:
                    with suppress(OSError):  # somebody else uses it
                        folder.rmdir()
            raise


def _reader_options(options: Options) -> Options:
    from ravl.data import ColumnNames

    columns = {
        name: options.pop(f"{name}_column")
        for name in ("image", "id", "label", "tags", "question", "answer")
    }
    columns["texts"] = options.pop("text_column") or None
    named = {k: v for k, v in columns.items() if v is not None}
    given = {k: v for k, v in options.items() if v is not None}
    return given | ({"columns": ColumnNames(**named)} if named else {})


def print_summary(report: IndexReport, memory: Path, rows: int) -> None:
    """Print the result of indexing, in a few lines."""
    what = "Would have added" if report.dry_run else "Added"
    speed = report.encoded / report.seconds if report.seconds else 0
    click.echo(
        f"{what} {report.added:,}, updated {report.updated:,}, unchanged {report.unchanged:,}, "
        f"set aside {report.rejected:,} in {report.seconds:.1f} s"
        + (f" ({speed:.0f} pictures/s)." if report.encoded else ".")
    )
    if not report.dry_run:
        click.echo(f"{memory} now has {rows:,} rows.")
    if report.renamed:
        click.echo(f"{len(report.renamed):,} renamed; their rows followed, for example:")
        for old, new in report.renamed[:SHOWN]:
            click.echo(f"  {flat(old)}  ->  {flat(new)}")
    if report.trashed:
        click.echo(
            f"{len(report.trashed):,} went to the trash (ravl trash {memory}): their pictures are "
            "gone, and their names are those of other pictures now."
        )
    groups = report.duplicates.groups
    if groups:
        click.echo(
            f"{report.duplicates.pictures:,} near-duplicates in {len(groups):,} groups, "
            "for example:"
        )
        for group in groups[:SHOWN]:
            click.echo("  " + "  =  ".join(group))
    print_kept(report.kept)
    print_skipped(report.skipped)
    print_problems(report.rejected, report.reasons)


COMMANDS = (index, reembed)
