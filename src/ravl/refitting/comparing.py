"""Champion and challenger on the same pictures, each as it would answer now.

Both answer from the memory as it is; no picture is judged with itself, or a near-duplicate of it,
in the evidence. Labels that only one of them knows are judged like the others: who does not know a
label misses it, unless the memory's vote knows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.evaluation import PRIMARY, Score, compare, measure
from ravl.tasks.labels import LabelTask
from ravl.tasks.model import Model
from ravl.training.labelled import Labelled
from ravl.training.labels.evaluating import queries_of
from ravl.training.labels.judge import given, right
from ravl.training.run_record import tables_json

Promote = Literal["better", "always", "never"]
CHAMPION, CHALLENGER = "champion", "challenger"
TOGETHER, FROZEN, NEWEST = "together", "frozen", "newest"


@dataclass(frozen=True, eq=False)
class Said:
    """What one of the two answers.

    Args:
        probabilities: for the names of the comparison, (n, C).
        limits: thresholds of tags (C,); None for labels.
    """

    probabilities: Array
    limits: Array | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Both on the same pictures.

    Args:
        task: classify or tag.
        labelled: the n pictures.
        names: C labels that any of the two could answer.
        truth: see :func:`ravl.evaluation.measure`.
        said: of ``champion`` and ``challenger``.
        parts: positions of ``together``, ``frozen`` and, where there is one, ``newest``.
        scores: by part, then by who, then by metric.
        differences: of challenger and champion by part and metric, paired.
    """

    task: LabelTask
    labelled: Labelled
    names: list[str]
    truth: Any
    said: dict[str, Said]
    parts: dict[str, NDArray[np.int64]]
    scores: dict[str, dict[str, dict[str, Score]]]
    differences: dict[str, dict[str, Score]]

    @property
    def metric(self) -> str:
        """The one that is decided by."""
        return PRIMARY[self.task.judged]

    def right(self, who: str) -> NDArray[np.bool_]:
        """Whether an answer is wholly the truth, (n,)."""
        said = self.said[who]
        return right(said.probabilities, self.truth, said.limits)

    def answer(self, who: str, i: int) -> tuple[str, float]:
        """What it says of a picture, and how sure it is."""
        said = self.said[who]
        line = said.probabilities[i]
        names = given(line, self.names, said.limits)
        return ", ".join(names) or "nothing", float(line.max(initial=0))

    def to_json(self) -> dict[str, Any]:
        """What ``refits.json`` says of it."""
        return {
            part: {**tables_json(self.scores[part]),
                   "difference": tables_json({"": self.differences[part]})[""]}
            for part in self.parts
        }  # fmt: skip


def compare_models(
    champion: Model, challenger: Model, labelled: Labelled, frozen: NDArray[np.bool_], seed: int
) -> Comparison:
    """Judge both.

    Args:
        champion, challenger: of the same task and memory.
        labelled: n pictures that neither has learned from.
        frozen: which of them were the champion's test part, (n,).
        seed: of the intervals.
    """
    task: LabelTask = champion.predictor.labeller.task
    answers = {
        who: (model.predictor, model.predictor.judge(queries_of(model.predictor, labelled),
                                                     labelled.shown))
        for who, model in ((CHAMPION, champion), (CHALLENGER, challenger))
    }  # fmt: skip
    names = list(dict.fromkeys(
        name for predictor, found in answers.values()
        for name in (found.names if task.exclusive else predictor.labeller.labels)
    ))  # fmt: skip
    said = {
        who: Said(
            _spread(found.probabilities, found.names, names, 0.0),
            None if task.exclusive
            else _spread(predictor.labeller.limits(found.names)[None], found.names, names, 1.0)[0],
        )
        for who, (predictor, found) in answers.items()
    }  # fmt: skip
    parts = {TOGETHER: np.arange(len(labelled)), FROZEN: np.flatnonzero(frozen)}
    if not frozen.all():
        parts[NEWEST] = np.flatnonzero(~frozen)
    truth = task.truth(labelled.rows, names)
    scores: dict[str, dict[str, dict[str, Score]]] = {}
    differences: dict[str, dict[str, Score]] = {}
    for part, chosen in parts.items():
        how: dict[str, Any] = {"groups": labelled.groups[chosen], "seed": seed}
        seen = {who: one.probabilities[chosen] for who, one in said.items()}
        scores[part] = {
            who: measure(task.judged, seen[who], truth[chosen], thresholds=one.limits, **how)
            for who, one in said.items()
        }
        differences[part] = compare(
            task.judged, seen[CHALLENGER], seen[CHAMPION], truth[chosen],
            thresholds_after=said[CHALLENGER].limits, thresholds_before=said[CHAMPION].limits,
            **how,
        )  # fmt: skip
    return Comparison(task, labelled, names, truth, said, parts, scores, differences)


def decide(comparison: Comparison, promote: Promote) -> tuple[bool, str]:
    """Whether the challenger takes the champion's place, and why.

    Better means: the interval of the difference on all pictures together is above 0, and that on
    the frozen part alone is not below it.
    """
    metric = comparison.metric
    gain = comparison.differences[TOGETHER].get(metric)
    frozen = comparison.differences[FROZEN].get(metric)
    told = f"{metric} {_points(gain)}"
    if promote != "better":
        return promote == "always", f"as --promote {promote} says ({told})"
    if frozen is not None and frozen.high < 0:
        return False, f"it is worse on the frozen test part: {metric} {_points(frozen)}"
    if gain is None or gain.low <= 0:
        return False, f"it is not better by more than chance: {told}"
    return True, f"it is better by more than chance: {told}"


def _points(score: Score | None) -> str:
    if score is None:
        return "could not be measured"
    value, low, high = (100 * x for x in (score.value, score.low, score.high))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"


def _spread(found: Array, own: Sequence[str], names: Sequence[str], absent: float) -> Array:
    """Columns of one's own names (n, C') as those of all names, (n, C)."""
    places = {name: i for i, name in enumerate(own)}
    wide = np.full((len(found), len(names)), absent, np.float32)
    there = [i for i, name in enumerate(names) if name in places]
    wide[:, there] = np.clip(found[:, [places[names[i]] for i in there]], 0, 1)
    return wide
