"""The page of a check: what is likely wrong, with pictures, why, and the command that fixes it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ravl.checking.check import Check
from ravl.checking.fixes import LEAST
from ravl.checking.issue import Issue, Kind
from ravl.memory import Memory, Row
from ravl.pages.render import render, row_uri

MOST = 24  # findings of each kind that are shown
ROWS = 6  # of a finding
SIDE, SMALL = 224, 128  # of a picture, and of a neighbour's, in pixels

# What a kind is called, and what it says.
WORDS: dict[Kind, tuple[str, str]] = {
    "mislabel": (
        "Likely mislabelled",
        "A linear model and the nearest rows, neither of which has seen the label, expect another.",
    ),
    "conflict": (
        "Conflicting labels",
        "Near-identical pictures with different labels: at least one of them is wrong.",
    ),
    "duplicate": (
        "Near-duplicates",
        "The same picture again: resized, saved again, or with its margins cut off. Merged, the "
        "first row stays, with the texts, tags and questions of all.",
    ),
    "hub": (
        "Misleading rows",
        "Rows that are among the nearest of many others with another label, or of unusually many. "
        "Each is shown with its own nearest rows.",
    ),
    "text": (
        "Texts that do not fit",
        "A text that fits many other pictures better than its own. People have to say which is "
        "right.",
    ),
    "outlier": (
        "Outliers",
        "Pictures that are like nothing else here: rare ones, or such as do not belong.",
    ),
    "imbalance": (
        "Rare and frequent labels",
        "Labels with far fewer rows than others, or far more.",
    ),
    "broken": ("Broken pictures", "Files that are gone, damaged, or other ones than were indexed."),
    "blank": ("Blank pictures", "Pictures of one colour."),
    "blurred": (
        "Blurred pictures",
        "Much softer than is usual here; such as are meant to be so, too.",
    ),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A row on the page."""

    id: str
    label: str
    picture: str | None


def check_page(memory: Memory, check: Check, place: str) -> str:
    """A self-contained HTML page with thumbnails.

    Args:
        memory: that was checked; pictures are read from it.
        check: what was found.
        place: of the memory, as commands name it.
    """
    thumbnails = _Thumbnails(memory)
    kinds = []
    for kind in check.kinds:
        found = check.of(kind)
        title, words = WORDS[kind]
        kinds.append(
            {
                "name": kind,
                "title": title,
                "words": words,
                "count": len(found),
                "all": _fix_all(found, place),
                "findings": [
                    {
                        "finding": finding,
                        "rows": thumbnails.rows(finding.ids[:ROWS], SIDE),
                        "more": max(0, len(finding.ids) - ROWS),
                        "neighbours": thumbnails.rows(finding.neighbours, SMALL),
                        "command": command(finding, place),
                    }
                    for finding in found[:MOST]
                ],
            }
        )
    return render(
        "check.html",
        title=f"What to check in {memory.path.name}",
        check=check,
        kinds=kinds,
        most=MOST,
    )


def command(finding: Issue, place: str) -> str | None:
    """What puts a finding right, for a shell; None if people have to look."""
    memory, first = shlex.quote(place), finding.ids[0]
    if finding.kind == "mislabel" and finding.label is not None:
        return f"ravl update {memory} {shlex.quote(first)} --label {shlex.quote(finding.label)}"
    if finding.kind == "text":
        return f"ravl update {memory} {shlex.quote(first)} --text '...'"
    if finding.fix is None:
        return None
    return (
        f"ravl check {memory} --kind {finding.kind} --fix {finding.fix} --id {shlex.quote(first)}"
    )


def _fix_all(found: Sequence[Issue], place: str) -> dict[str, Any] | None:
    """How many are sure enough to be fixed at once, and how."""
    sure = [f for f in found if f.fix is not None and f.score >= LEAST]
    if not sure:
        return None
    line = f"ravl check {shlex.quote(place)} --kind {sure[0].kind} --fix {sure[0].fix}"
    return {"count": len(sure), "least": LEAST, "command": line}


class _Thumbnails:
    """Rows as the page shows them; a picture that comes twice is decoded once."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._known: dict[tuple[str, int], str | None] = {}

    def rows(self, ids: Sequence[str], side: int) -> list[Shown]:
        """Of these ids; what is not there any more is left out."""
        rows = [self._memory.get(id) for id in ids if id in self._memory]
        return [Shown(row.id, row.label or "", self._picture(row, side)) for row in rows]

    def _picture(self, row: Row, side: int) -> str | None:
        if (row.id, side) not in self._known:
            self._known[row.id, side] = row_uri(self._memory, row, side, detail=1)
        return self._known[row.id, side]
