"""Filters as SQL. Values only ever reach SQLite as bound parameters."""

from __future__ import annotations

import json
import os
import sqlite3
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ravl.errors import FilterError
from ravl.store.filters import (
    LISTS,
    column_of,
    folded,
    name_of,
    number_in,
    parse_filter,
    value_of,
)

LIST_VALUES = {  # each list as a query for its values
    "tags": "SELECT value FROM json_each(rows.tags)",
    "texts": "SELECT value FROM json_each(rows.texts)",
    "questions": "SELECT json_extract(value, '$[0]') AS value FROM json_each(rows.qa)",
    "answers": "SELECT a.value FROM json_each(rows.qa) q, json_each(q.value, '$[1]') a",
}
TEXTS = ("id", "label", "source", "added", "changed")  # columns that hold nothing but texts
AS_NUMBER = "CASE typeof(value) WHEN 'text' THEN ravl_number(value) ELSE value END"

Sql = tuple[str, Sequence[object]]  # a condition, and what stands for its question marks


def add_functions(connection: sqlite3.Connection) -> None:
    """Give a connection the functions that filters call."""
    connection.create_function("ravl_folded", 1, _folded, deterministic=True)
    connection.create_function("ravl_number", 1, number_in, deterministic=True)


def compile_filter(expression: str, columns: frozenset[str], folder: Path) -> Sql:
    """The SQL condition on the table ``rows``, and its parameters.

    Args:
        expression: in the language of :mod:`ravl.store.filters`.
        columns: names of the user columns that exist.
        folder: that the stored paths are relative to.

    Raises:
        FilterError: it does not parse, is too long or too deep, or names an unknown column.
    """
    return _Compiler(columns, folder).compile(parse_filter(expression))


@dataclass(frozen=True)
class _Compiler:
    columns: frozenset[str]
    folder: Path

    def compile(self, tree: Any) -> Sql:
        """A node of the tree as a condition that is 0 or 1, never NULL."""
        kind, parts = tree.data, tree.children
        if kind in ("any", "all"):
            compiled = [self.compile(part) for part in parts]
            word = " OR " if kind == "any" else " AND "
            sql = word.join(sql for sql, _ in compiled)
            return f"({sql})", [v for _, values in compiled for v in values]
        if kind == "negation":
            sql, values = self.compile(parts[0])
            return f"NOT {sql}", values
        name, own = column_of(name_of(tree), self.columns)
        listed = not own and name in LISTS
        sign = str(parts[1]).replace("==", "=") if kind == "compare" else "="
        if listed and sign not in ("=", "!="):
            raise FilterError(
                f"{name!r} is a list and cannot be compared by {sign}. "
                f'Ask {name} has "x", {name} contains "x", or {name} is missing.'
            )
        wanted = [value_of(part) for part in parts[2 if kind == "compare" else 1 :]]
        if not own and name == "path" and kind != "contains":
            wanted = [self._shown(value) for value in wanted]
        each, values = self._values(name, own)
        if listed and kind in ("missing", "present"):
            return f"{'NOT ' if kind == 'missing' else ''}EXISTS ({each})", values
        texts = [value for value in wanted if isinstance(value, str)]
        equal = kind == "among" or (kind == "compare" and sign in ("=", "!="))
        if equal and not own and name in TEXTS and len(texts) == len(wanted):
            return _is_text(name, sign, texts)
        test, more = _test(kind, sign, wanted)
        negated = "NOT " if sign == "!=" else ""
        return f"{negated}EXISTS (SELECT 1 FROM ({each}) WHERE {test})", [*values, *more]

    def _values(self, name: str, own: bool) -> Sql:
        """The query for the value, or the values, of a column."""
        quoted = json.dumps(name, ensure_ascii=False)
        if own and quoted != f'"{name}"':  # a path of JSON cannot name it
            return "SELECT max(value) AS value FROM json_each(rows.columns) WHERE key = ?", [name]
        if own:
            return "SELECT json_extract(rows.columns, ?) AS value", [f"$.{quoted}"]
        if name in LISTS:
            return LIST_VALUES[name], []
        if name == "path":
            absolute = "rows.path GLOB '/*' OR rows.path GLOB '[A-Za-z]:*'"
            shown = f"CASE WHEN {absolute} THEN rows.path ELSE ? || rows.path END"
            return f"SELECT {shown} AS value", [os.path.join(self.folder, "")]  # noqa: PTH118
        return f"SELECT rows.{name} AS value", []

    def _shown(self, path: object) -> object:
        """A path of a filter as rows show it; it may be relative to the memory."""
        return os.path.join(self.folder, path) if isinstance(path, str) else path  # noqa: PTH118


def _is_text(name: str, sign: str, wanted: Sequence[str]) -> Sql:
    """Whether a column of texts is one of several texts, as an index can answer it."""
    forms = [form for each in wanted for form in _forms(each)]
    column = f"rows.{name}"
    # The first test makes a missing value false, as a NULL would make the condition NULL.
    test = f"({column} IS NOT NULL AND {column} IN ({_marks(forms)}))"
    return (f"NOT {test}" if sign == "!=" else test), forms


def _test(kind: str, sign: str, wanted: Sequence[object]) -> Sql:
    """A test of ``value``; NULL counts as false."""
    if kind == "missing":
        return "value IS NULL", []
    if kind == "present":
        return "value IS NOT NULL", []
    if kind in ("contains", "starts"):
        place = "> 0" if kind == "contains" else "= 1"
        return f"instr(ravl_folded(value), ?) {place}", [folded(str(wanted[0]))]
    if sign in ("=", "!="):
        return _is_one_of(wanted)
    if isinstance(wanted[0], str):  # SQLite sorts every text after every number
        return f"(typeof(value) = 'text' AND value {sign} ?)", wanted
    return f"{AS_NUMBER} {sign} ?", wanted


def _is_one_of(wanted: Sequence[object]) -> Sql:
    """Whether ``value`` is one of several; a text and a number may be the same number."""
    texts = [form for each in wanted if isinstance(each, str) for form in _forms(each)]
    in_texts = [n for text in texts if (n := number_in(text)) is not None]
    numbers = [each for each in wanted if not isinstance(each, str)]
    tests: list[Sql] = [
        (f"(typeof(value) = 'text' AND value IN ({_marks(texts)}))", texts),
        (f"(typeof(value) != 'text' AND value IN ({_marks(in_texts)}))", in_texts),
        (f"{AS_NUMBER} IN ({_marks(numbers)})", numbers),
    ]
    needed = [(sql, values) for sql, values in tests if values]
    return f"({' OR '.join(sql for sql, _ in needed)})", [v for _, vs in needed for v in vs]


def _forms(text: str) -> list[str]:
    """A text in NFC, and in NFD, which memories of older versions may hold."""
    return list(dict.fromkeys((text, unicodedata.normalize("NFD", text))))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _folded(value: object) -> str | None:
    return None if value is None else folded(str(value))
