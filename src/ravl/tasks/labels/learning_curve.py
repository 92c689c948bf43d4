"""What more pictures would be worth: the run once more with a half and a quarter of its pictures.

Head, keys and memory are made from the same drawn part of the pictures; what was chosen stays. The
test split judges. The next pictures are expected to bring what the last doubling brought, by the
logarithm of their number (learning curves: Cortes et al. 1993, "Learning Curves: Asymptotic Values
and Rate of Convergence").
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.evaluation import PRIMARY, Score, compare, is_percent, values
from ravl.json_types import JsonObject
from ravl.pages.fit_report import Curves, Series
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.labels.choose import Fitted
from ravl.tasks.labels.choosing_examples import train_plus_validation
from ravl.tasks.labels.dataset import FitData, Split, searching
from ravl.tasks.labels.evaluate_test import TestResults, wide
from ravl.tasks.labels.fit_on_all import head_from, keys_from
from ravl.tasks.labels.predictor import LabelPredictor
from ravl.tasks.labels.votes import LabelMatrix

SHARES = (0.25, 0.5)  # of the pictures, beside all of them
FEWEST = 80  # pictures of which a quarter can be learned from
MORE = 500  # pictures whose worth is said, or as many as there are


@dataclass(frozen=True, slots=True)
class Point:
    """What a part of the pictures leads to.

    Args:
        pictures: that were learned from.
        without: score without retrieval.
        with_retrieval: score with retrieval from the memory of that size.
    """

    pictures: int
    without: float
    with_retrieval: float


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Scores by number of pictures.

    Args:
        measure: the primary metric of the task.
        unit: of what is counted.
        points: the fewest pictures first.
        more: pictures that are asked about.
        gain: what these are expected to bring with retrieval, with its 95 % interval.
    """

    measure: str
    unit: str
    points: list[Point]
    more: int
    gain: Score

    def note(self) -> str:
        """A sentence for people."""
        counts = ", ".join(f"{point.pictures:,}" for point in self.points)
        found = ", ".join(self._number(point.with_retrieval) for point in self.points)
        without = ", ".join(self._number(point.without) for point in self.points)
        factor, unit = (100, " points") if is_percent(self.measure) else (1, "")
        value, low, high = (f"{factor * x:+.2g}" for x in astuple(self.gain))
        return (
            f"Learning curve: {self.measure} with {counts} {self.unit}s is {found} with retrieval, "
            f"and {without} without. {self.more:,} more {self.unit}s like these would add about "
            f"{value}{unit} ({low} to {high})."
        )

    def _number(self, value: float) -> str:
        return f"{100 * value:.1f} %" if is_percent(self.measure) else f"{value:.3g}"

    def to_json(self) -> JsonObject:
        """For ``metrics.json``."""
        return {
            "measure": self.measure,
            "points": [
                {
                    f"{self.unit}s": point.pictures,
                    "no_retrieval": round(point.without, 6),
                    "with_retrieval": round(point.with_retrieval, 6),
                }
                for point in self.points
            ],
            "more": self.more,
            "gain": self.gain.to_json(),
        }

    def curves(self) -> Curves:
        """For the report."""
        series = [
            Series(name, [(float(p.pictures), getattr(p, field)) for p in self.points])
            for name, field in (("with retrieval", "with_retrieval"), ("without", "without"))
        ]
        return Curves(f"Test {self.measure}", f"{self.unit}s", is_percent(self.measure), series)


def learning_curve(data: FitData, fitted: Fitted, judged: TestResults) -> LearningCurve | None:
    """The curve of the linear level; None where it is not the run's, or pictures are too few.

    Args:
        data: with the test split, as it was judged.
        fitted: on it.
        judged: scores of the run with all pictures.
    """
    level = fitted.levels[fitted.chosen]
    if level.head is None or level.reader is not None or not _repeatable(data, fitted):
        return None
    both, kind, count = train_plus_validation(data), data.task.output_kind, len(data.labels)
    truth, limits = data.truth(data.test), None if data.task.exclusive else level.thresholds
    measure = PRIMARY[kind]
    groups = np.unique(np.concatenate([data.datastore.groups, both.examples.groups]))
    place = np.random.default_rng(data.settings.seed).permutation(len(groups)) / len(groups)
    points, found = [], np.zeros((0, 0), np.float32)
    for share in SHARES:
        kept = groups[place < share]
        some = np.flatnonzero(np.isin(both.examples.groups, kept))
        rows = np.isin(data.datastore.groups, kept)
        if np.count_nonzero(both.targets[some].any(0)) < 2 or not rows.any():
            return None
        without, found = _answers(data, fitted, level, both.take(some), rows)
        scores = [values(kind, p, truth, thresholds=limits) for p in (without, found)]
        points.append(Point(len(some), *(float(score[measure]) for score in scores)))
    whole = judged.wide("with_retrieval")[:, :count]
    alone = values(kind, judged.wide("no_retrieval")[:, :count], truth, thresholds=limits)
    all_of_them = values(kind, whole, truth, thresholds=limits)
    points.append(Point(len(both), float(alone[measure]), float(all_of_them[measure])))
    doubled = compare(
        kind,
        whole,
        found,
        truth,
        thresholds_after=limits,
        thresholds_before=limits,
        groups=data.test.examples.groups,
        seed=data.settings.seed,
    )[measure]
    more = min(MORE, len(both))
    times = float(np.log2((len(both) + more) / len(both)))
    gain = Score(times * doubled.value, times * doubled.low, times * doubled.high)
    return LearningCurve(measure, data.task.unit, points, more, gain)


def _repeatable(data: FitData, fitted: Fitted) -> bool:
    """Whether the run can be made again from a part of its pictures, in closed form."""
    return (
        type(data.keys) is KeyProjection
        and not data.trained_keys
        and data.second is None
        and fitted.tower is None
        and len(data.test) > 0
        and len(data.train) + len(data.validation) >= FEWEST
    )


def _answers(
    data: FitData,
    fitted: Fitted,
    level: LabelPredictor,
    some: Split,
    rows: NDArray[np.bool_],
) -> tuple[Array, Array]:
    """Answers (n, C) to the test split without retrieval, and with it.

    Args:
        data, fitted, level: see :func:`learning_curve`.
        some: examples that are learned from.
        rows: of the memory that are left, (N,).
    """
    assert level.head is not None
    datastore = data.datastore.only(rows)
    keys, head = keys_from(data, datastore, some), head_from(data, some, fitted, level.head)
    smaller = LabelMatrix.of(searching(datastore, keys), data.task, data.labels, level.spread)
    who, queries = replace(level, head=head, keys=keys), data.test.queries
    near = who.neighbours(queries, smaller, hidden=data.test.examples.shown)
    found = who.answer(queries, smaller, near)
    count = len(data.labels)
    return wide(who.without(queries).probabilities, count), wide(found.probabilities, count)
