"""What training the retriever gained on the test split, beside frozen keys, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ravl.encoders.base import Array
from ravl.evaluation import Score, compare, measure
from ravl.json_types import JsonObject
from ravl.pages.fit_report import Curves, ScoreTable, Series
from ravl.tasks.labels.evaluate_test import wide
from ravl.tasks.labels.keys.fit import Joint, Variant
from ravl.tasks.labels.votes import LabelMatrix
from ravl.training.report_parts import Measured, score_table

TITLES = {
    "vote_frozen": ("vote, frozen keys", "the memory alone"),
    "vote_learned": ("vote, learned keys", "the memory alone"),
    "with_retrieval_frozen": ("with retrieval, frozen keys", "as a run without --train-retriever"),
    "with_retrieval_learned": ("with retrieval, learned keys", "model and memory, by the gate"),
}
PAIRS = (("vote_learned", "vote_frozen"), ("with_retrieval_learned", "with_retrieval_frozen"))


@dataclass(frozen=True, eq=False)
class Gain:
    """Scores on the test split with frozen and with learned keys.

    Args:
        joint: what was fitted.
        scores: by row of ``TITLES``, then by metric.
        differences: of ``PAIRS``, paired.
    """

    joint: Joint
    scores: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    differences: Mapping[tuple[str, str], Mapping[str, Score]] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """What ``metrics.json`` says of it."""
        joint, learned = self.joint, self.joint.learned
        validation = {"frozen": joint.frozen.score}
        if learned is not None:
            validation["learned"] = learned.score
        return {
            "adopted": joint.adopted,
            "distilled": joint.distilled,
            "epochs": joint.epochs,
            "parameters": joint.parameters,
            "seconds": joint.seconds,
            "validation": {n: round(v, 4) for n, v in validation.items()},
            "curve": [(s, round(v, 4)) for s, v in joint.curve],
            "rows": {n: _json(scores) for n, scores in self.scores.items()},
            "differences": {f"{a} - {b}": _json(s) for (a, b), s in self.differences.items()},
        }

    def note(self) -> str:
        """In a sentence."""
        if self.joint.learned is None:
            return (
                "The retriever was trained, but no epoch found better neighbours for the "
                "validation split; the run keeps the frozen keys."
            )
        if not self.joint.adopted:
            return (
                "The retriever was trained, but its answers to the validation split were no "
                "better; the run keeps the frozen keys."
            )
        return "The run finds neighbours by keys that were trained with the task."

    def curves(self) -> list[Curves]:
        """How unlikely the validation split was after each epoch, 0 for the frozen keys."""
        points = [(float(i), value) for i, (_, value) in enumerate(self.joint.curve)]
        title = "Log loss of the validation split, answered by neighbours while keys learn"
        return [Curves(title, "epoch", False, [Series("learned keys", points)])] if points else []

    def table(self, task: Measured) -> ScoreTable | None:
        """For the report; None where there is nothing to compare."""
        if self.joint.learned is None:
            return None
        seconds = ", ".join(f"{name} {s:.0f} s" for name, s in self.joint.seconds.items())
        kept = "kept" if self.joint.adopted else "not kept, since validation was no better"
        sources = "the task's loss" + (
            " and the reader's preferences" if self.joint.distilled else ""
        )
        note = f"Learned from {sources} ({seconds}); {kept}."
        return score_table(
            task, self, "Retriever frozen and trained", note, list(TITLES), PAIRS, TITLES
        )


def measure_gain(joint: Joint) -> Gain:
    """Answer the test split with frozen and with learned keys, and compare."""
    learned, frozen = joint.learned, joint.frozen
    if learned is None:
        return Gain(joint)
    data = frozen.data
    task, seed, groups = data.task, data.settings.seed, data.test.examples.groups
    names = data.labels
    if task.exclusive:
        names = LabelMatrix.of(data.datastore, task, data.labels).names
    truth = task.truth(data.test.examples.rows, names)
    answers: dict[str, Array] = {}
    limits: dict[str, Array | None] = {}
    for kind, fit in (("frozen", frozen), ("learned", learned)):
        for row, level in (("vote", "vote"), ("with_retrieval", fit.chosen)):
            found = _answers(fit, level, len(names))
            limit = None if task.exclusive else fit.levels[level].limits(names)
            answers[f"{row}_{kind}"], limits[f"{row}_{kind}"] = found, limit
    scores = {
        name: measure(
            task.output_kind, found, truth, thresholds=limits[name], groups=groups, seed=seed
        )
        for name, found in answers.items()
    }
    differences = {
        (a, b): compare(
            task.output_kind,
            answers[a],
            answers[b],
            truth,
            thresholds_after=limits[a],
            thresholds_before=limits[b],
            groups=groups,
            seed=seed,
        )
        for a, b in PAIRS
    }
    return Gain(joint, scores, differences)


def _answers(fit: Variant, level: str, names: int) -> Array:
    """Probabilities of the test split, (n, C')."""
    data, predictor = fit.data, fit.levels[level]
    label_matrix = LabelMatrix.of(data.datastore, data.task, data.labels, predictor.spread)
    evidence = predictor.evidence(label_matrix, data.memory)
    found = predictor.answer(
        data.test.queries,
        label_matrix,
        data.test.seen(predictor.spread),
        evidence,
        vote_only=level == "vote",
    )
    return wide(found.probabilities, names)


def _json(scores: Mapping[str, Score]) -> dict[str, dict[str, float]]:
    return {name: score.to_json() for name, score in scores.items()}
