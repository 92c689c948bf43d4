"""``ravl evaluate`` of a run that writes: texts about pictures that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ravl.data import ColumnNames
from ravl.evaluation.generation import compare_texts, measure_text
from ravl.json_types import JsonObject
from ravl.runs.answers import Answer
from ravl.tasks.caption.dataset import texts_of
from ravl.tasks.caption.predictor import Pictures
from ravl.tasks.caption.writer import TextPipeline
from ravl.tasks.model import Model
from ravl.training.evaluation import answer_rows, evaluation_json, learned_from
from ravl.training.example_source import judged
from ravl.training.examples import (
    Examples,
    none_labelled,
    one_of_each_picture,
    read_labelled,
)


def examples_seen(
    model: TextPipeline, examples: Examples
) -> tuple[Examples, Pictures, list[list[str]]]:
    """What is written about, of some pictures.

    Args:
        model: that will be asked.
        examples: pictures with texts.

    Returns:
        The examples, they themselves or questions about them; as the model looks at them; and what
        people wrote of each.
    """
    looks = [partial(examples.source.picture, row) for row in examples.rows]
    seen = model.seen(examples.features, looks)  # each once, whatever is asked about it
    task = model.task
    rows, features, owners = task.examples(examples.rows, examples.features, model.memory)
    examples = replace(examples.take(owners), rows=rows, features=features)
    seen = model.about(seen.take(owners), rows, features, examples.shown)
    return examples, seen, [texts_of(task, row) for row in rows]


def answer_examples(
    model: TextPipeline, examples: Examples, random: np.random.Generator
) -> Sequence[Answer]:
    """See :meth:`ravl.tasks.contract.Task.answer_examples`."""
    asked, seen, _ = examples_seen(model, examples)
    chosen = one_of_each_picture(asked.rows, random)
    return model.results(seen.take(chosen), asked.take(chosen).shown)


def evaluate_texts(
    model: Model | TextPipeline,
    data: str | Path,
    *,
    columns: ColumnNames | None = None,
    root: str | Path | None = None,
    progress: bool | None = None,
    seed: int = 0,
) -> JsonObject:
    """Scores of a run on pictures with texts; see :func:`ravl.tasks.fit.evaluate`.

    Rows that show a picture, or a near-duplicate of it, are hidden from it.

    Args:
        model: a :class:`TextPipeline`, or one that has it as ``predictor``.
        data, columns, root, progress, seed: as there.

    Raises:
        DataError: no picture with a text.
    """
    predictor: TextPipeline = model.predictor if isinstance(model, Model) else model
    memory, task = predictor.memory, predictor.task
    with judged(memory, data, columns, progress, root) as (source, where):
        examples = read_labelled(source, memory, task.of, where)
        if not len(examples):
            raise none_labelled(source, task.noun, task.column)
        counts, rejected = {"pictures": len(examples)}, examples.rejected
        counts["learned_from"] = learned_from(predictor.run, examples.rows)
        examples, seen, texts = examples_seen(predictor, examples)
        written = answer_rows(
            lambda retrieval, vote_only: [
                each.best
                for each in predictor.judge(
                    seen, examples.shown, retrieval=retrieval, vote_only=vote_only
                )
            ],
            predictor.has_generator,
        )
    kind, groups = task.output_kind, examples.groups
    if task.unit == "question":
        counts["questions"] = len(examples)
    return evaluation_json(
        task.name,
        written,
        lambda found: measure_text(kind, found, texts, groups=groups, seed=seed),
        lambda after, before: compare_texts(kind, after, before, texts, groups=groups, seed=seed),
        rejected,
        **counts,
    )
