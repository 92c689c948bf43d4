"""Rows that ravl exported: every field comes back as it was, a text that looks like a list too."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ravl.data.example import Rejected, Scalar
from ravl.data.readers import values
from ravl.data.readers.builtin import EXPORTED
from ravl.data.readers.rows import RowMaker
from ravl.data.staging import Row
from ravl.json_types import JsonRecord, JsonValue

FIELDS = frozenset(("id", "picture", "image", "texts", "label", "tags", "qa", "columns", "source"))


def is_exported(table: Path, columns: Iterable[str]) -> bool:
    """Whether a table is one that ``ravl export`` wrote, by its name and its columns."""
    found = set(columns)
    return table.name in EXPORTED and "id" in found and found <= FIELDS


class ExportedRows(RowMaker):
    """Makes rows of the records of an export; see :class:`RowMaker`."""

    def row(self, record: JsonRecord, place: str, number: int) -> Row | Rejected:
        """One record as a row. It may have neither a picture nor a text, as a row of a memory may.

        Args:
            record: with the fields ``FIELDS``; each may be missing.
            place: of the record in the table, for messages.
            number: of the record; part of its id if it has none.
        """
        row = Row("", place=place)
        try:
            row.id = _text(record, "id") or f"{self.where}:{number}"
            row.picture, row.same = self.picture(record.get("picture") or record.get("image"))
            row.texts = _texts(record, "texts")
            row.label = _text(record, "label")
            row.tags = _texts(record, "tags")
            row.qa = tuple(values.exported_questions(record.get("qa") or []))
            row.source = _text(record, "source") or ""
            row.columns = _columns(record.get("columns"))
        except ValueError as error:
            return Rejected(f"{self.where}, {place}", str(error))
        return row


def _text(record: JsonRecord, name: str) -> str | None:
    found = record.get(name)
    if found is not None and not isinstance(found, str):
        raise ValueError(f"{name!r} is {_kind(found)}; in an export it is a text")
    return found


def _texts(record: JsonRecord, name: str) -> tuple[str, ...]:
    found = record.get(name)
    if isinstance(found, str):
        return (found,)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ValueError(f"{name!r} is {_kind(found)}; in an export it is a list of texts")
    return tuple(found)


def _columns(value: JsonValue) -> dict[str, Scalar]:
    own = values.mapping(value) if value else {}
    if own is None:
        raise ValueError(f"'columns' is {_kind(value)}; in an export it is an object")
    found = {name: values.scalar(each) for name, each in own.items()}
    return {name: each for name, each in found.items() if each is not None}


def _kind(value: object) -> str:
    return f"of the type {type(value).__name__}, and has {value!r:.50} in it"
