"""Augmentation: a run writes texts, labels, tags or answers for pictures that have none.

What is written is kept apart from what people said: in columns of its own, with its confidence and
where it comes from. Nothing reads it unless it is asked for, and it can be filtered, looked
through, and erased.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ravl.data import Scalar
from ravl.errors import PictureError, QueryError
from ravl.memory import Memory, Row
from ravl.progress import progress_bar
from ravl.runs.generated import COLUMNS, CONFIDENCE, PROVENANCE
from ravl.tasks.model import Model

COLUMN = dict(zip(("caption", "classify", "tag", "ask"), COLUMNS, strict=True))
AT_ONCE = 64  # pictures that are answered, and written, together
USUAL = 3  # of the questions that are asked most in a memory, those that are asked of others


@dataclass(frozen=True, slots=True)
class Augmented:
    """What was written.

    Args:
        written: rows that have a generated text, label, tags or answers now.
        unsure: rows that were left alone, since the run was not sure enough.
        broken: pictures that could not be read.
        column: where it was written.
    """

    written: int
    unsure: int
    broken: int
    column: str


def augment(
    model: Model,
    *,
    where: str | None = None,
    least: float = 0.0,
    again: bool = False,
    limit: int | None = None,
    questions: Sequence[str] = (),
    progress: bool | None = None,
) -> Augmented:
    """Have a run write for the rows of its memory that people have said nothing about.

    Safe to interrupt: what is written stays, and the same call goes on with the rest.

    Args:
        model: a loaded run of the task caption, classify, tag or ask; its memory is written to.
        where: only rows that this filter lets through.
        least: confidence from which an answer is written, 0 to 1.
        again: write anew where something generated is there already.
        limit: rows at most.
        questions: that a run of ask answers about each picture; none for those that are asked most
            often in the memory. Answers that are surer than ``least`` are written.
        progress: show a bar; None shows it on a terminal.

    Raises:
        QueryError: the run is of another task, ``least`` is out of range, or questions are named
            for a run that answers none.
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
    if questions and model.task != "ask":
        raise QueryError(
            f"A run of the task {model.task} answers no questions. Leave them out, or name a run "
            "of ravl fit ask."
        )
    name = model.run.folder.name
    column, memory = COLUMN[model.task], model.memory
    silent = [row for row in memory.rows(where) if _silent(row, model.task, column, again)]
    silent = silent[:limit]
    answering = _answering(model, questions)
    counts: Counter[str] = Counter()
    with progress_bar("Augmenting", "pictures", progress) as advance:
        for start in range(0, len(silent), AT_ONCE):
            some = silent[start : start + AT_ONCE]
            readable = [(row, picture) for row in some if (picture := _picture(memory, row))]
            counts["broken"] += len(some) - len(readable)
            answers = answering([picture for _, picture in readable])
            told: dict[str, Mapping[str, Scalar]] = {}
            for (row, _), answer in zip(readable, answers, strict=True):
                value, confidence = _value(model.task, answer, least)
                if value and confidence >= least:
                    told[row.id] = {
                        column: value,
                        CONFIDENCE: round(confidence, 4),
                        PROVENANCE: name,
                    }
                else:
                    counts["unsure"] += 1
            what = f"augment: {model.task} by {name}"
            counts["written"] += memory.update_columns(told, what)
            advance(len(some), len(silent), "")
    return Augmented(counts["written"], counts["unsure"], counts["broken"], column)


def _silent(row: Row, task: str, column: str, again: bool) -> bool:
    """Whether nobody has said anything about a picture for the task."""
    said: dict[str, Any] = {
        "caption": row.texts,
        "classify": row.label,
        "tag": row.tags,
        "ask": row.qa,
    }
    return row.hash is not None and not said[task] and (again or column not in row.columns)


def _picture(memory: Memory, row: Row) -> Any:
    try:
        return memory.picture(row)
    except PictureError:
        return None


def usual_questions(memory: Memory) -> list[str]:
    """The questions that most pictures of a memory are asked."""
    counts = Counter(qa.question for row in memory.rows() if row.hash for qa in row.qa)
    return [question for question, _ in counts.most_common(USUAL)]


def _answering(model: Model, questions: Sequence[str]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """A function: what a run says of some pictures; of ask a list of replies for each."""
    if model.task != "ask":
        answer: Callable[[Sequence[Any]], Sequence[Any]] = getattr(model, str(model.task))
        return answer
    questions = questions or usual_questions(model.memory)

    def ask(pictures: Sequence[Any]) -> Sequence[Any]:
        if not questions:
            return [[] for _ in pictures]
        flat = model.ask([p for p in pictures for _ in questions], list(questions) * len(pictures))
        size = len(questions)
        return [flat[i : i + size] for i in range(0, len(flat), size)]

    return ask


def _value(task: str, answer: Any, least: float) -> tuple[str, float]:
    """What is written, "" for nothing, and how sure it is: of several answers the least sure."""
    if task == "ask":
        kept = [reply for reply in answer if reply.answer and reply.confidence >= least]
        pairs = [{"question": reply.question, "answer": reply.answer} for reply in kept]
        sure = min((float(reply.confidence) for reply in kept), default=0.0)
        return json.dumps(pairs, ensure_ascii=False) if pairs else "", sure
    confidence = float(answer.confidence)
    if task == "tag":
        tags = json.dumps(list(answer.tags), ensure_ascii=False) if answer.tags else ""
        return tags, confidence
    return str(answer.text if task == "caption" else answer.label), confidence
