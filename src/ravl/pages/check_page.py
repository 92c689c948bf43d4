"""The page of a check: findings with pictures, reasons, and the commands that fix them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ravl.checking.check import Check
from ravl.checking.fixes import LEAST
from ravl.checking.issue import Issue, Kind
from ravl.json_types import JsonObject
from ravl.memory import Memory, Row
from ravl.pages.render import render, row_uri

MOST = 24  # findings shown per kind
ROWS = 6  # pictures of a finding
SIDE, SMALL = 224, 128  # sizes of a picture and of a neighbour's picture, in pixels

# The title of each kind, and its explanation.
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
        "The same picture again: resized, saved again, or cropped at the margins. After a merge "
        "the first row stays, with the texts, tags and questions of all.",
    ),
    "hub": (
        "Misleading rows",
        "Rows that are neighbours of many rows with another label, or of unusually many rows. "
        "Each is shown with its own nearest rows.",
    ),
    "text": (
        "Texts that do not fit",
        "A text that fits many other pictures better than its own. People have to say which is "
        "right.",
    ),
    "outlier": (
        "Outliers",
        "Pictures that are unlike all others: rare ones, or ones that do not belong here.",
    ),
    "imbalance": (
        "Rare and frequent labels",
        "Labels with far fewer or far more rows than others.",
    ),
    "unencoded": (
        "Rows without vectors",
        "Searches by similarity do not find these pictures or texts. Index their source again.",
    ),
    "broken": (
        "Broken pictures",
        "Files that are missing, damaged, or have been replaced since indexing.",
    ),
    "blank": ("Blank pictures", "Pictures of one colour."),
    "blurred": (
        "Blurred pictures",
        "Much softer than usual in this memory; some may be intended.",
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
        memory: the checked memory; pictures are read from it.
        check: the result of the check.
        place: the memory's path in commands.
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
    """The shell command that fixes a finding; None if people have to decide."""
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


def _fix_all(found: Sequence[Issue], place: str) -> JsonObject | None:
    """The number of findings that can be fixed at once, and the command."""
    sure = [f for f in found if f.fix is not None and f.score >= LEAST]
    if not sure:
        return None
    line = f"ravl check {shlex.quote(place)} --kind {sure[0].kind} --fix {sure[0].fix}"
    return {"count": len(sure), "least": LEAST, "command": line}


class _Thumbnails:
    """Rows for the page; a picture that occurs twice is decoded once."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._known: dict[tuple[str, int], str | None] = {}

    def rows(self, ids: Sequence[str], side: int) -> list[Shown]:
        """The rows of these ids; missing rows are left out."""
        rows = [self._memory.get(id) for id in ids if id in self._memory]
        return [Shown(row.id, row.label or "", self._picture(row, side)) for row in rows]

    def _picture(self, row: Row, side: int) -> str | None:
        if (row.id, side) not in self._known:
            self._known[row.id, side] = row_uri(self._memory, row, side, detail=1)
        return self._known[row.id, side]
