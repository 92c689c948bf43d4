"""``ravl sync``, ``trash``, ``compact``: following folders, and removed rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ravl.cli.output import (
    SHOWN,
    flat,
    json_option,
    nothing_found,
    print_json,
    print_kept,
    print_problems,
    print_skipped,
    print_table,
    quiet_option,
)

if TYPE_CHECKING:
    from ravl.memory import Memory, SyncReport


@click.command()
@click.argument("memory", type=click.Path(path_type=Path))
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATTERN",
    help="Ignore files that match a pattern, as in a .gitignore; may be repeated, and is stored. "
    "A file .ravlignore in the folder can contain such patterns, too.",
)
@click.option(
    "--folder-labels/--no-folder-labels",
    default=None,
    help="Use sub-folders as labels; is stored. [default: if all pictures are in sub-folders]",
)
@click.option("--dry-run", is_flag=True, help="Print what would be done, change nothing.")
@click.option(
    "--watch",
    type=click.FloatRange(min=0.5),
    metavar="SECONDS",
    help="Repeat every given number of seconds, until Ctrl-C.",
)
@click.option(
    "--remove-all",
    is_flag=True,
    help="Allow removing all pictures of a folder that is now empty.",
)
@quiet_option
@json_option
def sync(
    memory: Path,
    folders: tuple[Path, ...],
    watch: float | None,
    quiet: bool,
    as_json: bool,
    **options: object,
) -> int:
    """Update a memory from folders: new, changed, renamed and removed files.

    FOLDERS are the folders to follow; without them, all folders that the memory already follows.
    Unchanged files are not opened. A renamed picture is recognised by its content. Rows whose
    picture is missing move to the trash (ravl trash MEMORY). Create a new memory with ravl index.
    The exit code is 4 if the folders hold no picture.
    """
    from ravl.memory import Memory

    with Memory.open(memory) as opened:
        while True:
            report = opened.sync(*folders, progress=False if quiet or as_json else None, **options)
            if as_json:
                print_json(report.to_json())
            elif not quiet and not (watch and report.quiet):
                _tell(report, opened)
            if not watch:
                where = ", ".join(map(str, folders)) or "the followed folders"
                return nothing_found(where) if report.found_nothing else 0
            time.sleep(watch)


def _tell(report: SyncReport, memory: Memory) -> None:
    would = "would be " if report.dry_run else ""
    renames = [f"{old}  ->  {new}" for old, new in report.renamed]
    parts: list[tuple[str, Sequence[str]]] = [
        ("new", report.new),
        ("changed", report.changed),
        ("renamed", renames),
        ("restored from the trash", report.restored),
        ("removed, to the trash", report.removed),
    ]
    for what, ids in parts:
        if ids:
            click.echo(f"{len(ids):,} {would}{what}:")
            for id in ids[:SHOWN]:
                click.echo(f"  {flat(id)}")
            if len(ids) > SHOWN:
                click.echo(f"  ... and {len(ids) - SHOWN:,} more")
    for old, new in report.moved:
        click.echo(f"The folder {old} is {new} now; its pictures keep their rows.")
    for path in report.missing:
        click.echo(
            f"There is no folder {path}; its rows stay. If it has moved, name its new place: ravl "
            f"sync {memory.path} FOLDER",
            err=True,
        )
    print_kept(report.kept)
    print_skipped(report.skipped)
    print_problems(len(report.rejected), report.rejected)
    to_be = "to be " if report.dry_run else ""
    click.echo(
        f"{report.unchanged:,} unchanged, {report.encoded:,} {to_be}encoded, in "
        f"{report.seconds:.1f} s. {memory.path} {'has' if report.dry_run else 'now has'} "
        f"{len(memory):,} rows."
    )


@click.command()
@click.argument("memory", type=click.Path(path_type=Path))
@click.argument("ids", nargs=-1)
@click.option("--restore", is_flag=True, help="Restore IDS, or all rows.")
@click.option("--empty", is_flag=True, help="Delete IDS, or all rows.")
@json_option
def trash(memory: Path, ids: tuple[str, ...], restore: bool, empty: bool, as_json: bool) -> None:
    """List, restore or delete rows in the trash.

    Searches and votes do not use rows in the trash; the rows keep their vectors. The next ravl
    compact erases deleted rows from the file.
    """
    from ravl.memory import Memory

    if restore and empty:
        raise click.UsageError("Use --restore or --empty, not both.")
    if ids and not (restore or empty):
        raise click.UsageError("Give an action for these rows: --restore or --empty.")
    with Memory.open(memory) as opened:
        if restore:
            wanted = set(ids) or {each.row.id for each in opened.trashed()}
            back = opened.restore(ids or None)
            if as_json:
                print_json({"restored": back})
                return
            for id in back:
                click.echo(flat(id))
            click.echo(f"{len(back):,} restored. {memory} now has {len(opened):,} rows.")
            if left := wanted - set(back):
                click.echo(
                    f"{len(left):,} stay in the trash: another row has the id, or the picture must "
                    "be encoded again and cannot be read.",
                    err=True,
                )
        elif empty:
            count = opened.empty_trash(ids or None)
            click.echo(f"{count:,} forgotten.") if not as_json else print_json({"forgotten": count})
        elif as_json:
            print_json([each.to_json() for each in opened.trashed()])
        else:
            lines = [(each.row.id, each.at, each.row.caption) for each in opened.trashed()]
            print_table(["id", "since", "what"], lines)


@click.command()
@click.argument("memory", type=click.Path(path_type=Path))
@json_option
def compact(memory: Path, as_json: bool) -> None:
    """Erase deleted rows, and free their space.

    Searches and votes ignore a deleted row at once; ravl compact also erases it from the file and
    its history. Rows in the trash stay (delete them with ravl trash MEMORY --empty).
    """
    from ravl.memory import Memory

    with Memory.open(memory) as opened:
        report = opened.compact()
    if as_json:
        print_json(report.to_json())
        return
    before, after = (size / 2**20 for size in (report.before, report.after))
    click.echo(
        f"{report.forgotten:,} deleted rows forgotten; {before:,.1f} MB are {after:,.1f} MB."
    )


COMMANDS = (sync, trash, compact)
