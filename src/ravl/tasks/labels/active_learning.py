"""``ravl suggest``: which unlabelled pictures of a memory to label next.

A labelled picture also gives information about similar pictures. The pictures are chosen one after
the other (facility location). Each time the one is chosen that adds most: it has many unlabelled
neighbours that are near and uncertain, and few labelled or chosen neighbours. A picture is
uncertain if two labels have similar probabilities, or if the vote and the model disagree. Outliers
add little, and so does a second picture of the same kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ravl.encoders.base import Array
from ravl.errors import DataError, QueryError
from ravl.json_types import JsonObject
from ravl.memory import Memory, Row
from ravl.retrieval.datastore import Datastore, Ints
from ravl.runs.answers import Answer, Tagging
from ravl.tasks.labels.model import LabelPipeline
from ravl.tasks.labels.stored_rows import answers_to_rows
from ravl.tasks.labels.targets import LabelTargets
from ravl.tasks.labels.task import ClassifyTask
from ravl.tasks.model import Model

REACH = 0.2  # how far a label tells: at a similarity lower by this it tells 1/e as much
MOST = 5000  # candidates that are compared; of more, a random part
BATCH = 256  # pictures whose similarity to all labelled ones is computed at once


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A picture worth labelling.

    Args:
        row: of the memory.
        gain: how much its label would tell, in unlabelled pictures.
        uncertainty: of the answer so far, 0 to 1; 1 without a run.
        known: similarity to the nearest labelled picture; 0 without any.
        answer: what the run says so far; None without a run.
    """

    row: Row
    gain: float
    uncertainty: float
    known: float
    answer: Answer | None = None

    @property
    def reason(self) -> str:
        """Why, in words."""
        parts = [f"tells about {self.gain:.1f} pictures"]
        if self.answer is not None:
            model = next(iter(self.answer.model), "")
            vote = next(iter(self.answer.memory), "")
            if model and vote and model != vote:
                parts.append(f"the vote says {vote}, the model {model}")
            parts.append(f"{100 * self.uncertainty:.0f} % uncertain")
        parts.append(f"nearest label at {self.known:.2f}" if self.known else "no label is near")
        return ", ".join(parts)

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {
            "id": self.row.id,
            "picture": str(self.row.path) if self.row.path else None,
            "gain": round(self.gain, 3),
            "uncertainty": round(self.uncertainty, 4),
            "known": round(self.known, 4),
            "reason": self.reason,
            "answer": None if self.answer is None else self.answer.said,
            "confidence": None if self.answer is None else round(self.answer.confidence, 4),
        }


def suggest(
    place: Model | Memory | str | Path,
    count: int = 20,
    *,
    memory: Memory | str | Path | None = None,
    where: str | None = None,
    column: str | None = None,
    seed: int = 0,
) -> list[Suggestion]:
    """The unlabelled pictures of a memory that are most worth labelling, the best first.

    Args:
        place: a run of classify or tag, which knows what it is unsure about; or a memory, of which
            those pictures are named that together say most about the others.
        count: how many.
        memory: to answer from, instead of the run's own.
        where: only rows that this filter lets through.
        column: of the user's own that holds the label, for a memory; None for the usual field.
        seed: of the part that is taken of very many rows.

    Raises:
        QueryError: count is below 1, or the run is of another task.
        DataError: no picture is without a label.
    """
    if count < 1:
        raise QueryError(f"count is {count}; it must be at least 1.")
    model = place if isinstance(place, Model) else Model(place, memory)
    try:
        labels = model.predictor if isinstance(model.predictor, LabelPipeline) else None
        if model.run is not None and labels is None:
            raise QueryError(
                f"Pictures are suggested by runs of classify and tag, and {model.run.folder} is of "
                f"{model.task}. Name such a run, or the memory."
            )
        task = labels.label_predictor.task if labels else LabelTargets(ClassifyTask.name, column)
        own = labels.label_predictor if labels else None
        keys = (own.keys,) if own is not None and not own.tuned_keys else ()
        datastore = replace(task, generated=False).datastore(model.memory, *keys)
        labelled = np.array([bool(task.of(row)) for row in datastore.rows])
        free = _candidates(model.memory, datastore, labelled, where, seed)
        answers = answers_to_rows(labels, datastore, free) if labels else None
        return _chosen(datastore, labelled, free, answers, count)
    finally:
        if model is not place:
            model.close()


def most_telling(
    similarity: Array, covered: Array, weights: Array, count: int
) -> list[tuple[int, float]]:
    """Positions that together tell most, with what each adds; greedily, which is nearly the best.

    Args:
        similarity: of all to all, (n, n).
        covered: how much is known about each already, (n,), 0 to 1.
        weights: how much knowledge about each matters, (n,).
        count: how many.
    """
    covers = np.exp((similarity - 1) / REACH)  # (n, n)
    chosen: list[tuple[int, float]] = []
    covered = covered.copy()
    gains = np.full(len(covers), np.inf, np.float32)
    for _ in range(min(count, len(covers))):
        while True:  # gains only shrink, so that few need to be computed again (Minoux 1978)
            best = int(gains.argmax())
            gain = float(np.maximum(covers[best] - covered, 0) @ weights)
            gains[best] = gain
            if gain >= gains.max() - 1e-6:
                break
        chosen.append((best, gain))
        covered = np.maximum(covered, covers[best])
        gains[best] = -1
    return chosen


def uncertainty(answer: Answer) -> float:
    """How little an answer is sure, 0 to 1.

    Between two labels, or about a tag; where there are a vote and a model, the mean of that and
    their disagreement.
    """
    shares = [*sorted(answer.scores.values(), reverse=True), 0.0, 0.0]
    unsure = 1 - (shares[0] - shares[1])
    if isinstance(answer, Tagging):
        unsure = max(1 - abs(2 * share - 1) for share in shares)
    return (unsure + answer.disagreement) / 2 if answer.model else unsure


def _candidates(
    memory: Memory, datastore: Datastore, labelled: np.ndarray, where: str | None, seed: int
) -> Ints:
    """Positions of the rows without a label; of near-duplicates the first."""
    free = np.flatnonzero(~labelled)
    if where:
        free = free[np.isin(datastore.numbers[free], memory.matching(where))]
    _, first = np.unique(datastore.groups[free], return_index=True)
    found: Ints = free[np.sort(first)]
    if not len(found):
        raise DataError(
            f"{memory.path} has no picture without a label"
            + (f" that {where!r} lets through." if where else ". Bring in more with ravl index.")
        )
    if len(found) > MOST:
        found = np.sort(np.random.default_rng(seed).permutation(found)[:MOST])
    return found


def _chosen(
    datastore: Datastore,
    labelled: np.ndarray,
    free: Ints,
    answers: Sequence[Answer] | None,
    count: int,
) -> list[Suggestion]:
    keys = datastore.keys[free]
    known = np.zeros(len(free), np.float32)
    if labelled.any():
        for start in range(0, len(free), BATCH):
            part = keys[start : start + BATCH] @ datastore.keys[labelled].T
            known[start : start + BATCH] = part.max(axis=1)
    covered = np.exp((known - 1) / REACH) if labelled.any() else known
    unsure = np.array([uncertainty(a) for a in answers] if answers else np.ones(len(free)))
    found = most_telling(keys @ keys.T, covered, unsure.astype(np.float32), count)
    return [
        Suggestion(
            datastore.rows[free[i]],
            gain,
            float(unsure[i]),
            float(known[i]),
            answers[i] if answers else None,
        )
        for i, gain in found
    ]
