"""``ravl sync``, ``bin``, ``compact``: following folders, and what becomes of removed rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ravl.cli.output import (
    SHOWN,
    flat,
    json_option,
    print_json,
    print_problems,
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
    help="Leave what matches as it is, as in a .gitignore; may be repeated, and is kept. A file "
    ".ravlignore in the folder has such patterns as well.",
)
@click.option(
    "--folder-labels/--no-folder-labels",
    default=None,
    help="Take sub-folders as labels; is kept. [default: if all pictures lie in some]",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, change nothing.")
@click.option(
    "--watch",
    type=click.FloatRange(min=0.5),
    metavar="SECONDS",
    help="Look again each so many seconds, until Ctrl-C.",
)
@click.option(
    "--remove-all",
    is_flag=True,
    help="Let all pictures of a folder go, where it has none any more.",
)
@quiet_option
@json_option
def sync(
    memory: Path,
    folders: tuple[Path, ...],
    watch: float | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Bring a memory up to date with folders: what is new, changed, renamed or removed.

    FOLDERS are those to follow; without any, all that the memory follows already. What has not
    been touched since last time is not opened; a renamed picture is known by its content; rows
    whose picture is gone go to the bin (ravl bin MEMORY). A new memory is made by ravl index.
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
                return
            time.sleep(watch)


def _tell(report: SyncReport, memory: Memory) -> None:
    would = "would be " if report.dry_run else ""
    renames = [f"{old}  ->  {new}" for old, new in report.renamed]
    parts: list[tuple[str, Sequence[str]]] = [
        ("new", report.new),
        ("changed", report.changed),
        ("renamed", renames),
        ("restored from the bin", report.restored),
        ("removed, into the bin", report.removed),
    ]
    for what, ids in parts:
        if ids:
            click.echo(f"{len(ids):,} {would}{what}:")
            for id in ids[:SHOWN]:
                click.echo(f"  {flat(id)}")
            if len(ids) > SHOWN:
                click.echo(f"  ... and {len(ids) - SHOWN:,} more")
    print_problems(len(report.rejected), report.rejected)
    to_be = "to be " if report.dry_run else ""
    click.echo(
        f"{report.unchanged:,} unchanged, {report.encoded:,} {to_be}looked at by the network, in "
        f"{report.seconds:.1f} s. {memory.path} {'has' if report.dry_run else 'now has'} "
        f"{len(memory):,} rows."
    )


@click.command("bin")
@click.argument("memory", type=click.Path(path_type=Path))
@click.argument("ids", nargs=-1)
@click.option("--restore", is_flag=True, help="Bring IDS back, or all.")
@click.option("--empty", is_flag=True, help="Forget IDS, or all.")
@json_option
def bin_(memory: Path, ids: tuple[str, ...], restore: bool, empty: bool, as_json: bool) -> None:
    """List rows whose pictures are gone, bring them back, or forget them.

    A row in the bin is in no search and no vote, and keeps its vectors. Forgotten rows leave the
    file with the next ravl compact.
    """
    from ravl.memory import Memory

    if restore and empty:
        raise click.UsageError("Say --restore or --empty, not both.")
    if ids and not (restore or empty):
        raise click.UsageError("Say what to do with these rows: --restore or --empty.")
    with Memory.open(memory) as opened:
        if restore:
            back = opened.restore(ids or None)
            if as_json:
                print_json({"restored": back})
                return
            for id in back:
                click.echo(flat(id))
            click.echo(f"{len(back):,} restored. {memory} now has {len(opened):,} rows.")
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
    """Forget what was deleted, and give its room back.

    A deleted row is in no search and no vote at once; afterwards the file and its history hold
    nothing of it. Rows in the bin stay (ravl bin MEMORY --empty).
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


COMMANDS = (sync, bin_, compact)
