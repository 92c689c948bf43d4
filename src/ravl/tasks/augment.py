"""Augmentation: a run writes texts, labels, tags or answers for pictures that have none.

What is written is kept apart from what people said: in columns of its own, with its confidence and
where it comes from. Nothing reads it unless it is asked for, and it can be filtered, looked
through, and erased.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from ravl.data import Scalar
from ravl.errors import PictureError, QueryError
from ravl.memory import Memory, Row
from ravl.progress import progress_bar
from ravl.runs.answers import Answer
from ravl.runs.generated import CONFIDENCE, PROVENANCE
from ravl.runs.run import Run
from ravl.tasks import registry
from ravl.tasks.contract import Pipeline, Task
from ravl.tasks.model import Model
from ravl.tasks.pairing import OnePicture

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
        model: a loaded run of a task whose answers are kept, such as caption; its memory is
            written to.
        where: only rows that this filter lets through.
        least: confidence from which an answer is written, 0 to 1.
        again: write anew where something generated is there already.
        limit: rows at most.
        questions: for a run that answers questions: those that it answers about each picture;
            empty for those that are asked most often in the memory. Answers that are surer than
            ``least`` are written.
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
    task, column = _task_of(model.run)
    if not 0 <= least <= 1:
        raise QueryError(f"The least confidence is {least:g}; it must lie between 0 and 1.")
    if questions and not task.beside:
        raise QueryError(
            f"A run of the task {task.command} answers no questions. Leave them out, or name a run "
            "of ravl fit ask."
        )
    name = model.run.folder.name
    memory = model.memory
    silent = [row for row in memory.rows(where) if _silent(row, task, again)][:limit]
    answering = _answering(model.predictor, task, questions or usual_questions(memory))
    counts: Counter[str] = Counter()
    with progress_bar("Augmenting", "pictures", progress) as advance:
        for start in range(0, len(silent), AT_ONCE):
            some = silent[start : start + AT_ONCE]
            readable = [(row, picture) for row in some if (picture := _picture(memory, row))]
            counts["broken"] += len(some) - len(readable)
            answers = answering([picture for _, picture in readable])
            changes: dict[str, Mapping[str, Scalar]] = {}
            for (row, _), answer in zip(readable, answers, strict=True):
                value, confidence = task.generated(answer, least)
                if value and confidence >= least:
                    changes[row.id] = {
                        column: value,
                        CONFIDENCE: round(confidence, 4),
                        PROVENANCE: name,
                    }
                else:
                    counts["unsure"] += 1
            what = f"augment: {task.command} by {name}"
            counts["written"] += memory.update_columns(changes, what)
            advance(len(some), len(silent), "")
    return Augmented(counts["written"], counts["unsure"], counts["broken"], column)


def _task_of(run: Run) -> tuple[Task, str]:
    """The task of a run, and the column that its answers are written to.

    Raises:
        QueryError: they are written to none.
    """
    task = registry.of_run(run)
    if not task.generated_column:
        kept = {each.command: None for each in registry.tasks() if each.generated_column}
        raise QueryError(
            f"What a run of the task {task.command} answers is not kept in the memory; the tasks "
            f"whose answers are kept: {', '.join(kept)}."
        )
    return task, task.generated_column


def _silent(row: Row, task: Task, again: bool) -> bool:
    """Whether nobody has said anything about a picture for the task."""
    written = task.generated_column in row.columns
    return row.hash is not None and not task.says(row) and (again or not written)


def _picture(memory: Memory, row: Row) -> Image.Image | None:
    try:
        return memory.picture(row)
    except PictureError:
        return None


def usual_questions(memory: Memory) -> list[str]:
    """The questions that most pictures of a memory are asked."""
    counts = Counter(qa.question for row in memory.rows() if row.hash for qa in row.qa)
    return [question for question, _ in counts.most_common(USUAL)]


def _answering(
    pipeline: Pipeline, task: Task, questions: Sequence[str]
) -> Callable[[Sequence[OnePicture]], Sequence[object]]:
    """A function: what a run says of some pictures; with questions a list of replies for each."""

    def answer(pictures: Sequence[OnePicture]) -> Sequence[Answer]:
        return pipeline.results(pipeline.look(pictures)) if pictures else []

    def reply(pictures: Sequence[OnePicture]) -> Sequence[Sequence[Answer]]:
        if not questions or not pictures:
            return [[] for _ in pictures]
        each = [picture for picture in pictures for _ in questions]
        flat = pipeline.results(pipeline.look(each, list(questions) * len(pictures)))
        size = len(questions)
        return [flat[i : i + size] for i in range(0, len(flat), size)]

    return reply if task.beside else answer
