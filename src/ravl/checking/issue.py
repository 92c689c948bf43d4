"""A finding of a check: rows that are likely wrong, a score, and a fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ravl.json_types import JsonObject

Kind = Literal[
    "mislabel",
    "conflict",
    "duplicate",
    "hub",
    "text",
    "outlier",
    "imbalance",
    "unencoded",
    "broken",
    "blank",
    "blurred",
]
Fix = Literal["relabel", "drop", "merge"]

KINDS: tuple[Kind, ...] = get_args(Kind)
FIXES: tuple[Fix, ...] = get_args(Fix)


@dataclass(frozen=True, slots=True)
class Issue:
    """A finding of a check.

    Args:
        kind: the kind of fault.
        ids: ids of the affected rows: one, or a group. In a group to merge, the first row stays.
        score: 0 to 1; findings of one kind are ranked by it.
        why: the reason, as a sentence.
        fix: the name of the fix; None if people have to decide.
        label: the expected label, if the fix is ``relabel``.
        neighbours: ids of the nearest other rows, the nearest first; the finding is based on them.
        given: labels that the rows had, if the fix is ``relabel``; a row that somebody has given
            another label since is left alone.
    """

    kind: Kind
    ids: tuple[str, ...]
    score: float
    why: str
    fix: Fix | None = None
    label: str | None = None
    neighbours: tuple[str, ...] = ()
    given: tuple[str | None, ...] = ()

    def to_json(self) -> JsonObject:
        """As plain JSON types, without empty values."""
        fields = {
            "kind": self.kind,
            "ids": list(self.ids),
            "score": round(self.score, 4),
            "why": self.why,
            "fix": self.fix,
            "label": self.label,
            "neighbours": list(self.neighbours),
        }
        return {name: value for name, value in fields.items() if value not in (None, [])}


def ranked(findings: list[Issue]) -> list[Issue]:
    """Sort by score; ties by ids, so the result is reproducible."""
    return sorted(findings, key=lambda finding: (-finding.score, finding.ids))
