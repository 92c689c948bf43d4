"""Convert a cell or a JSON value to a number, a list of texts, tags, or answers."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal

from ravl.data.example import QA, Scalar
from ravl.data.text import nfc
from ravl.json_types import JsonRecord
from ravl.untrusted import parse_json

# names that datasets use for the text in an object
_TEXT_KEYS = ("raw", "caption", "text", "answer")
_QA_ALLOWED = '"qa" must be a list of {"question": ..., "answers": [...]}'
LARGEST = 2**63 - 1  # of SQLite's and Parquet's integers
SEPARATORS = ";|,"  # of tags; the first one that a text contains


def scalar(value: object) -> Scalar:
    """A value of JSON, Parquet or Arrow as a value of a column; bytes are left out.

    Lists and objects become their JSON text, dates their ISO text, NaN is missing. A whole number
    is an int: pandas turns a column of them into floats if one is missing.
    """
    if isinstance(value, str):
        return nfc(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST else str(value)
    if isinstance(value, float | Decimal):
        return _number(value) if math.isfinite(value) else None
    if isinstance(value, bytes | bytearray | memoryview):
        return None
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=_text)
    return _text(value)


def strings(value: object) -> list[str]:
    """Texts from a text, a list, a list written as text, or objects that contain the text.

    Duplicates stay: the answers of ten people to a question are a count.
    """
    if isinstance(value, str):
        word = nfc(value).strip()
        found = listed(word)
        return [word] if found is None and word else found or []
    if isinstance(value, Mapping):
        for key in _TEXT_KEYS:
            if key in value:
                return strings(value[key])
        return [text for item in value.values() if isinstance(item, str) for text in strings(item)]
    if isinstance(value, list | tuple):
        words = [[nfc(item).strip()] if isinstance(item, str) else strings(item) for item in value]
        return [word for each in words for word in each if word]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return []
    return [_text(value)]


def tags(value: object, separator: str | None = None) -> list[str]:
    """Keywords from a list, or from a text such as "a; b", "a | b" or "a, b"; no duplicates.

    Args:
        value: a list, the text of a list, or a text with separators.
        separator: between the keywords of a text. Default: the first of ``; | ,`` in the text.
    """
    words = strings(value)
    if isinstance(value, str) and listed(value.strip()) is None and words:
        separator = separator or next((s for s in SEPARATORS if s in value), ",")
        words = [word.strip() for word in words[0].split(separator)]
    return list(dict.fromkeys(word for word in words if word))


def one(value: object, name: str) -> str | None:
    """A single text, as a label or an id must be.

    Raises:
        ValueError: if the value is a list of several texts.
    """
    found = strings(value)
    if len(found) > 1:
        raise ValueError(
            f"{name!r} has {len(found)} values, among them {found[0]!r} and {found[1]!r}; "
            "only one is allowed. Put several keywords into tags"
        )
    return found[0] if found else None


def mapping(value: object) -> Mapping[str, object] | None:
    """An object, or the object in a JSON text; None if the value is something else."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = parse_json(value)
        except ValueError:
            return None
    return value if isinstance(value, Mapping) else None


def questions(value: object) -> list[QA]:
    """Questions with answers from a list of {"question", "answers"}, or its JSON text.

    Raises:
        ValueError: if the value has another form.
    """
    try:
        listed = parse_json(value or "[]") if isinstance(value, str) else value or []
    except ValueError:
        listed = None
    if not isinstance(listed, list | tuple):
        raise ValueError(_QA_ALLOWED)
    found: list[QA] = []
    for item in listed:
        question = strings(item.get("question")) if isinstance(item, Mapping) else []
        if len(question) != 1:
            raise ValueError(_QA_ALLOWED)
        found.append(QA(question[0], answers(item.get("answers"), item.get("answer"))))
    return found


def exported_questions(listed: Iterable[JsonRecord]) -> list[QA]:
    """Questions as ravl exported them.

    Raises:
        ValueError: if the list has another form.
    """
    try:
        found = [QA(item["question"], tuple(item["answers"])) for item in listed]
    except (KeyError, TypeError) as error:
        raise ValueError(_QA_ALLOWED) from error
    if not all(isinstance(text, str) for qa in found for text in (qa.question, *qa.answers)):
        raise ValueError(_QA_ALLOWED)
    return found


def answers(listed: object, best: object) -> tuple[str, ...]:
    """Answers to one question: the best answer, then the others in their order."""
    first, others = strings(best), strings(listed)
    missing = [answer for answer in first if answer not in others]
    return tuple(sorted(missing + others, key=lambda answer: answer not in first))


def by_frequency(given: list[str]) -> list[str]:
    """Answers sorted by frequency, the most frequent first; all answers are kept."""
    counts = {answer: given.count(answer) for answer in given}
    order = {answer: place for place, answer in enumerate(counts)}
    return sorted(given, key=lambda answer: (-counts[answer], order[answer]))


def listed(word: str) -> list[str] | None:
    """The texts of a list that is written as text, in JSON or as pandas does.

    Args:
        word: the text, without blanks around it.

    Returns:
        None if the text is not a list of texts.
    """
    if not (word.startswith("[") and word.endswith("]")):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(word)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(found, list) and all(isinstance(item, str) for item in found):
            return [text for item in found if (text := item.strip())]
    return None


def _number(value: float | Decimal) -> int | float:
    number = float(value)
    return int(value) if number.is_integer() and abs(number) <= LARGEST else number


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal) and math.isfinite(value):
        return str(_number(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return "" if isinstance(value, bytes | bytearray | memoryview) else str(value)
