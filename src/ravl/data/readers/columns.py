"""Find the columns of a table by their names."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ravl.errors import DataError

IMAGE = ("image", "picture", "file", "file_name", "filename", "path", "filepath", "image_path")
TEXTS = ("caption", "captions", "text", "texts", "description")
QUESTION = "question"
NEEDED = (
    "A table needs a column of pictures or of texts. Give the column of the pictures' paths "
    "with --image-column NAME, or a column of texts with --text-column NAME"
)


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """The names of the columns of a table.

    None means the usual names, in upper or lower case, with blanks or hyphens for underscores; ""
    means that there is no such column.

    Args:
        image: the picture's path (or bytes). Usual: image, picture, file, file_name, filename,
            path, filepath, image_path.
        id: the row's id. Usual: id; without one, the picture's path is the id.
        label: its class. Usual: label, class.
        tags: its keywords. Usual: tags, keywords.
        texts: one or several columns of texts. Usual: caption, captions, text, texts, description.
        question: a question about the picture. Usual: question.
        answer: the answer or answers to the question. Usual: answer and answers.
    """

    image: str | None = None
    id: str | None = None
    label: str | None = None
    tags: str | None = None
    texts: str | tuple[str, ...] = ()
    question: str | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one table by their content; ``others`` are the user's own columns."""

    image: str | None
    id: str | None
    label: str | None
    tags: str | None
    texts: tuple[str, ...]
    question: str | None
    answers: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def enough(self) -> bool:
        """Whether rows of this table can be examples."""
        return bool(self.image or self.texts)


def lay_out(names: ColumnNames, found: Sequence[str]) -> Layout:
    """Find the columns of a table; a missing column is None or ()."""
    by_name = {_plain(name): name for name in reversed(found)}

    def pick(wanted: str | None, usual: Iterable[str]) -> str | None:
        if wanted is not None:
            return wanted if wanted in found else None
        return next((by_name[name] for name in usual if name in by_name), None)

    def pick_all(wanted: Iterable[str], usual: Iterable[str]) -> tuple[str, ...]:
        if wanted:
            return tuple(name for name in wanted if name in found)
        return tuple(by_name[name] for name in usual if name in by_name)

    image = pick(names.image, IMAGE)
    id = pick(names.id, ("id",))
    label = pick(names.label, ("label", "class"))
    tags = pick(names.tags, ("tags", "keywords"))
    texts = pick_all(_as_tuple(names.texts), TEXTS)
    question = pick(names.question, (QUESTION,))
    answers = pick_all(() if names.answer is None else (names.answer,), ("answer", "answers"))
    taken = {image, id, label, tags, question, *texts, *answers}
    others = tuple(name for name in found if name not in taken)
    return Layout(image, id, label, tags, texts, question, answers, others)


def check(names: ColumnNames, found: Sequence[str], where: str) -> Layout:
    """The layout of a table. Named columns and the necessary columns must exist.

    Raises:
        DataError: if a named column is missing, or the table has neither pictures nor texts.
    """
    single = (names.image, names.id, names.label, names.tags, names.question, names.answer)
    there = f"{where} has the columns {', '.join(found) or '(none)'}"
    for name in (*single, *_as_tuple(names.texts)):
        if name and name not in found:
            raise DataError(f"{there}, but no column {name!r}. Names must match exactly.")
    layout = lay_out(names, found)
    if not layout.enough:
        usual = f"usual names are {', '.join(IMAGE)}; {', '.join(TEXTS)}"
        raise DataError(f"{there}. {NEEDED} ({usual}).")
    return layout


def refuse_doubles(path: Path, found: Sequence[str]) -> None:
    """Refuse a table in which two columns have the same name: one would replace the other.

    Raises:
        DataError: they have.
    """
    doubles = [name for name, count in Counter(found).items() if count > 1]
    if doubles:
        raise DataError(
            f"{path} has more than one column called {doubles[0]!r}; give each column a different "
            "name."
        )


def _plain(name: str) -> str:
    """The name as the usual names are written: ``File Name`` is ``file_name``."""
    return re.sub(r"[\s_-]+", "_", unicodedata.normalize("NFKC", name).strip().casefold())


def _as_tuple(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names
