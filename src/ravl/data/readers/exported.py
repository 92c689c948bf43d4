"""Rows that ravl exported: every field comes back as it was, a text that looks like a list too."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ravl.data.example import Rejected
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
        row = Row(str(record.get("id") or f"{self.where}:{number}"), place=place)
        try:
            row.picture, row.same = self.picture(record.get("picture") or record.get("image"))
            row.texts = _texts(record.get("texts"))
            row.label = record.get("label")
            row.tags = _texts(record.get("tags"))
            row.qa = tuple(values.exported_questions(record.get("qa") or []))
            row.source = record.get("source") or ""
            columns = values.mapping(record.get("columns")) or {}
            found = {name: values.scalar(value) for name, value in columns.items()}
            row.columns = {name: value for name, value in found.items() if value is not None}
        except ValueError as error:
            return Rejected(f"{self.where}, {place}", str(error))
        return row


def _texts(value: JsonValue) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())
