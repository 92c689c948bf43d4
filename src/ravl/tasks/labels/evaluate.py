"""``ravl evaluate``: a fitted run on pictures that it has not seen.

No picture is judged with itself in the evidence: rows of the memory that show the same picture, or
a near-duplicate of it, are hidden from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ravl.data import ColumnNames
from ravl.encoders.base import Array
from ravl.errors import DataError, PictureError
from ravl.evaluation import Score, compare, measure
from ravl.json_types import JsonObject
from ravl.runs.answers import Answer
from ravl.tasks.labels.dataset import examples_of
from ravl.tasks.labels.evaluate_test import wide
from ravl.tasks.labels.model import LabelPipeline
from ravl.tasks.labels.predictor import ChoosingPipeline, Queries
from ravl.tasks.model import Model
from ravl.training.evaluation import answer_rows, evaluation_json, learned_from
from ravl.training.example_source import judged
from ravl.training.examples import (
    Examples,
    none_labelled,
    one_of_each_picture,
    read_labelled,
)

BLOCK = 256  # pictures that a fine-tuned tower looks at in one go


def evaluate_labels(
    model: Model,
    data: str | Path,
    *,
    columns: ColumnNames | None = None,
    root: str | Path | None = None,
    progress: bool | None = None,
    seed: int = 0,
) -> JsonObject:
    """Scores of a run of classify, tag or ask on new pictures; see :func:`ravl.tasks.fit.evaluate`.

    Args:
        model: of the run.
        data, columns, root, progress, seed: as there.

    Raises:
        DataError: no labelled picture.
    """
    pipeline = model.predictor
    task = pipeline.label_predictor.task
    with judged(model.memory, data, columns, progress, root) as (source, where):
        examples = read_labelled(source, model.memory, task.of, where)
        if not len(examples):
            raise none_labelled(source, task.noun, task.column)
        examples = examples_of(examples, task, model.memory)
        return _scores(pipeline, examples, seed)


def _scores(model: ChoosingPipeline, examples: Examples, seed: int) -> JsonObject:
    predictor, task = model.label_predictor, model.label_predictor.task
    queries = queries_of(model, examples)
    answers = answer_rows(
        lambda retrieval, vote_only: model.judge(
            queries, examples.shown, retrieval=retrieval, vote_only=vote_only
        ),
        predictor.head is not None,
    )
    names = answers["with_retrieval"].names if task.exclusive else predictor.labels
    kind, truth = task.output_kind, task.truth(examples.rows, names)
    limits = None if task.exclusive else predictor.limits(names)
    rows, groups = examples.rows, examples.groups

    def measured(found: Array) -> dict[str, Score]:
        scores = measure(kind, found, truth, thresholds=limits, groups=groups, seed=seed)
        return scores | task.text_scores(rows, names, found, groups=groups, seed=seed)

    def compared(after: Array, before: Array) -> dict[str, Score]:
        limited = {"thresholds_after": limits, "thresholds_before": limits}
        scores = compare(kind, after, before, truth, **limited, groups=groups, seed=seed)
        return scores | task.text_scores(rows, names, after, before, groups=groups, seed=seed)

    counts = {
        "pictures": len({row.number for row in rows}),
        "learned_from": learned_from(model.run, rows),
    }
    if task.unit == "question":
        counts["questions"] = len(examples)
    found = {name: wide(answer.probabilities, len(names)) for name, answer in answers.items()}
    return evaluation_json(task.name, found, measured, compared, examples.rejected, **counts)


def answer_examples(
    model: ChoosingPipeline, examples: Examples, random: np.random.Generator
) -> Sequence[Answer]:
    """See :meth:`ravl.tasks.contract.Task.answer_examples`."""
    asked = examples_of(examples, model.label_predictor.task, model.memory)
    asked = asked.take(one_of_each_picture(asked.rows, random))
    return model.results(queries_of(model, asked), asked.shown)


def queries_of(model: ChoosingPipeline, examples: Examples) -> Queries:
    """Pictures as a model looks at them, with what is asked about them."""
    asked = [model.label_predictor.task.question(row) for row in examples.rows]
    texts = [question for question in asked if question is not None] or None
    return Queries(examples.features, _tuned(model, examples), texts)


def _tuned(model: ChoosingPipeline, examples: Examples) -> Array | None:
    """Features by the run's own tower, where it has one."""
    if not isinstance(model, LabelPipeline) or not model.has_tower:
        return None
    parts: list[Array] = []
    for start in range(0, len(examples), BLOCK):
        rows = examples.rows[start : start + BLOCK]
        try:
            part = model.tuned([examples.source.picture(row) for row in rows])
        except PictureError as error:
            raise DataError(f"A picture of the data has gone since it was read: {error}") from error
        assert part is not None
        parts.append(part)
    return np.concatenate(parts)
