"""Reviewing feedback: what people said about answers becomes rows of the memory."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ravl.data import Example, Rejected, pictures, read
from ravl.errors import DataError, PictureError, RowExistsError
from ravl.json_types import JsonRecord, JsonValue
from ravl.memory import Memory, Row
from ravl.memory.adding import add_rows
from ravl.memory.editing import edit
from ravl.store.sqlite.feedback import Entry, FeedbackStore
from ravl.tasks import registry

PAGE = 1_000


def open_entries(store: FeedbackStore) -> list[Entry]:
    """All entries that are still open."""
    found: list[Entry] = []
    while len(page := store.entries("open", found[-1].number if found else 0, PAGE)) == PAGE:
        found += page
    return found + page


def right_of(entry: Entry) -> JsonValue:
    """What would have been right, as far as somebody said so."""
    return entry.answer if entry.verdict == "accepted" else entry.correction


def disputed(entries: Sequence[Entry]) -> set[int]:
    """Numbers of entries that contradict each other.

    No correction overwrites another: such entries wait until a person decides.
    """
    corrections: dict[tuple[object, ...], dict[str, list[int]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for entry in entries:
        right = right_of(entry)
        about = (entry.task, entry.row or entry.picture, entry.asked)
        if right is not None and registry.of_command(entry.task)[0].single:
            corrections[about][json.dumps(right)].append(entry.number)
    return {
        n for views in corrections.values() if len(views) > 1 for its in views.values() for n in its
    }


def remember(memory: Memory, store: FeedbackStore, entry: Entry) -> Row:
    """Make a row of an entry, or add it to the row that was asked about, and settle it.

    A label and tags take the place of what the row had; texts and questions come to it.

    Args:
        memory: that answered.
        store: that the entry is from.
        entry: accepted or corrected.

    Raises:
        DataError: it says nothing that a row could hold, or its picture was not kept.
        RowNotFoundError: the row that was asked about is not there any more.
    """
    fields = fields_of(entry)
    if not fields:
        raise DataError(
            f"The feedback number {entry.number} says nothing that a row could hold: it is about "
            f"{entry.task} and {entry.verdict}. Dismiss it."
        )
    if entry.row is not None:
        row = _extended(memory, entry.row, fields)
    else:
        picture = store.picture(entry.number)
        if picture is None:
            raise DataError(f"No picture came with the feedback number {entry.number}.")
        row = _added(memory, f"feedback/{entry.picture}", picture, fields)
    store.settle(entry.number, "used")
    return row


def _added(memory: Memory, id: str, picture: bytes, fields: JsonRecord) -> Row:
    """A row with what was said; a second entry about the same picture comes to it."""
    try:
        return add_rows(memory, [Example(id, picture, source="feedback", **fields)])[0]
    except RowExistsError:
        return _extended(memory, id, fields)


def fields_of(entry: Entry) -> JsonRecord:
    """What a row would hold of an entry; empty where it says nothing that a row could hold."""
    right = right_of(entry)
    if right is None:
        return {}
    return registry.of_command(entry.task)[0].row_fields(right, entry.asked)


def _extended(memory: Memory, id: str, fields: JsonRecord) -> Row:
    """Add fields to a row as it is at this moment: texts and questions come to those it has."""

    def change(row: Row) -> Row:
        new = dict(fields)
        if "texts" in new:
            new["texts"] = tuple(dict.fromkeys([*row.texts, *new["texts"]]))
        if "qa" in new:
            asked = {qa.question for qa in new["qa"]}
            new["qa"] = (*(qa for qa in row.qa if qa.question not in asked), *new["qa"])
        if "tags" in new:
            new["tags"] = tuple(new["tags"])
        if "columns" in new:
            new["columns"] = {**row.columns, **new["columns"]}
        return replace(row, **new)

    return edit(memory, f"feedback {id}", {id: change}).rows[id]


def from_table(
    memory: Memory, store: FeedbackStore, source: str | Path, who: str
) -> tuple[int, list[Rejected]]:
    """Bring what a table says about pictures into the inbox, each as an answer that is right.

    Args:
        memory: whose rows are known by their pictures.
        store: to bring it into.
        source: as :func:`ravl.data.read` takes it.
        who: says so.

    Returns:
        How many entries came, and what could not be read.

    Raises:
        DataError: the table as a whole cannot be read.
    """
    known = {row.hash: row.id for row in memory.rows() if row.hash is not None}
    count, rejected = 0, []
    for found in read(source):
        if isinstance(found, Rejected) or found.picture is None:
            rejected.append(found if isinstance(found, Rejected) else _unpictured(found))
            continue
        try:
            data = pictures.read_bytes(found.picture)
            pictures.probe(data)
        except PictureError as error:
            rejected.append(Rejected(found.source or found.id, str(error)))
            continue
        row = known.get(pictures.content_hash(data))
        for task, asked, answer in _said(found):
            entry = Entry(
                who=who, task=task, run="", answer=answer, verdict="accepted", asked=asked, row=row
            )
            store.add(entry, data if row is None else None)
            count += 1
    return count, rejected


def _said(example: Example) -> list[tuple[str, str | None, JsonValue]]:
    """Tasks, questions and answers of an example."""
    usual = (registry.of_command(command)[0] for command in registry.commands())
    return [
        (task.command, asked, answer) for task in usual for asked, answer in task.stated(example)
    ]


def _unpictured(example: Example) -> Rejected:
    return Rejected(example.source or example.id, "there is no picture that this is said about")
