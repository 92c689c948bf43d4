"""What training the retriever gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ravl.evaluation import Score
from ravl.json_types import JsonObject


@dataclass(frozen=True, slots=True)
class RetrieverReport:
    """What training the retriever did and gained.

    Args:
        out: the run's folder, with ``encoder/``, ``metrics.json`` and ``report.html``.
        metrics: by direction, then ``before`` and ``after`` and ``difference``, then metric.
        hubness: the strength of hubness correction that was best on the validation split.
        seconds: of training, without the first look at texts and without re-embedding.
        adopted: whether the memory has the new space: only if validation was better with it.
        curve: validation R@10 (mean of both directions) after each epoch, with the seconds.
        level: the one that was chosen on the validation split, ``cca`` or ``contrastive``.
        levels: validation R@10 (mean of both directions) of each.
    """

    out: Path
    metrics: JsonObject
    hubness: float
    seconds: float
    adopted: bool
    curve: list[tuple[float, float]] = field(default_factory=list)
    level: str = ""
    levels: dict[str, float] = field(default_factory=dict)

    def summary(self) -> list[str]:
        """What it gained, a line for each direction and metric, for a terminal."""
        lines = []
        for direction, moments in self.metrics.items():
            for name, before in moments["before"].items():
                old, new, change = (
                    _plain(name, score)
                    for score in (before, moments["after"][name], moments["difference"][name])
                )
                lines.append(f"{direction:<19}{name:<16}{old:>22}  ->  {new:<22}  ({change})")
        return lines


def _plain(name: str, score: dict[str, float]) -> str:
    found = Score(score["value"], score["low"], score["high"])
    return str(found) if name in ("median_rank", "MRR", "nDCG@10") else found.percent()
