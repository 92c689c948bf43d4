"""What a check finds: rows that are likely wrong, how sure that is, and what would put it right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal[
    "mislabel",
    "conflict",
    "duplicate",
    "hub",
    "text",
    "outlier",
    "imbalance",
    "broken",
    "blank",
    "blurred",
]
Fix = Literal["relabel", "drop", "merge"]

KINDS: tuple[Kind, ...] = get_args(Kind)
FIXES: tuple[Fix, ...] = get_args(Fix)


@dataclass(frozen=True, slots=True)
class Issue:
    """Something that is likely wrong.

    Args:
        kind: of fault.
        ids: of the rows that it is about: one, or a group. Of a group that may be merged the
            first is the row that stays.
        score: how sure it is, 0 to 1; findings of one kind are ranked by it.
        why: a sentence for people.
        fix: what would put it right; None where people have to look.
        label: that the rows should have, where the fix is ``relabel``.
        neighbours: ids of the nearest other rows, the nearest first: what it was judged by.
    """

    kind: Kind
    ids: tuple[str, ...]
    score: float
    why: str
    fix: Fix | None = None
    label: str | None = None
    neighbours: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types; what is empty is left out."""
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
    """The surest first; equal ones by their ids, so that a check says the same each time."""
    return sorted(findings, key=lambda finding: (-finding.score, finding.ids))
