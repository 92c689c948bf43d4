"""Where a server's answer comes from, and the records that say so beside what they say locally."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ravl.retrieval import Hit, Hits
from ravl.runs.answers import Classification, Tagging
from ravl.tasks.ask.results import Reply
from ravl.tasks.caption.results import Caption
from ravl.tasks.match.results import Matching


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an answer comes from.

    Args:
        run: that answered, by its name; None for the memory alone.
        memory: that it answered from, by the name of its file.
        version: of that memory.
        timings: milliseconds of each step: decode, queue, encode, retrieve, ..., total.
        together: items that shared the pass, of other requests as well.
        request: number by which the server's log knows the request.
    """

    run: str | None
    memory: str
    version: int
    timings: Mapping[str, float]
    together: int
    request: str


class ServedHits(Hits):
    """Hits of a server's search; see :class:`Provenance`."""

    def __init__(self, hits: Iterable[Hit], origin: Provenance) -> None:
        super().__init__(hits)
        self.origin = origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedClassification(Classification):
    """A picture's label, and where it comes from."""

    origin: Provenance = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedTagging(Tagging):
    """A picture's tags, and where they come from."""

    origin: Provenance = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedMatching(Matching):
    """Whether a text fits a picture, and where that comes from."""

    origin: Provenance = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedCaption(Caption):
    """A text about a picture, and where it comes from."""

    origin: Provenance = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedReply(Reply):
    """The answer to a question, and where it comes from."""

    origin: Provenance = field(repr=False, compare=False)
