"""Augmentation: a run writes captions, labels or tags for pictures of its memory that have none.

What is written is kept apart from what people said: in columns of its own, with its confidence and
where it comes from. Nothing reads it unless it is asked for, and it can be filtered, looked
through, and erased.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ravl.data import Scalar
from ravl.errors import PictureError, QueryError
from ravl.memory import Memory, Row
from ravl.progress import progress_bar
from ravl.tasks.model import Model

COLUMN = {"caption": "generated_caption", "classify": "generated_label", "tag": "generated_tags"}
CONFIDENCE, PROVENANCE = "generated_confidence", "generated_by"
AT_ONCE = 64  # pictures that are answered, and written, together


@dataclass(frozen=True, slots=True)
class Augmented:
    """What was written.

    Args:
        written: rows that have a generated text, label or tags now.
        unsure: rows that were left alone, since the run was not sure enough.
        broken: pictures that could not be read.
        column: where it was written.
    """

    written: int
    unsure: int
    broken: int
    column: str


def augment(
    model: Model, *, where: str | None = None, least: float = 0.0, again: bool = False,
    limit: int | None = None, progress: bool | None = None,
) -> Augmented:  # fmt: skip
    """Have a run write for the rows of its memory that people have said nothing about.

    Safe to interrupt: what is written stays, and the same call goes on with the rest.

    Args:
        model: a loaded run of the task caption, classify or tag; its memory is written to.
        where: only rows that this filter lets through.
        least: confidence from which an answer is written, 0 to 1.
        again: write anew where something generated is there already.
        limit: rows at most.
        progress: show a bar; None shows it on a terminal.

    Raises:
        QueryError: the run is of another task, or ``least`` is out of range.
    """
    if model.run is None:
        raise QueryError(
            f"{model.memory.path} is a memory. Name a run that writes, such as one of ravl fit "
            "caption; it writes into its own memory, or into the one given with --memory."
        )
    if model.task not in COLUMN:
        raise QueryError(
            f"A run of the task {model.task} writes nothing that could be kept; those that do: "
            f"{', '.join(COLUMN)}."
        )
    if not 0 <= least <= 1:
        raise QueryError(f"The least confidence is {least:g}; it must lie between 0 and 1.")
    name = model.run.folder.name
    column, memory = COLUMN[model.task], model.memory
    silent = [row for row in memory.rows(where) if _silent(row, model.task, column, again)]
    silent = silent[:limit]
    counts: Counter[str] = Counter()
    with progress_bar("Augmenting", "pictures", progress) as advance:
        for start in range(0, len(silent), AT_ONCE):
            some = silent[start : start + AT_ONCE]
            readable = [(row, picture) for row in some if (picture := _picture(memory, row))]
            counts["broken"] += len(some) - len(readable)
            answers = getattr(model, model.task)([picture for _, picture in readable])
            told: dict[str, Mapping[str, Scalar]] = {}
            for (row, _), answer in zip(readable, answers, strict=True):
                value = _value(model.task, answer)
                if value and answer.confidence >= least:
                    told[row.id] = {
                        column: value, CONFIDENCE: round(float(answer.confidence), 4),
                        PROVENANCE: name,
                    }  # fmt: skip
                else:
                    counts["unsure"] += 1
            what = f"augment: {model.task} by {name}"
            counts["written"] += memory.update_columns(told, what)
            advance(len(some), len(silent), "")
    return Augmented(counts["written"], counts["unsure"], counts["broken"], column)


def _silent(row: Row, task: str, column: str, again: bool) -> bool:
    """Whether nobody has said anything about a picture for the task."""
    said: dict[str, Any] = {"caption": row.texts, "classify": row.label, "tag": row.tags}
    return row.hash is not None and not said[task] and (again or column not in row.columns)


def _picture(memory: Memory, row: Row) -> Any:
    try:
        return memory.picture(row)
    except PictureError:
        return None


def _value(task: str, answer: Any) -> str:
    if task == "tag":
        return json.dumps(list(answer.tags), ensure_ascii=False) if answer.tags else ""
    return str(answer.text if task == "caption" else answer.label)
