"""``ravl inbox``: review the feedback on a server's answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ravl.cli.output import flat, json_option, print_json, print_problems, print_table
from ravl.errors import RavlError

if TYPE_CHECKING:
    from ravl.memory import Memory
    from ravl.store.sqlite.feedback import Entry, FeedbackStore


@click.command()
@click.argument("memory", type=click.Path(path_type=Path))
@click.option(
    "--use",
    multiple=True,
    type=int,
    metavar="NUMBER",
    help="Make a row of an entry, or correct the row of its picture; may be repeated.",
)
@click.option(
    "--dismiss",
    multiple=True,
    type=int,
    metavar="NUMBER",
    help="Dismiss an entry; may be repeated.",
)
@click.option(
    "--add",
    type=click.Path(path_type=Path),
    metavar="TABLE",
    help="Read a table of corrections, in the format of ravl index.",
)
@click.option("--use-all", is_flag=True, help="Use all entries on which people agree.")
@click.option(
    "--feedback",
    type=click.Path(path_type=Path),
    help="The feedback file. [default: beside the memory]",
)
@json_option
def inbox(
    memory: Path,
    use: tuple[int, ...],
    dismiss: tuple[int, ...],
    add: Path | None,
    use_all: bool,
    feedback: Path | None,
    as_json: bool,
) -> None:
    """Review the feedback on answers: ravl inbox shop.ravl --use 3 --dismiss 4

    Lists open and disputed entries. An entry is disputed if people disagree about the picture; it
    then waits for a decision. The web page of ravl serve shows the same entries with pictures.
    """
    from ravl.memory import Memory
    from ravl.serving.reviewing import disputed, fields_of, open_entries
    from ravl.store.sqlite.feedback import FeedbackStore, beside

    file = feedback or beside(memory)
    if not file.exists() and add is None:
        raise RavlError(f"There is no feedback in {file}. ravl serve collects it.")
    with Memory.open(memory) as opened:
        store = FeedbackStore(file)
        try:
            if add is not None:
                _bring(opened, store, add)
            entries = open_entries(store)
            unsure = disputed(entries)
            if use_all:
                use = (
                    *use,
                    *(e.number for e in entries if fields_of(e) and e.number not in unsure),
                )
            if use or dismiss:
                _settle(opened, store, use, dismiss)
            elif add is not None:
                click.echo(f"{len(entries):,} open.")
            elif as_json:
                print_json([{**e.to_json(), "disputed": e.number in unsure} for e in entries])
            else:
                _list(entries, unsure)
        finally:
            store.close()


def _bring(memory: Memory, store: FeedbackStore, table: Path) -> None:
    from ravl.serving.reviewing import from_table
    from ravl.store.history import author

    count, rejected = from_table(memory, store, table, author())
    click.echo(f"{count:,} were read from {table}.")
    print_problems(len(rejected), rejected)


def _settle(
    memory: Memory, store: FeedbackStore, use: tuple[int, ...], dismiss: tuple[int, ...]
) -> None:
    from ravl.serving.reviewing import remember

    for number in dict.fromkeys(use):
        try:
            row = remember(memory, store, store.get(number))
            click.echo(f"{number}\t{flat(row.id)}\t{flat(row.caption)}")
        except RavlError as error:  # continue with the other entries
            click.echo(f"{number}\tnot used: {error}", err=True)
    for number in dismiss:
        store.settle(number, "dismissed")
    click.echo(f"{store.count():,} open.")


def _list(entries: list[Entry], unsure: set[int]) -> None:
    lines = [
        (
            e.number,
            e.at[:16],
            e.who,
            e.task,
            e.row or e.picture or "",
            e.asked or "",
            _said(e.answer),
            e.verdict if e.number not in unsure else f"{e.verdict}, disputed",
            _said(e.correction),
            e.note or "",
        )
        for e in entries
    ]
    head = [
        "number",
        "when (UTC)",
        "who",
        "task",
        "about",
        "asked",
        "answer",
        "verdict",
        "right",
        "note",
    ]
    print_table(head, lines)


def _said(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


COMMANDS = (inbox,)
