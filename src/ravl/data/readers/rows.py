"""Converts a row of a table (names and values) to a :class:`Row` with typed fields."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from ravl.data.example import QA, Rejected
from ravl.data.readers import values
from ravl.data.readers.cells import Cells
from ravl.data.readers.columns import ColumnNames, Layout, lay_out
from ravl.data.readers.places import normal
from ravl.data.staging import Row

Record = Mapping[str, Any]  # a row of a table, as its file gives it

# JSON lines can have different keys; the layout is computed once for each set of keys
KEPT_LAYOUTS = 1_000


class RowMaker:
    """Makes rows from one source's mappings of column names to values.

    Args:
        names: the names of the columns.
        where: the source's name: "shop.csv".
        relative: converts a path of the table to an id.
        cells: the types of the columns of a CSV file, whose values are all texts; None for values
            that have types.
    """

    def __init__(
        self,
        names: ColumnNames,
        where: str,
        *,
        relative: Callable[[str], str] = normal,
        cells: Cells | None = None,
    ) -> None:
        self._names = names
        self.where = where
        self._cells = cells
        self._relative = relative
        self._layouts: dict[tuple[str, ...], Layout] = {}

    def row(self, record: Record, place: str, number: int) -> Row | Rejected:
        """One record as a row; ``number`` is its id if the record has no other id."""
        try:
            row = self._row(record, self._layout(record), place)
        except ValueError as error:
            return Rejected(f"{self.where}, {place}", str(error))
        if row.picture is None and not row.texts and not row.qa:
            return Rejected(
                f"{self.where}, {place}", "the row has neither a picture nor a text; one is needed"
            )
        row.id = row.id or row.same or f"{self.where}:{number}"
        return row

    def _layout(self, record: Record) -> Layout:
        keys = tuple(record)
        layout = self._layouts.get(keys)
        if layout is None:
            if len(self._layouts) >= KEPT_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[keys] = lay_out(self._names, keys)
        return layout

    def _row(self, record: Record, layout: Layout, place: str) -> Row:
        row = Row("", place=place)
        if layout.image is not None:
            row.picture, row.same = self.picture(record[layout.image])
        if layout.id is not None:
            row.id = self._one(record, layout.id) or ""
        if layout.label is not None:
            row.label = self._one(record, layout.label)
        if layout.tags is not None:
            separator = self._cells.separator if self._cells is not None else None
            row.tags = tuple(values.tags(record[layout.tags], separator))
        if layout.texts:
            row.texts = tuple([t for name in layout.texts for t in values.strings(record[name])])
        if layout.question is not None:
            row.qa = self._question(record, layout)
        self._fill_columns(row, record, layout)
        return row

    def _one(self, record: Record, name: str) -> str | None:
        value = record[name]
        return values.one(value if self._cells is None else self._cells.name(name, value), name)

    def _question(self, record: Record, layout: Layout) -> tuple[QA, ...]:
        question = values.one(record[layout.question or ""], "question")
        if question is None:
            return ()
        best = record["answer"] if "answer" in layout.answers else None
        listed = [values.strings(record[name]) for name in layout.answers if name != "answer"]
        return (QA(question, values.answers([a for group in listed for a in group], best)),)

    def _fill_columns(self, row: Row, record: Record, layout: Layout) -> None:
        for name in layout.others:
            value = record[name]
            if name == "qa":
                row.qa += tuple(values.questions(value))
            elif name == "columns" and (own := values.mapping(value)) is not None:
                self._add_columns(row, own)
            else:
                found = (
                    values.scalar(value) if self._cells is None else self._cells.value(name, value)
                )
                if found is not None:
                    row.columns[name] = found

    def _add_columns(self, row: Row, columns: Record) -> None:
        for name, value in columns.items():
            if (found := values.scalar(value)) is not None:
                row.columns[name] = found

    def picture(self, value: object) -> tuple[str | bytes | None, str]:
        """A picture's path or bytes, and its identity."""
        if isinstance(value, Mapping):  # the form in which Hugging Face datasets write pictures
            content, path = value.get("bytes"), value.get("path")
            if content and not isinstance(content, bytes):
                raise ValueError(f"the bytes of the picture are {content!r:.50}, which is no bytes")
            if path is not None and not isinstance(path, str):
                raise ValueError(f"the path of the picture is {path!r:.50}, which is no text")
            return embedded(content, path) if content else self.picture(path)
        if isinstance(value, bytes):
            return embedded(value, None) if value else (None, "")
        if value is None or not (written := str(value).strip()):
            return None, ""
        return written, self._relative(written)


def embedded(content: bytes, path: str | None) -> tuple[bytes, str]:
    """A picture inside the table, and its identity: its name and a hash.

    The name alone is not enough, because it has no folder: every class can have a "1.jpg".
    """
    name = normal(path).rpartition("/")[2] if path else "picture"
    return content, f"{name}@{hashlib.sha256(content).hexdigest()[:16]}"
