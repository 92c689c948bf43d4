"""Filters: a small, safe expression language over a memory's columns.

``price < 40 and (label = "shirt" or tags has "red") and not texts contains "dog"``

A comparison with a missing value is false, so ``not price < 40`` also finds rows without a price.
Each store compiles the tree of a filter for itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ravl.errors import FilterError

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

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
LISTS = ("tags", "texts", "questions", "answers")
LONGEST = 4000  # characters of a filter
DEEPEST = 40  # nested brackets and nots


def parse_filter(expression: str) -> Tree[Token]:
    """A filter as a tree, with the rules of ``GRAMMAR`` as its nodes.

    Raises:
        FilterError: it does not parse, or is too long or too deep.
    """
    from lark import UnexpectedInput

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
    return tree


def name_of(test: Tree[Token]) -> str:
    """The name that a test asks about."""
    return str(test.children[0].children[0]).strip("`")  # type: ignore[union-attr]


def column_of(name: str, columns: frozenset[str]) -> str | None:
    """The column of the user's own that a name means; None where it is one of ``SCALARS``.

    Args:
        name: in a filter, perhaps with ``columns.`` before it.
        columns: names of the user columns that exist.

    Raises:
        FilterError: there is no such column.
    """
    if name in SCALARS:
        return None
    key = name.removeprefix("columns.") if name not in columns else name
    if key in columns:
        return key
    known = ", ".join(sorted({*SCALARS, *LISTS, *columns}))
    raise FilterError(f"There is no column {name!r} to filter by. There are: {known}.")


def value_of(tree: Any) -> Any:
    """The value that a test compares with."""
    token = tree.children[0]
    if token.type == "STRING":
        text = str(token)[1:-1]
        return text.replace("\\" + token[0], token[0]).replace("\\\\", "\\")
    if token.type == "NUMBER":
        number = float(token)
        return int(token) if token.lstrip("+-").isdigit() and abs(number) < 2**63 else number
    return token.type == "TRUE"


@lru_cache(1)
def _parser() -> Lark:
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", maybe_placeholders=False)
