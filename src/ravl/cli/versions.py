"""``ravl diff`` and ``ravl revert``: changes of a memory, and how to undo them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ravl.cli.output import SHOWN, flat, json_option, print_json, print_problems

if TYPE_CHECKING:
    from ravl.memory import Difference

memory_argument = click.argument("memory", type=click.Path(path_type=Path))


@click.command()
@memory_argument
@click.argument("old", type=int)
@click.argument("new", type=int, required=False)
@json_option
def diff(memory: Path, old: int, new: int | None, as_json: bool) -> None:
    """Show the changes of rows between versions OLD and NEW, or OLD and now.

    ravl log MEMORY lists the versions; 0 is the empty memory.
    """
    from ravl.memory import Memory

    with Memory.open(memory) as opened:
        found = opened.diff(old, new)
    if as_json:
        print_json([each.to_json() for each in found])
        return
    for each in found:
        for line in _lines(each):
            click.echo(flat(line))
    if not found:
        click.echo("Nothing differs.")


def _lines(found: Difference) -> list[str]:
    if found.before is None:
        return [f"+ {found.id}"]
    if found.after is None:
        return [f"- {found.id}"]
    before, after = found.before, found.after
    return [f"~ {found.id}"] + [
        f"    {name}: {_short(before.get(name))} -> {_short(after.get(name))}"
        for name in found.fields
    ]


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


@click.command()
@memory_argument
@click.argument("version", type=int)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def revert(memory: Path, version: int, yes: bool, as_json: bool) -> None:
    """Restore the state of a memory at a VERSION, as a new version.

    Changed rows get their old content, later rows are deleted, and deleted rows are restored, from
    the trash or by encoding their picture again. See ravl diff MEMORY VERSION first.
    """
    from ravl.memory import Memory

    with Memory.open(memory) as opened:
        if not yes:
            count = len(opened.diff(version))
            click.confirm(f"Change {count:,} rows back to version {version}?", abort=True)
        report = opened.revert(version)
        if as_json:
            print_json(report.to_json())
            return
        for what, ids in (
            ("changed back", report.updated),
            ("deleted", report.deleted),
            ("restored", report.restored),
        ):
            if ids:
                more = ", ..." if len(ids) > SHOWN else ""
                click.echo(f"{len(ids):,} {what}: {flat(', '.join(ids[:SHOWN]))}{more}")
        print_problems(len(report.rejected), report.rejected)
        click.echo(f"{memory} has the state of version {version}, with {len(opened):,} rows.")


COMMANDS = (diff, revert)
