"""The recipe by which classify and tag are fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ravl.encoders.base import Array
from ravl.evaluation import PRIMARY, values
from ravl.json_types import JsonObject
from ravl.memory import Memory, Row
from ravl.models.linear import Loss, label_weights
from ravl.runs.run import VISION
from ravl.tasks.labels import row_labels
from ravl.tasks.labels.choose import Fitted, fit_levels, validation_answers
from ravl.tasks.labels.dataset import FitData, labels_of, prepare
from ravl.tasks.labels.evaluate_test import TestResults, judge
from ravl.tasks.labels.files import arrays_of, describe
from ravl.tasks.labels.fit_on_all import fit_on_all
from ravl.tasks.labels.predictor import LabelPredictor
from ravl.tasks.labels.targets import LabelTargets
from ravl.training.engine import Finished, Recipe
from ravl.training.examples import Examples
from ravl.training.splits import Splits

if TYPE_CHECKING:
    from ravl.tasks.labels.keys.gain import Gain


class LabelRecipe(Recipe[FitData, Fitted, TestResults]):
    """How classify and tag are fitted.

    Args:
        name: classify or tag.
        memory: the evidence.
        settings: :class:`ravl.training.fit_settings.FitSettings`.
    """

    def __init__(self, name: str, memory: Memory, settings: Any) -> None:
        super().__init__(memory, settings)
        self.name = name
        self.measure = PRIMARY[self.targets.output_kind]

    @property
    def targets(self) -> LabelTargets:
        """What rows say for the task."""
        return LabelTargets(self.name, self.settings.column or None)

    def stratum(self, row: Row) -> str:
        """The label of a row; the same for all rows where they have tags."""
        return self.targets.stratum(row)

    def check_examples(self, examples: Examples, splits: Splits) -> None:
        """Refuse training examples with too few labels."""
        labels_of(examples.take(splits.train).rows, self.targets, self.settings.min_examples)

    def prepare(
        self,
        examples: Examples,
        splits: Splits,
        source: Memory,  # noqa: ARG002 (the examples know it)
        work: Path,  # noqa: ARG002 (nothing takes long here)
        progress: bool | None,  # noqa: ARG002 (the same)
    ) -> tuple[FitData, list[str]]:
        """Evidence, neighbours and targets of every split."""
        data = self.changed(prepare(self.memory, self.targets, self.settings, examples, splits))
        if not self.settings.rerank:
            return data, []
        from ravl.tasks.labels.rerank_fit import rerank_neighbours

        data = rerank_neighbours(data, self.settings.rerank)
        return data, [] if data.second is None else [data.second.note()]

    def changed(self, data: FitData) -> FitData:
        """The data as this task needs it, before neighbours are reranked."""
        return data

    def fit_levels(
        self,
        data: FitData,
        work: Path,
        show: bool | None,
        report: Callable[[float], None] | None = None,
        start: LabelPredictor | None = None,
    ) -> tuple[FitData, Fitted]:
        """Fit vote, linear head and fusion model, and choose one."""
        return fit_levels(data, work, show, report, start=start)

    def fit_on_all(self, data: FitData, fitted: Fitted) -> tuple[FitData, Fitted]:
        """See :func:`ravl.tasks.labels.fit_on_all.fit_on_all`."""
        return fit_on_all(data, fitted)

    def with_settings(self, data: FitData) -> FitData:
        """The data with these settings, and with the loss that they ask for."""
        settings, exclusive = self.settings, data.task.exclusive
        weights = label_weights(data.train.targets, exclusive, settings.class_weights)
        return replace(
            data, settings=settings, loss=Loss(exclusive, weights, settings.label_smoothing)
        )

    def without_test(self, data: FitData) -> FitData:
        """The data with an empty test split."""
        return replace(data, test=data.test.take(np.zeros(0, np.int64)))

    def validation_scores(self, data: FitData, fitted: Fitted) -> dict[str, float]:
        """Scores of the chosen level on the validation split."""
        best = fitted.levels[fitted.chosen]
        answers = validation_answers(data, best, fitted.chosen == "vote")
        found = answers.probabilities[:, : len(data.labels)]
        limits = None if data.task.exclusive else best.limits(data.labels)
        return values(data.task.output_kind, found, data.truth(data.validation), thresholds=limits)

    def baselines(self, data: FitData) -> Mapping[str, Array]:  # noqa: ARG002 (for ask)
        """Probabilities (n, C) of models without the memory: more rows of the report, by name."""
        return {}

    def evaluate(self, data: FitData, fitted: Fitted) -> TestResults:
        """All rows of the report, judged on the test split."""
        return judge(data, fitted.levels, fitted.chosen, self.baselines(data))

    def finish(self, data: FitData, fitted: Fitted, results: TestResults, out: Path) -> Finished:
        """The chosen level, its report, and the tuned tower."""
        from ravl.tasks.labels.learning_curve import learning_curve
        from ravl.tasks.labels.report import abstention, page_of, rows_table
        from ravl.training.report_parts import scores_json

        notes = _unknown(data)
        if "vision" in fitted.curves and fitted.tower is None:
            notes.append("The tuned vision tower was no better on validation; it is not kept.")
        if fitted.self_training is not None:
            notes.append(fitted.self_training.note())
        gain = _gain(fitted)
        metrics = scores_json(results, fitted) | {"abstain": abstention(data, fitted, results)}
        if fitted.self_training is not None:
            metrics["self_training"] = fitted.self_training.to_json()
        if gain is not None:
            notes.append(gain.note())
            metrics["retriever"] = gain.to_json()
        curve = learning_curve(data, fitted, results)
        if curve is not None:
            notes.append(curve.note())
            metrics["learning_curve"] = curve.to_json()
        predictor = following(data, fitted)
        record: JsonObject = dict(describe(predictor))
        if data.second is not None:
            record["rerank"] = data.second.look.describe(out)
            metrics["rerank"] = data.second.to_json()
        if fitted.tower is not None:
            fitted.tower.save(out / VISION)
        return Finished(
            fitted.chosen,
            record,
            arrays_of(predictor, out),
            data.task.encoder(data.memory),
            metrics,
            rows_table(data, results, fitted),
            lambda report, command: page_of(data, fitted, results, report, command, gain, curve),
            notes,
        )


def following(data: FitData, fitted: Fitted) -> LabelPredictor:
    """The chosen level; told how many rows of each label the memory has, where it may be renewed.

    See :mod:`ravl.tasks.labels.renewal`. What stands on a trained network or on keys that were
    trained stays as it was fitted, and so does what the settings decided.
    """
    chosen, settings, task = fitted.levels[fitted.chosen], data.settings, data.task
    decided = settings.k or settings.whiten != "auto" or settings.propagate_labels != "auto"
    trained = fitted.chosen == "fusion" or fitted.tower is not None or data.trained_keys
    if decided or trained or data.second is not None or task.generated:
        return chosen
    found = row_labels.labels_of(data.memory, task).at(task.source(data.memory).view())
    names, places = row_labels.columns_of(found, data.labels)
    counts = found.counts_at(places, len(names))[: len(data.labels)]
    return replace(chosen, memory_counts=counts)


def _gain(fitted: Fitted) -> Gain | None:
    """What training the retriever with the task gained, where it was asked for."""
    if fitted.joint is None:
        return None
    from ravl.tasks.labels.keys.gain import measure_gain

    return measure_gain(fitted.joint)


def _unknown(data: FitData) -> list[str]:
    """Labels that only occur in the test split, and classes with next to nothing to learn from."""
    task, notes = data.task, []
    known = set(data.labels)
    strange = sorted({n for r in data.test.examples.rows for n in task.of(r)} - known)
    if strange and task.exclusive:
        notes.append(
            f"{len(strange):,} labels of the test split do not occur in training, such as "
            f"{strange[0]!r}; they count as missed unless the memory knows them."
        )
    counts = data.train.targets.sum(0)
    rare = [name for name, count in zip(data.labels, counts, strict=True) if count < 2]
    if rare:
        notes.append(
            f"{len(rare):,} {task.noun}s have a single training {task.unit}, such as {rare[0]!r}; "
            "give them more, or leave them out with --fewest 2."
        )
    return notes
