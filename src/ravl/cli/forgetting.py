"""``ravl forget``: erase rows, and say where something of them is left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ravl.cli.output import json_option, print_json

if TYPE_CHECKING:
    from ravl.forgetting import ForgetReport
    from ravl.forgetting.learned import Learned

SHOWN = 30  # files that are listed; --json has all


@click.command()
@click.argument("memory", type=click.Path(path_type=Path))
@click.argument("ids", nargs=-1, required=True)
@click.option(
    "--audit",
    "places",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="PLACE",
    help="Also look in this run, export, page or folder; may be repeated.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Only print what is found of the rows, also of rows that were forgotten before. IDS can "
    "then also be hashes and files of pictures.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def forget(
    memory: Path,
    ids: tuple[str, ...],
    places: tuple[Path, ...],
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Erase rows by IDS, and report what is found of them elsewhere.

    The rows leave the memory with its history, trash and log, the feedback beside it, and ravl's
    cache. ravl does not change runs, exports, pages and the pictures' own files: the command looks
    in those beside the memory, and says for each file what it holds and what to do. If all rows are
    gone already and --audit is given, nothing is erased, and the command only looks.
    """
    from ravl.forgetting import audit, learned_from
    from ravl.forgetting import forget as erase
    from ravl.memory import Memory
    from ravl.memory.compacting import is_cut_off

    with Memory.open(memory) as opened:
        known = {row.row.id for row in opened.trashed()}
        gone = not any(id in opened or id in known for id in ids)
        if dry_run or (gone and places and not is_cut_off(opened)):
            found = audit(opened, ids, places)
        else:
            if not yes:
                _print_runs(learned_from(opened, ids, places))
                click.confirm(f"Erase {len(ids):,} rows permanently?", abort=True)
            found = erase(opened, ids, places)
    if as_json:
        print_json(found.to_json())
        return
    if found.deleted:
        more = f" and {found.feedback:,} entries of feedback" if found.feedback else ""
        click.echo(f"Erased {found.deleted:,} rows{more} from {memory}.")
    _report(found)


def _report(found: ForgetReport) -> None:
    if found.is_clean:
        click.echo("Nothing of them was found elsewhere.")
    _print_runs(found.runs)
    for id in found.rows:
        click.echo(f"The row {id} has the same picture.")
    for file in found.files[:SHOWN]:
        click.echo(f"{file.file}: {', '.join(file.holds)}")
        click.echo(f"  {file.remedy}")
    if len(found.files) > SHOWN:
        click.echo(f"... and {len(found.files) - SHOWN:,} more files; --json lists all.")
    for note in found.notes:
        click.echo(note)


def _print_runs(runs: list[Learned]) -> None:
    for run in runs:
        said = f"{len(run.learned):,} learned from, {len(run.judged):,} judged by"
        click.echo(f"{run.folder}: {said}")
        if run.remedy:
            click.echo(f"  {run.remedy}")


COMMANDS = (forget,)
