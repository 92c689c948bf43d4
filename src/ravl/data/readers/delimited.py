"""CSV and TSV: records of named fields; a broken record does not affect the others."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ravl.data.example import Rejected
from ravl.data.readers.columns import refuse_doubles
from ravl.data.readers.lines import Line, read_lines
from ravl.errors import DataError

DELIMITERS = ",;\t|"
_SEPARATOR = re.compile(r'"?sep=(.)"?', re.IGNORECASE)

Record = tuple[int, dict[str, str]]
"""Number of its first line, and its fields by column name."""


class Delimited:
    """A CSV or TSV file.

    Args:
        path: the file. Its first line that is not blank names the columns. ``.tsv`` is separated by
            tabs, other files by the most frequent of ``, ; | tab`` in that line. A line ``sep=;``
            before it, as Excel reads it, names another separator.
        encoding: a codec's name; None means UTF-8.

    Raises:
        DataError: if the file is empty, or two columns have the same name.
    """

    def __init__(self, path: Path, encoding: str | None) -> None:
        self.path = path
        self._encoding = encoding
        self._first, self.delimiter = self._beginning()
        self.header = self._header()

    def __iter__(self) -> Iterator[Record | Rejected]:
        feed = _Feed(self._lines())
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
            f"({names}); put a text that contains {self.delimiter!r} in double quotes"
        )

    def _reader(self, feed: _Feed) -> Iterator[list[str]]:
        return csv.reader(feed, delimiter=self.delimiter, strict=True, skipinitialspace=True)

    def _lines(self) -> Iterator[Line]:
        """The lines from the header on."""
        return islice(read_lines(self.path, self._encoding), self._first, None)

    def _beginning(self) -> tuple[int, str]:
        """How many lines come before the header, and the separator."""
        separator = "\t" if self.path.suffix.lower() == ".tsv" else None
        lines = read_lines(self.path, self._encoding)
        for number, text, _ in lines:
            told = _SEPARATOR.fullmatch(text.strip(" \r\n"))
            if told is not None:
                separator = told.group(1)
            elif text.strip(f" \r\n{DELIMITERS}"):
                counts = Counter(text)
                likeliest = max(DELIMITERS, key=lambda delimiter: counts[delimiter])
                return number - 1, separator or likeliest
        return 0, separator or DELIMITERS[0]

    def _header(self) -> tuple[str, ...]:
        feed = _Feed(self._lines())
        line = self._first + 1
        try:
            fields = next(self._reader(feed), None)
        except csv.Error as error:
            raise DataError(f"{self.path}, line {line}: {_explained(error)}.") from error
        problem = next((problem for _, _, problem in feed.record if problem), None)
        if problem is not None:
            raise DataError(f"{self.path}, line {line}: {problem}.")
        if not fields:
            raise DataError(f"{self.path} is empty; its first line must name the columns.")
        written = (unicodedata.normalize("NFC", name.strip()) for name in fields)
        names = tuple(name or f"column_{n}" for n, name in enumerate(written, 1))
        refuse_doubles(self.path, names)
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
    reason = str(error)
    if "field limit" in reason:
        limit = csv.field_size_limit()
        return f"a field is longer than {limit:,} characters; maybe a double quote is not closed"
    if "expected after" in reason:
        return (
            "there is a double quote inside a quoted text; "
            'write it twice inside quotes, as in "a ""big"" dog"'
        )
    if "unexpected end" in reason:
        return "a double quote is opened and never closed"
    return f"the row is not valid CSV ({reason})"
