"""Filters: a small, safe expression language over a memory's columns.

``price < 40 and (label = "shirt" or tags has "red") and not texts contains "dog"``

A test of a missing value is false, so ``not price < 40`` also finds rows without a price. ``!=`` is
``not ... =``. A number and a text are equal if the text is that number: 7 and ``"7"``. Each store
compiles the tree of a filter for itself.
"""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches
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
QUOTED: /`([^`]|``)+`/
STRING: /"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/
NUMBER: /[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?(?![\w.])/i
%ignore /\s+/
"""

SCALARS = ("id", "label", "source", "path", "width", "height", "added", "changed")
LISTS = ("tags", "texts", "questions", "answers")
OWN = "columns."  # before the name of a column of the user's own
OURS = "row."  # before one of ``SCALARS`` and ``LISTS``
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
LONGEST = 4000  # characters of a filter
LONGEST_NUMBER = 40  # characters of a text that may be a number
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
        return _parser().parse(unicodedata.normalize("NFC", expression))
    except UnexpectedInput as error:
        ended = getattr(getattr(error, "token", None), "type", "") == "$END"
        at = error.pos_in_stream or 0
        place = "the end" if ended else repr(expression[at : at + 20])
        raise FilterError(
            f"The filter {expression!r} is not understood at {place}. {_hint(expression, at)}"
        ) from error
    except UnicodeEncodeError as error:
        reason = "holds half a character (a lone surrogate). Write it as UTF-8."
        raise FilterError(f"The filter {expression!r} {reason}") from error


def _hint(expression: str, at: int) -> str:
    """What to write instead of what the parser found at a place."""
    before, after = expression[:at].rstrip(), expression[at:]
    word = re.match(r"[^\W\d][\w-]*", after)
    if after[:1] in tuple("“”„«»‘’"):
        return "Use straight quotes: \"shirt\" or 'shirt'."
    if word and re.search(r"[=<>(,]$|\b(has|contains|with)$", before, re.IGNORECASE):
        return f'Put a text in quotes: "{word[0]}".'
    if re.match(r",\d", after) and before[-1:].isdigit():
        return "Write a number with a point: 34.90."
    if word and re.search(r"[\w`]$", before):
        return "Put a name with blanks in backticks: `unit price` < 40."
    return """Write for example: price < 40 and (label = "shirt" or tags has "red")."""


def name_of(test: Tree[Token]) -> str:
    """The name that a test asks about."""
    token = test.children[0].children[0]  # type: ignore[union-attr]
    return str(token)[1:-1].replace("``", "`") if token.type == "QUOTED" else str(token)  # type: ignore[union-attr]


def names_in(expression: str) -> set[str]:
    """All names that a filter asks about, as they are written in it; raises as parse_filter."""
    return {name_of(test) for test in parse_filter(expression).find_pred(_names_one)}


def _names_one(tree: Tree[Token]) -> bool:
    first = tree.children[0] if tree.children else None
    return getattr(first, "data", None) == "name"


def column_of(name: str, columns: frozenset[str]) -> tuple[str, bool]:
    """The column that a name means, and whether it is one of the user's own.

    Args:
        name: in a filter, perhaps with ``columns.`` or ``row.`` before it.
        columns: names of the user columns that exist.

    Raises:
        FilterError: there is no such column, or both ravl and the user have one.
    """
    ours = (*SCALARS, *LISTS)
    own = {unicodedata.normalize("NFC", each): each for each in columns}
    if name in own:
        if name in ours:
            raise FilterError(
                f"{name!r} is a column of your own as well as one of ravl's. Write "
                f"{OWN}{name} for yours, {OURS}{name} for ravl's."
            )
        return own[name], True
    if name in ours:
        return name, False
    if name.removeprefix(OWN) in own:
        return own[name.removeprefix(OWN)], True
    if name.startswith(OURS) and name.removeprefix(OURS) in ours:
        return name.removeprefix(OURS), False
    known = sorted({*ours, *columns})
    lower = {each.casefold(): each for each in known}
    near = get_close_matches(name.removeprefix(OWN).casefold(), lower, 1)
    meant = f" Did you mean {lower[near[0]]!r}?" if near else ""
    raise FilterError(
        f"There is no column {name!r} to filter by.{meant} There are: {', '.join(known)}."
    )


def folded(text: str) -> str:
    """A text in the form in which ``contains`` and ``starts with`` compare it."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def number_in(text: str) -> float | int | None:
    """The number that a text is; None if it is not a number."""
    if len(text) > LONGEST_NUMBER or NUMBER.fullmatch(text) is None:
        return None
    number = float(text)
    return int(text) if text.lstrip("-").isdigit() and abs(number) < 2**63 else number


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
