"""What a search returns: hits that say where they come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ravl.json_types import JsonObject
from ravl.store.row import Row


@dataclass(frozen=True, slots=True)
class Found:
    """Where one ranking put a row.

    Args:
        rank: 1 is best.
        score: cosine for ``pictures`` and ``texts``, BM25 for ``keywords``.
    """

    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """One row that a search found.

    Args:
        row: what the memory knows about it.
        score: higher is better; comparable only within one search. A cosine for ``dense``, BM25
            for ``keyword``, and for ``fused`` a share of what first place everywhere would give.
        rank: 1 is best.
        by: where each ranking put it, by the ranking's name; a ranking that did not is left out.
        text: the text that was found, when texts were searched.
    """

    row: Row
    score: float
    rank: int
    by: dict[str, Found] = field(default_factory=dict)
    text: str | None = None

    @property
    def id(self) -> str:
        """The row's id."""
        return self.row.id

    @property
    def path(self) -> Path | None:
        """The picture's file, None where it was copied in or there is none."""
        return self.row.path

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        by = {name: {"rank": f.rank, "score": round(f.score, 4)} for name, f in self.by.items()}
        found = {"rank": self.rank, "score": round(self.score, 4), "by": by, **self.row.to_json()}
        return found | ({"text": self.text} if self.text is not None else {})

    def __str__(self) -> str:
        return f"{self.rank:3d}. {self.score:6.3f}  {self.id}  {self.text or self.row.caption}"


class Hits(list[Hit]):
    """Hits, best first; prints as a table.

    Args:
        hits: the hits.
        exact: True if nothing that scores higher was overlooked; False if an approximate index
            chose what was compared (see :meth:`ravl.memory.Memory.build_graphs`).
    """

    def __init__(self, hits: Iterable[Hit] = (), exact: bool = True) -> None:
        super().__init__(hits)
        self.exact = exact

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "nothing found"

    def to_json(self) -> list[JsonObject]:
        """As plain JSON types."""
        return [hit.to_json() for hit in self]
