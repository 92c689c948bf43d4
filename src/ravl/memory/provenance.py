"""What a source says of a row, beside what people and other sources said.

A source is read again and again: a folder that is synced, a table that was corrected. What it says
now replaces what it said before, and only that. So a cleared cell clears the label that it gave,
and a label that a person set stays. For this the memory keeps of each source what it said last of
each row, as hashes: enough to recognise it, and no copy of a text that somebody may delete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self, TypeVar

from ravl.data import QA, Example, Scalar
from ravl.data.text import nfc
from ravl.errors import MemoryFileError
from ravl.store.row import Row, texts_in
from ravl.untrusted import ADVICE, MOST_IN_CELL, damage_of, parse_json

T = TypeVar("T")
S = TypeVar("S", str | None, Scalar)


@dataclass(frozen=True, slots=True)
class Claim:
    """Hashes of what a source said of a row; None where it said nothing."""

    label: str | None = None
    texts: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    qa: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, example: Example) -> Self:
        """What an example says."""
        return cls(
            label=_hash_of(example.label) if example.label is not None else None,
            texts=tuple(map(_hash_of, example.texts)),
            tags=tuple(map(_hash_of, example.tags)),
            qa=tuple(map(_hash_of_qa, example.qa)),
            columns={name: _hash_of(value) for name, value in example.columns.items()},
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What :meth:`to_json` wrote.

        Raises:
            MemoryFileError: it is damaged.
        """
        with damage_of("What a source said of a row", ADVICE, MemoryFileError):
            record = parse_json(text, MOST_IN_CELL)
            lists = {name: texts_in(record.get(name, [])) for name in ("texts", "tags", "qa")}
            columns = {name: str(value) for name, value in record.get("columns", {}).items()}
            return cls(label=record.get("label"), columns=columns, **lists)

    def to_json(self) -> str:
        """As a short text."""
        fields = {name: getattr(self, name) for name in ("label", "texts", "tags", "qa", "columns")}
        return json.dumps({k: v for k, v in fields.items() if v}, separators=(",", ":"))


def source_name(name: str, captions: str | Path | None = None) -> str:
    """The name under which the claims of a source are kept: another folder is another source.

    Args:
        name: a path, or what else the source is called.
        captions: the table about the folder, if there is one: both together are one source.
    """
    found = str(Path(name).resolve()) if Path(name).exists() else name
    return found if captions is None else f"{found} with {Path(captions).resolve()}"


def merged(
    old: Row | None, example: Example, last: Claim | None = None, *, label_stays: bool = False
) -> Row:
    """The row after an example.

    Where the source has said something of the row before, what it takes back goes and what is new
    comes, but a field that somebody else has changed since stays. Otherwise what the example says
    replaces what was there, and what it does not say stays.

    Args:
        old: the row as it is, None for a new one.
        example: what the source says now.
        last: what the source said last, None for the first time.
        label_stays: True to keep a label that is there, the first time.
    """
    path = example.picture if isinstance(example.picture, Path) else None
    old = old or Row(0, example.id)
    row = replace(
        old,
        path=absolute(path) if path else old.path,
        source=old.source or example.source,
    )
    if last is None:
        keeps = example.label is None or (label_stays and old.label is not None)
        return replace(
            row,
            texts=example.texts or old.texts,
            label=old.label if keeps else example.label,
            tags=example.tags or old.tags,
            qa=example.qa or old.qa,
            columns={**old.columns, **example.columns},
        )
    return replace(
        row,
        texts=_list(old.texts, example.texts, last.texts, _hash_of),
        label=_value(old.label, example.label, last.label),
        tags=_list(old.tags, example.tags, last.tags, _hash_of),
        qa=_questions(old.qa, example.qa, last.qa),
        columns=_columns(old.columns, example.columns, last.columns),
    )


def contradicts(row: Row, example: Example) -> bool:
    """Whether a row keeps a value that its source says otherwise: a person has set it.

    Args:
        row: as it is after :func:`merged`.
        example: what the source says now.
    """
    label = None if example.label is None else nfc(example.label).strip()
    if label and row.label is not None and nfc(row.label).strip() != label:
        return True
    texts = {nfc(text) for text in row.texts}
    if any(nfc(text) not in texts for text in example.texts):
        return True
    pairs = ((row.columns.get(name), value) for name, value in example.columns.items())
    return any(
        old is not None and _hash_of(old) != _hash_of(new) for old, new in pairs if new is not None
    )


def _value(old: S, new: S, last: str | None) -> S:
    """The new value, where the old one is what the source said last."""
    untouched = (None if old is None else _hash_of(old)) == last
    return new if untouched else old


def _list(
    old: tuple[T, ...], new: tuple[T, ...], last: Sequence[str], hash_of: Callable[[T], str]
) -> tuple[T, ...]:
    """The old items without those that the source has taken back, and with its new ones."""
    hashes = [hash_of(item) for item in new]
    if hashes == list(last):
        return old
    if [hash_of(item) for item in old] == list(last):
        return new
    gone = set(last) - set(hashes)
    kept = [item for item in old if hash_of(item) not in gone]
    known = {*last, *map(hash_of, kept)}
    return (*kept, *(item for item, its in zip(new, hashes, strict=True) if its not in known))


def _questions(old: tuple[QA, ...], new: tuple[QA, ...], last: Sequence[str]) -> tuple[QA, ...]:
    """As :func:`_list`; a question that somebody else has answered since keeps that answer."""
    found: dict[str, QA] = {}
    for qa in _list(old, new, last, _hash_of_qa):
        found.setdefault(qa.question, qa)
    return tuple(found.values())


def _columns(
    old: Mapping[str, Scalar], new: Mapping[str, Scalar], last: Mapping[str, str]
) -> dict[str, Scalar]:
    names = dict.fromkeys((*old, *new))
    found = {name: _value(old.get(name), new.get(name), last.get(name)) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _hash_of(value: Scalar) -> str:
    # A number is the same one, read as 7 or as 7.0.
    number = isinstance(value, float) and value.is_integer()
    text = json.dumps(int(value) if number else value, ensure_ascii=False)  # type: ignore[arg-type]
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _hash_of_qa(qa: QA) -> str:
    return _hash_of(json.dumps([qa.question, *qa.answers], ensure_ascii=False))


def absolute(path: Path) -> Path:
    """A path that does not depend on the current folder."""
    return path if path.is_absolute() else Path.cwd() / path
