"""CSV and TSV: records of named fields; a broken record does not affect the others."""

from __future__ import annotations

import csv
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

from ravl.data.example import Rejected
from ravl.data.readers.lines import Line, read_lines
from ravl.errors import DataError

DELIMITERS = ",;\t|"

Record = tuple[int, dict[str, str]]
"""Number of its first line, and its fields by column name."""


class Delimited:
    """A CSV or TSV file.

    Args:
        path: the file. Its first line names the columns. ``.tsv`` is separated by tabs, other files
            by the most frequent of ``, ; | tab`` in the first line.
        encoding: a codec's name; None means UTF-8.

    Raises:
        DataError: if the file is empty, or two columns have the same name.
    """

    def __init__(self, path: Path, encoding: str | None) -> None:
        self.path = path
        self._encoding = encoding
        self._delimiter = "\t" if path.suffix.lower() == ".tsv" else self._likeliest()
        self.header = self._header()

    def __iter__(self) -> Iterator[Record | Rejected]:
        feed = _Feed(read_lines(self.path, self._encoding))
        reader = self._reader(feed)
        next(reader, None)
        width = len(self.header)
        while True:
            feed.record.clear()
            try:
                fields = next(reader, None)
            except csv.Error as error:
                yield self._refuse(feed, _explained(error))
                continue
            if fields is None:
                return
            if any(problem for _, _, problem in feed.record):
                yield self._refuse_undecoded(feed)
            elif len(fields) == width:
                yield feed.record[0][0], dict(zip(self.header, fields, strict=True))
            elif any(field.strip() for field in fields):
                yield self._refuse(feed, self._wrong_width(fields))

    def _refuse(self, feed: _Feed, reason: str) -> Rejected:
        """Set aside one line; lines that a stray quote joined to it are read again."""
        number = feed.record[0][0]
        feed.again.extendleft(reversed(feed.record[1:]))
        return Rejected(f"{self.path.name}, line {number}", reason)

    def _refuse_undecoded(self, feed: _Feed) -> Rejected:
        first, last = feed.record[0][0], feed.record[-1][0]
        number, _, problem = next(line for line in feed.record if line[2])
        if first == last:
            return Rejected(f"{self.path.name}, line {number}", problem or "")
        place = f"{self.path.name}, lines {first} to {last}"
        return Rejected(place, f"in line {number}, {problem}")

    def _wrong_width(self, fields: list[str]) -> str:
        names = ", ".join(self.header)
        return (
            f"the row has {len(fields)} fields, but the first line names {len(self.header)} "
            f"({names}); put a text that contains {self._delimiter!r} in double quotes"
        )

    def _reader(self, feed: _Feed) -> Iterator[list[str]]:
        return csv.reader(feed, delimiter=self._delimiter, strict=True, skipinitialspace=True)

    def _likeliest(self) -> str:
        line = next((text for _, text, _ in read_lines(self.path, self._encoding)), "")
        counts = Counter(line)
        return max(DELIMITERS, key=lambda delimiter: counts[delimiter])

    def _header(self) -> tuple[str, ...]:
        feed = _Feed(read_lines(self.path, self._encoding))
        try:
            fields = next(self._reader(feed), None)
        except csv.Error as error:
            raise DataError(f"{self.path}, line 1: {_explained(error)}.") from error
        problem = next((problem for _, _, problem in feed.record if problem), None)
        if problem is not None:
            raise DataError(f"{self.path}, line 1: {problem}.")
        if not fields:
            raise DataError(f"{self.path} is empty; its first line must name the columns.")
        names = tuple(name.strip() or f"column_{n}" for n, name in enumerate(fields, 1))
        doubles = [name for name, count in Counter(names).items() if count > 1]
        if doubles:
            raise DataError(
                f"{self.path} has more than one column called {doubles[0]!r}; "
                "give each column a different name in the first line."
            )
        return names


class _Feed:
    """Passes lines to the csv module, keeps those of the current record, and can repeat them."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self.again: deque[Line] = deque()
        self.record: list[Line] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.again.popleft() if self.again else next(self._lines)
        self.record.append(line)
        return line[1]


def _explained(error: csv.Error) -> str:
    said = str(error)
    if "field limit" in said:
        limit = csv.field_size_limit()
        return f"a field is longer than {limit:,} characters; maybe a double quote is not closed"
    if "expected after" in said:
        return (
            "there is a double quote inside a quoted text; "
            'write it twice inside quotes, as in "a ""big"" dog"'
        )
    if "unexpected end" in said:
        return "a double quote is opened and never closed"
    return f"the row is not valid CSV ({said})"
