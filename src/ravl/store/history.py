"""History: numbered versions of a memory, who made them, and what each changed."""

from __future__ import annotations

import getpass
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from ravl.json_types import JsonObject

# The name that the history gets for what is done in this context, as by a server for its clients.
AUTHOR: ContextVar[str] = ContextVar("author", default="")


@dataclass(frozen=True, slots=True)
class Version:
    """One thing that somebody did.

    Args:
        number: counts up by one.
        at: when it began, UTC, ISO 8601.
        who: the operating system's user, or of what came over HTTP the name of the key.
        what: for example "index photos/" or "update shirt-17".
        added, updated, deleted: rows.
    """

    number: int
    at: str
    who: str
    what: str
    added: int
    updated: int
    deleted: int

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of a row between two versions.

    Args:
        id: of the row, as it was last.
        before, after: what users had put in, as JSON; None where it was not there.
    """

    id: str
    before: JsonObject | None
    after: JsonObject | None

    @property
    def fields(self) -> list[str]:
        """Names of what differs; of a row that was there all the time."""
        before, after = self.before or {}, self.after or {}
        return [name for name in {**before, **after} if before.get(name) != after.get(name)]

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return asdict(self)


def now() -> str:
    """The time, UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def author() -> str:
    """Who changes something: the one for whom it is done, or the operating system's user."""
    if name := AUTHOR.get():
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a user database
        return "unknown"


def after(moment: str) -> str:
    """The next moment that :func:`now` can give."""
    next_ = datetime.fromisoformat(moment) + timedelta(milliseconds=1)
    return next_.isoformat(timespec="milliseconds")
