"""What a fit has made and gained, for Python and for a terminal."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ravl.json_types import JsonObject
from ravl.pages.score_table import ScoreTable


@dataclass(frozen=True)
class FitReport:
    """What a fit has made and what it gained.

    Args:
        out: the run's folder, with ``run.json``, ``metrics.json`` and ``report.html``.
        task: that was fitted.
        chosen: the level that the run keeps: vote, linear or fusion.
        metrics: ``rows``, ``levels`` and ``retrieval``: scores by row and metric, each as
            ``{"value", "low", "high"}``; ``differences`` of rows; ``retriever``, where it was
            trained with the task, ``rerank``, where neighbours were reranked; see
            ``metrics.json``.
        table: the four rows, for a terminal.
        notes: sentences about what was left out, set aside or changed.
        seconds: the whole fit took.
    """

    out: Path
    task: str
    chosen: str
    metrics: JsonObject
    table: ScoreTable
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def summary(self) -> list[str]:
        """The four rows and what they differ by, as lines for a terminal."""
        from ravl.pages.score_table import terminal_table

        return terminal_table(self.table)

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {
            "out": str(self.out),
            "task": self.task,
            "chosen": self.chosen,
            "notes": self.notes,
            "seconds": self.seconds,
            **self.metrics,
        }
