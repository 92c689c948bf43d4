"""The interface of readers, and their options."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Protocol, runtime_checkable

from ravl.data.example import Example, Rejected
from ravl.data.readers.columns import ColumnNames
from ravl.data.staging import Row, Staging
from ravl.errors import DataError


class Source(Protocol):
    """A source of examples; it can be iterated several times.

    Attributes:
        name: the path or name that was opened, for messages.
        total: the number of examples, for an estimate of the time; None if unknown. A table knows
            it once its rows are grouped, that is from the first example on.

    A source may also have ``skipped``, a mapping: how many items of each kind it did not read, for
    example files of a folder that are no pictures.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def total(self) -> int | None: ...  # noqa: D102

    def __iter__(self) -> Iterator[Example | Rejected]: ...


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Options of readers; :func:`ravl.data.read` explains each."""

    columns: ColumnNames = field(default_factory=ColumnNames)
    root: Path | None = None
    encoding: str | None = None
    captions: Path | None = None
    folder_labels: bool | None = None
    annotations: Path | None = None
    picture_pattern: str | None = None
    split: str | None = None

    def allow_only(self, what: str, *allowed: str) -> None:
        """Refuse options that a source has no use for: such a mistake should not pass in silence.

        Args:
            what: the kind of source, for the message: "a table".
            allowed: names of the options that it takes.

        Raises:
            DataError: another option is set.
        """
        usual = ReadOptions()
        for option in fields(self):
            name = option.name
            if name not in allowed and getattr(self, name) != getattr(usual, name):
                listed = f"allowed are {', '.join(allowed)}" if allowed else "it takes no options"
                raise DataError(f"The option {name} does not belong to {what}; {listed}.")


@runtime_checkable
class Reader(Protocol):
    """Opens one kind of source; what an entry point of the group ``ravl.readers`` names."""

    def accepts(self, source: str | Path) -> bool:
        """Whether it reads this source. It looks at the name, at most at a few bytes or files.

        Readers are asked in turn, so this must be quick, import nothing large, and answer False
        for a path that does not exist.

        Args:
            source: what :func:`ravl.data.read` was given: a path, or a name such as ``hf:mnist``.
        """

    def open(self, source: str | Path, options: ReadOptions) -> Source:
        """The examples of a source that it accepts.

        Raises:
            DataError: the source lacks what it needs, or an option does not belong to it.
        """


class GroupedSource(ABC):
    """A source whose rows are grouped by id on disk: several rows can describe one picture.

    Args:
        name: the path or name that was opened.
        where: the name in front of a line number: "shop.csv".
    """

    def __init__(self, name: str, where: str) -> None:
        self.name = name
        self.where = where
        self.total: int | None = None

    def __iter__(self) -> Iterator[Example | Rejected]:
        with Staging(self.where) as staging:
            yield from staging.fill(self.rows())
            self.total = len(staging)
            for row in staging:
                yield row if isinstance(row, Rejected) else self.finish(row)

    @abstractmethod
    def rows(self) -> Iterator[Row | Rejected]:
        """Every row of the source, in its order."""

    @abstractmethod
    def finish(self, row: Row) -> Example | Rejected:
        """A joined row as an example with its picture."""

    def example(self, row: Row, picture: Path | bytes | None) -> Example:
        """The row as an example with this picture."""
        source = row.source or f"{self.where}, {row.place}"
        return Example(row.id, picture, row.texts, row.label, row.tags, row.qa, row.columns, source)
