"""What the cells of a CSV file mean. One rule holds for a whole column, since a cell is only text.

``1.10`` is a price beside ``34.90``, and a version beside ``1.9``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping

from ravl.data.example import Scalar
from ravl.data.readers.values import LARGEST, SEPARATORS, listed
from ravl.data.text import nfc

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE][+-]?[0-9]+)?")
_CODE = re.compile(r"-?[0-9]+[eE][0-9]+")  # programs write 1e+05; 1e5 is an article number
_COMMA = re.compile(r"-?(?:0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:\.[0-9]{3})+)(?:,([0-9]+))?")
_THOUSANDS = re.compile(r"-?[1-9][0-9]{0,2}(?:,[0-9]{3})?")  # 1,234 is 1234 or 1.234
_WHOLE = re.compile(r"-?[0-9]+\.0")
_BOOLS = {"true": True, "false": False}
_MISSING = frozenset(("na", "n/a", "#n/a", "nan", "null", "none"))


def infer(cell: str) -> Scalar:
    """The value of one cell alone: 12, 3.5, true, None if it is blank; otherwise its text."""
    column = Column()
    column.add(cell)
    return column.value(cell)


class Column:
    """The type of a column: numbers, numbers with a decimal comma, true and false, or texts.

    A column is of numbers only if each of its cells is one; ``NA``, ``NaN``, ``null`` and ``None``
    are then missing values. These are texts, as they are written: ``007``, ``1e5``, a number that a
    computer cannot keep, and a column with ``1.10`` beside ``1.9``.

    Args:
        comma: True if a comma is a decimal comma even in a column that has only numbers such as
            ``1,234``, which otherwise stay texts.
    """

    def __init__(self, *, comma: bool = False) -> None:
        self._bools = True
        self._points = _Numbers(_NUMBER, str, _CODE)
        self._commas = _Numbers(_COMMA, _with_point)
        self._unclear = not comma
        self._whole = True
        self._filled = self._blank = False

    def add(self, cell: str) -> None:
        """Take one more cell into account."""
        word = cell.strip()
        self._blank |= not word
        if not word or word.lower() in _MISSING:
            return
        self._filled = True
        self._bools = self._bools and word.lower() in _BOOLS
        self._points.add(word)
        self._commas.add(word)
        self._unclear = self._unclear and _THOUSANDS.fullmatch(word) is not None
        self._whole = self._whole and _WHOLE.fullmatch(word) is not None

    def value(self, cell: str) -> Scalar:
        """The value of one of the cells."""
        word = cell.strip()
        if not word:
            return None
        read = self._reader()
        if read is None:
            return nfc(word)
        return None if word.lower() in _MISSING else read(word)

    def name(self, cell: str) -> str:
        """One of the cells as a label or an id: its text, but ``7`` for ``7.0``.

        pandas writes whole numbers as ``7.0`` if the column has missing values.
        """
        word = cell.strip()
        return word.removesuffix(".0") if self._filled and self._blank and self._whole else word

    def _reader(self) -> Callable[[str], Scalar] | None:
        """What reads a cell that has a value; None if the column is of texts."""
        if not self._filled:
            return None
        if self._bools:
            return lambda word: _BOOLS[word.lower()]
        if self._points.are_numbers and not self._points.may_be_versions:
            return self._points.read
        if self._commas.are_numbers and not self._unclear:
            return self._commas.read
        return None


class _Numbers:
    """Whether all words of a column are numbers of one form.

    Args:
        form: of a number; its group is the decimals.
        plain: converts such a number to the form that Python reads.
        codes: what has the form of a number and is not one.
    """

    def __init__(
        self,
        form: re.Pattern[str],
        plain: Callable[[str], str],
        codes: re.Pattern[str] | None = None,
    ) -> None:
        self._form = form
        self._plain = plain
        self._codes = codes
        self._all = True
        self._lengths: set[int] = set()  # of decimals
        self._padded = False  # some number is not written in the shortest way: 1.10

    def add(self, word: str) -> None:
        """Take one more word into account."""
        if not self._all:
            return
        found = self._form.fullmatch(word)
        if found is None or (self._codes is not None and self._codes.fullmatch(word)):
            self._all = False
            return
        decimals = found.group(1) or ""
        self._padded |= len(decimals) > 1 and decimals.endswith("0")
        if decimals:
            self._lengths.add(len(decimals))
        self._all = _is_kept(self._plain(word))

    def read(self, word: str) -> Scalar:
        """The number; a whole one is an int, also if it is written as ``7.0``."""
        plain = self._plain(word).removesuffix(".0")
        return int(plain) if plain.removeprefix("-").isdecimal() else float(plain)

    @property
    def are_numbers(self) -> bool:
        """True if every word is a number."""
        return self._all

    @property
    def may_be_versions(self) -> bool:
        """True for 1.10 beside 1.9: a program would write 1.1, a price list 1.90."""
        return self._padded and len(self._lengths) > 1


class Cells:
    """The types of the columns of a table, from one pass over it.

    Args:
        records: of the table, all of them.
        names: of the columns whose types are asked for.
        tags: the column of tags; its separator is the first of ``; | ,`` that it contains.
        comma: see :class:`Column`.
    """

    def __init__(
        self,
        records: Iterable[Mapping[str, str]],
        names: Iterable[str],
        tags: str | None,
        *,
        comma: bool,
    ) -> None:
        self._columns = {name: Column(comma=comma) for name in names}
        found: set[str] = set()
        for record in records if self._columns or tags is not None else ():
            for name, column in self._columns.items():
                column.add(record[name])
            if tags is not None and listed(record[tags].strip()) is None:
                found.update(s for s in SEPARATORS if s in record[tags])
        self.separator = next((s for s in SEPARATORS if s in found), ",")

    def value(self, name: str, cell: str) -> Scalar:
        """The value of a cell of a column."""
        return self._columns[name].value(cell)

    def name(self, name: str, cell: str) -> str:
        """A cell of a column as a label or an id."""
        return self._columns[name].name(cell)


def _with_point(word: str) -> str:
    return word.replace(".", "").replace(",", ".")


def _is_kept(plain: str) -> bool:
    """Whether a store can keep this number."""
    if plain.removeprefix("-").isdecimal():
        return len(plain) < 21 and abs(int(plain)) <= LARGEST
    return math.isfinite(float(plain))
