"""Filters as SQL. Values only ever reach SQLite as bound parameters."""

from __future__ import annotations

import json
from typing import Any

from ravl.errors import FilterError
from ravl.store.filters import column_of, name_of, parse_filter, value_of

LISTS = {  # each as a query for its values
    "tags": "SELECT value FROM json_each(rows.tags)",
    "texts": "SELECT value FROM json_each(rows.texts)",
    "questions": "SELECT json_extract(value, '$[0]') AS value FROM json_each(rows.qa)",
    "answers": "SELECT a.value FROM json_each(rows.qa) q, json_each(q.value, '$[1]') a",
}

Sql = tuple[str, list[Any]]


def compile_filter(expression: str, columns: frozenset[str]) -> Sql:
    """The SQL condition on the table ``rows``, and its parameters.

    Args:
        expression: in the language of :mod:`ravl.store.filters`.
        columns: names of the user columns that exist.

    Raises:
        FilterError: it does not parse, is too long or too deep, or names an unknown column.
    """
    return _compile(parse_filter(expression), columns)


def _compile(tree: Any, columns: frozenset[str]) -> Sql:
    kind, parts = tree.data, tree.children
    if kind in ("any", "all"):
        compiled = [_compile(part, columns) for part in parts]
        word = " OR " if kind == "any" else " AND "
        return f"({word.join(sql for sql, _ in compiled)})", [v for _, vs in compiled for v in vs]
    if kind == "negation":
        sql, values = _compile(parts[0], columns)
        return f"NOT {sql}", values
    name = name_of(tree)
    if name in LISTS:
        sql, values = _test_list(kind, LISTS[name], parts, name)
    else:
        column, values = _column(name, columns)
        sql, more = _test_scalar(kind, column, parts)
        values = values * sql.count(column) + more if values else more
    return f"COALESCE({sql}, 0)", values


def _column(name: str, columns: frozenset[str]) -> Sql:
    own = column_of(name, columns)
    if own is None:
        return f"rows.{name}", []
    return "json_extract(rows.columns, ?)", [f"$.{json.dumps(own, ensure_ascii=False)}"]


def _test_scalar(kind: str, column: str, parts: list[Any]) -> Sql:
    if kind == "missing":
        return f"{column} IS NULL", []
    if kind == "present":
        return f"{column} IS NOT NULL", []
    if kind == "among":
        values = [value_of(part) for part in parts[1:]]
        return f"{column} IN ({', '.join('?' * len(values))})", values
    if kind in ("contains", "starts"):
        place = "> 0" if kind == "contains" else "= 1"
        return f"instr(lower({column}), lower(?)) {place}", [str(value_of(parts[1]))]
    if kind == "has":
        return f"{column} = ?", [value_of(parts[1])]
    sign, value = str(parts[1]).replace("==", "="), value_of(parts[2])
    if sign == "!=":
        return f"{column} IS NOT ?", [value]
    # SQLite sorts every text after every number; here they are not comparable.
    type_ = (
        "typeof({0}) = 'text'" if isinstance(value, str) else "typeof({0}) IN ('integer', 'real')"
    )
    return f"({type_.format(column)} AND {column} {sign} ?)", [value]


def _test_list(kind: str, each: str, parts: list[Any], name: str) -> Sql:
    if kind in ("missing", "present"):
        return f"{'NOT ' if kind == 'missing' else ''}EXISTS ({each})", []
    negate = ""
    if kind == "compare":
        if parts[1] not in ("=", "==", "!="):
            raise FilterError(
                f"{name!r} is a list and cannot be compared by {parts[1]}. "
                f'Ask {name} has "x", {name} contains "x", or {name} is missing.'
            )
        negate = "NOT " if parts[1] == "!=" else ""
        kind, parts = "has", [parts[0], parts[2]]
    test, values = _test_scalar(kind, "value", parts)
    return f"{negate}EXISTS (SELECT 1 FROM ({each}) WHERE {test})", values
