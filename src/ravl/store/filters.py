"""Filters: a small, safe expression language over a memory's columns, made into SQL.

``price < 40 and (label = "shirt" or tags has "red") and not texts contains "dog"``

Values only ever reach SQLite as bound parameters. A comparison with a missing value is false, so
``not price < 40`` also finds rows without a price.
"""

from __future__ import annotations

import json
import sqlite3
from functools import lru_cache
from typing import Any

from ravl.errors import FilterError

GRAMMAR = r"""
?start: any
?any: all ("or"i all)*
?all: not ("and"i not)*
?not: "not"i not -> negation
    | "(" any ")"
    | test
?test: name COMPARISON value -> compare
    | name "has"i value      -> has
    | name "contains"i value -> contains
    | name "starts"i "with"i value -> starts
    | name "in"i "(" value ("," value)* ")" -> among
    | name "is"i "missing"i  -> missing
    | name "is"i "not"i "missing"i -> present
name: NAME | QUOTED
value: STRING | NUMBER | TRUE | FALSE
COMPARISON: "<=" | ">=" | "!=" | "==" | "=" | "<" | ">"
TRUE.2: /true\b/i
FALSE.2: /false\b/i
NAME: /(?!(and|or|not|in|is|has|contains|starts|with|missing|true|false)\b)[^\W\d][\w.]*/i
QUOTED: /`[^`]+`/
STRING: /"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/
NUMBER: /[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?(?![\w.])/i
%ignore /\s+/
"""

SCALARS = ("id", "label", "source", "path", "width", "height", "added", "changed")
LISTS = {  # each as a query for its values
    "tags": "SELECT value FROM json_each(rows.tags)",
    "texts": "SELECT value FROM json_each(rows.texts)",
    "questions": "SELECT json_extract(value, '$[0]') AS value FROM json_each(rows.qa)",
    "answers": "SELECT a.value FROM json_each(rows.qa) q, json_each(q.value, '$[1]') a",
}
LONGEST = 4000  # characters of a filter
DEEPEST = 40  # nested brackets and nots

Sql = tuple[str, list[Any]]


def compile_filter(expression: str, columns: frozenset[str]) -> Sql:
    """The SQL condition on the table ``rows``, and its parameters.

    Args:
        expression: in the language above.
        columns: names of the user columns that exist.

    Raises:
        FilterError: it does not parse, is too long or too deep, or names an unknown column.
    """
    from lark import Tree, UnexpectedInput

    if len(expression) > LONGEST:
        raise FilterError(
            f"The filter has {len(expression):,} characters; at most {LONGEST:,} are allowed."
        )
    if expression.count("(") + expression.lower().count("not") > DEEPEST:
        raise FilterError(f"The filter has more than {DEEPEST} brackets and nots; simplify it.")
    try:
        expression.encode()
        tree = _parser().parse(expression)
    except UnexpectedInput as error:
        ended = getattr(getattr(error, "token", None), "type", "") == "$END"
        at = error.pos_in_stream or 0
        place = "the end" if ended else repr(expression[at : at + 20])
        raise FilterError(
            f"The filter {expression!r} is not understood at {place}. "
            """Write for example: price < 40 and (label = "shirt" or tags has "red")."""
        ) from error
    except UnicodeEncodeError as error:
        reason = "holds half a character (a lone surrogate). Write it as UTF-8."
        raise FilterError(f"The filter {expression!r} {reason}") from error
    assert isinstance(tree, Tree)
    return _compile(tree, columns)


def matching_rows(
    connection: sqlite3.Connection, expression: str, columns: frozenset[str]
) -> list[int]:
    """Numbers of the rows that a filter lets through, ascending."""
    sql, values = compile_filter(expression, columns)
    found = connection.execute(f"SELECT row FROM rows WHERE {sql} ORDER BY row", values)
    return [row for (row,) in found]


@lru_cache(1)
def _parser() -> Any:
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", maybe_placeholders=False)


def _compile(tree: Any, columns: frozenset[str]) -> Sql:
    kind, parts = tree.data, tree.children
    if kind in ("any", "all"):
        compiled = [_compile(part, columns) for part in parts]
        word = " OR " if kind == "any" else " AND "
        return f"({word.join(sql for sql, _ in compiled)})", [v for _, vs in compiled for v in vs]
    if kind == "negation":
        sql, values = _compile(parts[0], columns)
        return f"NOT {sql}", values
    name = parts[0].children[0].strip("`")
    if name in LISTS:
        sql, values = _test_list(kind, LISTS[name], parts, name)
    else:
        column, values = _column(name, columns)
        sql, more = _test_scalar(kind, column, parts)
        values = values * sql.count(column) + more if values else more
    return f"COALESCE({sql}, 0)", values


def _column(name: str, columns: frozenset[str]) -> Sql:
    if name in SCALARS:
        return f"rows.{name}", []
    key = name.removeprefix("columns.") if name not in columns else name
    if key in columns:
        return "json_extract(rows.columns, ?)", [f"$.{json.dumps(key, ensure_ascii=False)}"]
    known = ", ".join(sorted({*SCALARS, *LISTS, *columns}))
    raise FilterError(f"There is no column {name!r} to filter by. There are: {known}.")


def _test_scalar(kind: str, column: str, parts: list[Any]) -> Sql:
    if kind == "missing":
        return f"{column} IS NULL", []
    if kind == "present":
        return f"{column} IS NOT NULL", []
    if kind == "among":
        values = [_value(part) for part in parts[1:]]
        return f"{column} IN ({', '.join('?' * len(values))})", values
    if kind in ("contains", "starts"):
        place = "> 0" if kind == "contains" else "= 1"
        return f"instr(lower({column}), lower(?)) {place}", [str(_value(parts[1]))]
    if kind == "has":
        return f"{column} = ?", [_value(parts[1])]
    sign, value = str(parts[1]).replace("==", "="), _value(parts[2])
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


def _value(tree: Any) -> Any:
    token = tree.children[0]
    if token.type == "STRING":
        text = str(token)[1:-1]
        return text.replace("\\" + token[0], token[0]).replace("\\\\", "\\")
    if token.type == "NUMBER":
        number = float(token)
        return int(token) if token.lstrip("+-").isdigit() and abs(number) < 2**63 else number
    return token.type == "TRUE"
