"""What a refit came to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ravl.json_types import JsonObject
from ravl.pages.score_table import ScoreTable, terminal_table

COLUMNS = 3  # measures that fit a terminal
LABELS = 10  # of the new pictures that are named in a sentence
State = Literal["promoted", "kept", "nothing", "waiting", "busy", "dry"]


@dataclass(frozen=True, eq=False)
class RefitReport:
    """What a refit came to.

    Args:
        run: the folder.
        state: ``promoted``: the challenger answers now; ``kept``: the champion still does;
            ``nothing``: there is nothing new; ``waiting``: not what it was to wait for; ``busy``:
            another process refits the run; ``dry``: only a report of what is new was asked for.
        reason: in a sentence.
        version: that answers now; 0 where it was not read.
        news: what is new, as ``refits.json`` says it.
        scores: of both models, as ``refits.json`` says them; empty where nothing was trained.
        tables: of the scores, for people.
        page: the report of this attempt.
        seconds: it took.
    """

    run: Path
    state: State
    reason: str
    version: int = 0
    news: JsonObject = field(default_factory=dict)
    scores: JsonObject = field(default_factory=dict)
    tables: list[ScoreTable] = field(default_factory=list)
    page: Path | None = None
    seconds: float = 0.0

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {
            "run": str(self.run),
            "state": self.state,
            "reason": self.reason,
            "version": self.version,
            "news": self.news,
            "scores": self.scores,
            "page": str(self.page) if self.page else None,
            "seconds": self.seconds,
        }

    def summary(self) -> list[str]:
        """Lines of plain text."""
        lines = []
        for table in self.tables:
            narrow = replace(table, measures=table.measures[:COLUMNS])
            lines += [table.caption, *terminal_table(narrow), ""]
        return [*lines, *([changes_in_words(self.news)] if self.news else []), self.reason]


def changes_in_words(news: JsonObject) -> str:
    """What is new, in a sentence."""
    most = sorted(news["labels"].items(), key=lambda item: -item[1])
    labels = ", ".join(f"{name} {count:,}" for name, count in most[:LABELS])
    labels += f" and {len(most) - LABELS:,} others" if len(most) > LABELS else ""
    return (
        f"Since the last fit: {news['new']:,} new labelled pictures"
        + (f" ({labels})" if labels else "")
        + f", {news['changed']:,} labelled anew, {news['gone']:,} gone."
    )
