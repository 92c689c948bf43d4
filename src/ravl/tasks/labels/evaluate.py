"""``ravl evaluate``: a fitted run on pictures that it has not seen.

No picture is judged with itself in the evidence: rows of the memory that show the same picture, or
a near-duplicate of it, are hidden from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ravl.data import ColumnNames
from ravl.errors import DataError, PictureError
from ravl.evaluation import compare, measure
from ravl.runs.answers import Answer
from ravl.tasks.labels.dataset import examples_of
from ravl.tasks.labels.evaluate_test import wide
from ravl.tasks.labels.model import LabelPipeline
from ravl.tasks.labels.predictor import Queries
from ravl.tasks.model import Model
from ravl.training.example_source import judged
from ravl.training.examples import (
    Examples,
    none_labelled,
    one_of_each_picture,
    read_labelled,
)
from ravl.training.run_record import tables_json

if TYPE_CHECKING:
    from ravl.tasks.ask.model import AskPipeline

BLOCK = 256  # pictures that a fine-tuned tower looks at in one go


def evaluate_labels(
    model: Model,
    data: str | Path,
    *,
    columns: ColumnNames | None = None,
    root: str | Path | None = None,
    progress: bool | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Scores of a run of classify, tag or ask on new pictures; see :func:`ravl.tasks.fit.evaluate`.

    Args:
        model: of the run.
        data, columns, root, progress, seed: as there.

    Raises:
        DataError: no labelled picture.
    """
    predictor = model.predictor
    task = predictor.labeller.task
    with judged(model.memory, data, columns, progress, root) as (source, where):
        labelled = read_labelled(source, model.memory, task.of, where)
        if not len(labelled):
            raise none_labelled(source, task.noun, task.column)
        labelled = examples_of(labelled, task, model.memory)
        return _scores(predictor, labelled, seed)


def _scores(model: LabelPipeline | AskPipeline, labelled: Examples, seed: int) -> dict[str, Any]:
    labeller, task = model.labeller, model.labeller.task
    queries = queries_of(model, labelled)
    answers = {"with_retrieval": model.judge(queries, labelled.shown)}
    if labeller.head is not None:
        answers["no_retrieval"] = model.judge(queries, labelled.shown, retrieval=False)
        answers["vote"] = model.judge(queries, labelled.shown, vote_only=True)
    names = answers["with_retrieval"].names if task.exclusive else labeller.labels
    truth = task.truth(labelled.rows, names)
    limits = None if task.exclusive else labeller.limits(names)
    found = {name: wide(answer.probabilities, len(names)) for name, answer in answers.items()}
    how: dict[str, Any] = {"groups": labelled.groups, "seed": seed}
    rows = {
        name: measure(task.judged, p, truth, thresholds=limits, **how)
        | task.text_scores(labelled.rows, names, p, **how)
        for name, p in found.items()
    }
    differences = {
        f"with_retrieval - {name}": compare(
            task.judged,
            found["with_retrieval"],
            p,
            truth,
            thresholds_after=limits,
            thresholds_before=limits,
            **how,
        )
        | task.text_scores(labelled.rows, names, found["with_retrieval"], p, **how)
        for name, p in found.items()
        if name != "with_retrieval"
    }
    shown = len({row.number for row in labelled.rows})
    return {
        "task": task.name,
        "pictures": shown,
        "set_aside": len(labelled.rejected),
        **({"questions": len(labelled)} if task.unit == "question" else {}),
        "reasons": [str(r) for r in labelled.rejected[:10]],
        "rows": tables_json(rows),
        "differences": tables_json(differences),
    }


def answer_examples(
    model: LabelPipeline | AskPipeline, labelled: Examples, random: np.random.Generator
) -> Sequence[Answer]:
    """See :meth:`ravl.tasks.contract.Task.answer_examples`."""
    asked = examples_of(labelled, model.labeller.task, model.memory)
    asked = asked.take(one_of_each_picture(asked.rows, random))
    return model.results(queries_of(model, asked), asked.shown)


def queries_of(model: LabelPipeline | AskPipeline, labelled: Examples) -> Queries:
    """Pictures as a model looks at them, with what is asked about them."""
    asked = [model.labeller.task.question(row) for row in labelled.rows]
    texts = [question for question in asked if question is not None] or None
    return Queries(labelled.features, _tuned(model, labelled), texts)


def _tuned(model: LabelPipeline | AskPipeline, labelled: Examples) -> Any:
    """Features by the run's own tower, where it has one."""
    if not isinstance(model, LabelPipeline) or not model.has_tower:
        return None
    parts: list[Any] = []
    for start in range(0, len(labelled), BLOCK):
        rows = labelled.rows[start : start + BLOCK]
        try:
            parts.append(model.tuned([labelled.source.picture(row) for row in rows]))
        except PictureError as error:
            raise DataError(f"A picture of the data has gone since it was read: {error}") from error
    return np.concatenate(parts)
