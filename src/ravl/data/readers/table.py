"""Tables: CSV, TSV, JSON lines, a JSON list of objects, and Parquet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from ravl.data.example import Example, Rejected
from ravl.data.readers import json_stream
from ravl.data.readers.cells import Cells
from ravl.data.readers.columns import check, lay_out
from ravl.data.readers.delimited import Delimited
from ravl.data.readers.exported import ExportedRows, is_exported
from ravl.data.readers.lines import read_lines
from ravl.data.readers.parquet import Parquet
from ravl.data.readers.places import PlaceError, Root
from ravl.data.readers.rows import RowMaker
from ravl.data.readers.source import GroupedSource, ReadOptions
from ravl.data.staging import Row
from ravl.json_types import JsonValue
from ravl.untrusted import unique_keys

HEADED = (".csv", ".tsv", ".parquet")  # their columns are known even without rows
PEEKED = 100  # objects of a JSON file whose keys give the columns

Opened = tuple[tuple[str, ...], Callable[[], Iterator[Row | Rejected]]]
"""The columns of a table, and the reader of its rows."""


class TableSource(GroupedSource):
    """A table; several rows can describe one picture.

    Args:
        path: the file; its suffix gives the format.
        options: columns, root (default: the table's folder), encoding (default: UTF-8).

    Raises:
        DataError: if the table cannot be read, or a necessary or named column is missing.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(str(path), path.name)
        self._path = path
        self._encoding = options.encoding
        self._root = Root(options.root or path.parent)
        self._columns = options.columns
        self._make = RowMaker(options.columns, self.where, relative=self._root.relative)
        suffix = path.suffix.lower()
        self._pictures: _PicturesInOrder | None = None
        opened: dict[str, Callable[[], Opened]] = {
            ".csv": self._delimited,
            ".tsv": self._delimited,
            ".parquet": self._parquet,
            ".json": self._json_list,
        }
        header, self._read = opened.get(suffix, self._json_lines)()
        self.header = header
        if is_exported(path, header):
            self._make = ExportedRows(options.columns, self.where, relative=self._root.relative)
            self._layout = lay_out(options.columns, header)
        elif header or suffix in HEADED:
            self._layout = check(options.columns, header, str(path))

    def rows(self) -> Iterator[Row | Rejected]:
        """Every row of the table, in its order."""
        return self._read()

    def finish(self, row: Row) -> Example | Rejected:
        """The row with its picture: a file, or bytes from the table itself."""
        try:
            return self.example(row, self._picture(row))
        except PlaceError as error:
            return Rejected(f"{self.where}, {row.place}", str(error))

    def _picture(self, row: Row) -> Path | bytes | None:
        if isinstance(row.picture, str):
            return self._root.find(row.picture)
        if isinstance(row.picture, int) and self._pictures is not None:
            return self._pictures[row.picture]
        return None

    def _delimited(self) -> Opened:
        table = Delimited(self._path, self._encoding)

        def read() -> Iterator[Row | Rejected]:
            named = (self._layout.id, self._layout.label)
            cells = Cells(
                (found[1] for found in table if not isinstance(found, Rejected)),
                (*self._layout.others, *(name for name in named if name is not None)),
                self._layout.tags,
                comma=table.delimiter == ";",
            )
            make = RowMaker(self._columns, self.where, relative=self._root.relative, cells=cells)
            for found in table:
                if isinstance(found, Rejected):
                    yield found
                else:
                    number, record = found
                    yield make.row(record, f"line {number}", number)

        return table.header, read

    def _json_lines(self) -> Opened:
        def read() -> Iterator[Row | Rejected]:
            for number, text, problem in read_lines(self._path, self._encoding):
                if problem is not None:
                    yield Rejected(f"{self.where}, line {number}", problem)
                elif text.strip():
                    yield self._object(text, number)

        records = (_loaded(text) for _, text, _ in read_lines(self._path, self._encoding))
        return _keys(records), read

    def _json_list(self) -> Opened:
        def read() -> Iterator[Row | Rejected]:
            for number, record in enumerate(json_stream.items(self._path, "item"), 1):
                if isinstance(record, dict):
                    yield self._make.row(record, f"item {number}", number)
                else:
                    yield Rejected(f"{self.where}, item {number}", "the item is not an object")

        return _keys(json_stream.items(self._path, "item")), read

    def _parquet(self) -> Opened:
        table = Parquet(self._path)

        def read() -> Iterator[Row | Rejected]:
            for number, record in enumerate(table, 1):
                row = self._make.row(record, f"row {number}", number)
                if isinstance(row, Row) and isinstance(row.picture, bytes):
                    row.picture = number - 1  # the bytes stay in the file
                yield row
            if self._layout.image:
                self._pictures = _PicturesInOrder(table, self._layout.image)

        return table.header, read

    def _object(self, text: str, number: int) -> Row | Rejected:
        try:
            record = json.loads(text, object_pairs_hook=unique_keys)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", None) or str(error)
            at = f" at character {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            return Rejected(
                f"{self.where}, line {number}", f"the line is not valid JSON{at}: {reason}"
            )
        if not isinstance(record, dict):
            return Rejected(
                f"{self.where}, line {number}",
                f"the line is {type(record).__name__} in JSON; it must be an object, "
                'such as {"image": "a.jpg", "caption": "a dog"}',
            )
        return self._make.row(record, f"line {number}", number)


class _PicturesInOrder:
    """Pictures of a Parquet file by row number; fast in increasing order."""

    def __init__(self, table: Parquet, column: str) -> None:
        self._table = table
        self._column = column
        self._values: Iterator[JsonValue] = iter(())
        self._next = -1

    def __getitem__(self, number: int) -> bytes:
        if not 0 <= self._next <= number:
            self._values, self._next = self._table.column(self._column), 0
        value = next(islice(self._values, number - self._next, None))
        self._next = number + 1
        content: bytes = value if isinstance(value, bytes) else value["bytes"]
        return content


def _loaded(text: str) -> JsonValue:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _keys(records: Iterator[JsonValue]) -> tuple[str, ...]:
    """The keys of the first objects, in order of appearance."""
    objects = (record for record in records if isinstance(record, dict))
    return tuple(dict.fromkeys(key for record in islice(objects, PEEKED) for key in record))
