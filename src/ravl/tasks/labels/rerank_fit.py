"""Neighbours reranked by a match run: with which weight, and what that gains and costs.

The match run may have learned from no picture that the fit holds out. What it knows of a pair comes
from the fit's own datastore, without the rows that show the training example itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.evaluation import PRIMARY, OutputKind, Score, compare, measure, values
from ravl.json_types import JsonObject
from ravl.pages.fit_report import ScoreTable
from ravl.retrieval.datastore import Ints, Neighbours
from ravl.tasks.labels.dataset import FitData, Split
from ravl.tasks.labels.evaluate_test import wide
from ravl.tasks.labels.levels import fit_vote
from ravl.tasks.labels.predictor import LabelPredictor
from ravl.tasks.labels.votes import LabelMatrix
from ravl.tasks.neighbour_reranker import DEPTH, NeighbourReranker
from ravl.training.report_parts import Measured, score_table
from ravl.untrusted import MOST_OF_PICTURES, read_json, reason_of

WEIGHTS = (0.0, 0.25, 0.5, 1.0)  # of reranking; 0 for none
TITLES = {
    "before": ("vote, by similarity alone", "neighbours as the pictures are alike"),
    "after": ("vote, reranked", "and as their texts fit the picture"),
}


@dataclass(frozen=True, eq=False)
class RerankedNeighbours:
    """What looking at neighbours again came to.

    Args:
        kind: of the outputs.
        look: with that weight; 0 where it gained nothing on validation.
        scores: of the vote on the test split, ``before`` and ``after``, by metric.
        differences: of the two, paired.
        milliseconds: that reranking takes for a picture.
    """

    kind: OutputKind
    look: NeighbourReranker
    scores: dict[str, dict[str, Score]]
    differences: dict[tuple[str, str], dict[str, Score]]
    milliseconds: float

    def to_json(self) -> JsonObject:
        """What ``metrics.json`` says of it."""
        found = {**self.scores, "difference": self.differences["after", "before"]}
        vote = {n: {m: s.to_json() for m, s in scores.items()} for n, scores in found.items()}
        return {
            "weight": self.look.weight,
            "milliseconds": round(self.milliseconds, 2),
            "vote": vote,
        }

    def note(self) -> str:
        """In a sentence."""
        run, weight = self.look.model.run.folder, self.look.weight
        if not weight:
            return (
                f"Neighbours were reranked by {run}, but the vote on the validation split "
                "was no better; the run leaves it out."
            )
        gain = self.differences["after", "before"][PRIMARY[self.kind]]
        return (
            f"Neighbours are reranked by {run} with the weight {weight:g}: the vote's "
            f"{PRIMARY[self.kind]} on the test split changes by {100 * gain.value:+.1f} points "
            f"({100 * gain.low:+.1f} to {100 * gain.high:+.1f}), for {self.milliseconds:.1f} ms a "
            "picture."
        )

    def table(self, task: Measured) -> ScoreTable:
        """For the report of a task."""
        note = (
            f"Weight {self.look.weight:g}, chosen on validation; {self.milliseconds:.1f} ms a "
            "picture."
        )
        return score_table(
            task,
            self,
            "Reranked neighbours",
            note,
            list(TITLES),
            (("after", "before"),),
            TITLES,
        )


def rerank_neighbours(data: FitData, folder: str | Path) -> FitData:
    """The data with reranked neighbours; the weight is chosen on the validation split.

    Args:
        data: with neighbours by similarity alone.
        folder: of a fitted match run.

    Raises:
        DataError: no match run, or one that has learned from what this fit holds out.
        EncoderMismatchError: it was fitted with another encoder than the memory's.
    """
    look = NeighbourReranker.open(Path(folder), data.memory)
    refuse_seen(data, look)
    row_texts, depth = look.row_texts(data.datastore), max(DEPTH, data.settings.k)
    kept: dict[str, list[tuple[Neighbours, Array, Any]]] = {}
    took = 0.0
    for name in ("train", "validation", "test"):
        side: Split = getattr(data, name)
        began = time.monotonic()
        sides = [side.neighbours] if side.wide is side.neighbours else [side.neighbours, side.wide]
        first = [neighbours.first(depth) for neighbours in sides]
        kept[name] = [
            (
                neighbours,
                *look.logit(side.queries.features, row_texts, neighbours, side.examples.shown),
            )
            for neighbours in first
        ]
        took = 1000 * (time.monotonic() - began) / (len(side) * len(sides))

    def weighed(weight: float) -> FitData:
        if not weight:
            return data
        again, sides = replace(look, weight=weight), {}
        for name, found in kept.items():
            each = [again.again(*one) for one in found]
            sides[name] = replace(getattr(data, name), neighbours=each[0], wide=each[-1])
        return replace(data, **sides)

    grounds = [weighed(weight) for weight in WEIGHTS]
    votes = [fit_vote(each) for each in grounds]
    worth = [_worth(each, vote) for each, vote in zip(grounds, votes, strict=True)]
    best = int(np.argmax(worth))  # of equals the smallest weight
    look = replace(look, weight=WEIGHTS[best])
    gain = _gain(grounds[0], votes[0], grounds[best], votes[best])
    again = RerankedNeighbours(data.task.output_kind, look, *gain, took)
    return replace(grounds[best], second=again)


def refuse_seen(data: FitData, look: NeighbourReranker) -> None:
    """Refuse a match run that knows pictures that this fit holds out.

    Raises:
        DataError: says which splits overlap, and what to do.
    """
    run = look.model.run.folder
    try:
        split = read_json(run / "split.json", MOST_OF_PICTURES)
        splits = {name: [str(id) for id in split[name]] for name in ("train", "validation")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{run}/split.json is missing or damaged ({reason_of(error)}), so that it is unknown "
            "what the run has seen. Fit it again with ravl fit match."
        ) from error
    groups = {row.id: row.group for row in data.memory.rows()}
    if gone := [id for ids in splits.values() for id in ids if id not in groups]:
        raise DataError(
            f"{run} was fitted to {gone[0]!r} and in all {len(gone):,} pictures that "
            f"{data.memory.path} does not have by that name, so that it is unknown whether "
            "they are held out here. Fit match on this memory, with the --validation and --test "
            "of this fit."
        )
    held = {"validation": data.validation, "test": data.test}
    # What is chosen on the validation split may know it; what is judged on the test split may not.
    for theirs, ours in (("train", "test"), ("train", "validation"), ("validation", "test")):
        seen = np.array([groups[id] for id in splits[theirs]], np.int64)
        count = _showing(held[ours], seen)
        if count:
            raise DataError(
                f"The {theirs} split of {run} has {count:,} of the pictures that this fit holds "
                f"out as its {ours} split, which would make its answers look too good. Fit match "
                "and this task with the same --validation and --test filters."
            )


def _showing(side: Split, groups: Ints) -> int:
    """How many pictures of a split these groups of the memory's rows show."""
    return sum(bool(np.isin(shown, groups).any()) for shown in side.examples.shown)


def _answers(data: FitData, vote: LabelPredictor, side: Split, names: int) -> Array:
    """The vote on a split, (n, C')."""
    label_matrix = LabelMatrix.of(data.datastore, data.task, data.labels)
    found = vote.answer(side.queries, label_matrix, side.neighbours, vote_only=True)
    return wide(found.probabilities, names)


def _names(data: FitData) -> list[str]:
    """What can be answered: of labels also those that only the memory knows."""
    if not data.task.exclusive:
        return data.labels
    return LabelMatrix.of(data.datastore, data.task, data.labels).names


def _worth(data: FitData, vote: LabelPredictor) -> float:
    """The vote's primary metric on the validation split."""
    task, names, side = data.task, _names(data), data.validation
    truth = task.truth(side.examples.rows, names)
    limits = None if task.exclusive else vote.limits(names)
    found = _answers(data, vote, side, len(names))
    kind = task.output_kind
    return values(kind, found, truth, thresholds=limits).get(PRIMARY[kind], 0.0)


def _gain(
    data: FitData, plain: LabelPredictor, again: FitData, vote: LabelPredictor
) -> tuple[dict[str, dict[str, Score]], dict[tuple[str, str], dict[str, Score]]]:
    """Scores of the vote on the test split, and their paired difference."""
    task, names, side = data.task, _names(data), data.test
    truth = task.truth(side.examples.rows, names)
    groups, seed = side.examples.groups, data.settings.seed
    found = {
        "before": _answers(data, plain, side, len(names)),
        "after": _answers(again, vote, again.test, len(names)),
    }
    limits = {
        name: None if task.exclusive else level.limits(names)
        for name, level in (("before", plain), ("after", vote))
    }
    scores = {
        name: measure(
            task.output_kind, each, truth, thresholds=limits[name], groups=groups, seed=seed
        )
        for name, each in found.items()
    }
    difference = compare(
        task.output_kind,
        found["after"],
        found["before"],
        truth,
        thresholds_after=limits["after"],
        thresholds_before=limits["before"],
        groups=groups,
        seed=seed,
    )
    return scores, {("after", "before"): difference}
