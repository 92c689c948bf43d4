"""What the evaluation of a run is for every task: answers with retrieval and without, compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from ravl.data import Rejected
from ravl.evaluation import Score
from ravl.json_types import JsonObject
from ravl.memory import Row
from ravl.runs.learned import learned_hashes
from ravl.runs.run import Run
from ravl.training.run_record import tables_json

Answers = TypeVar("Answers")
RETRIEVAL = "with_retrieval"
REASONS = 10  # pictures that could not be read, of which the reason is given


def answer_rows(judge: Callable[[bool, bool], Answers], has_model: bool) -> dict[str, Answers]:
    """Answers by row: with retrieval; with a model also without retrieval, and by the vote alone.

    Args:
        judge: answers, given ``retrieval`` and ``vote_only``.
        has_model: the run has a model beside the vote.
    """
    rows = {RETRIEVAL: judge(True, False)}
    if has_model:
        rows |= {"no_retrieval": judge(False, False), "vote": judge(True, True)}
    return rows


def learned_from(run: Run | None, rows: Sequence[Row]) -> int:
    """How many pictures of some rows a run was fitted to, or chosen by; 0 where it does not say.

    Their scores are too good for new pictures: what was fitted has seen their labels.

    Args:
        run: the run; None for none.
        rows: that are judged.
    """
    known = None if run is None else learned_hashes(run)
    return len({row.hash for row in rows} & known) if known else 0


def evaluation_json(
    task: str,
    rows: Mapping[str, Answers],
    measure: Callable[[Answers], Mapping[str, Score]],
    compare: Callable[[Answers, Answers], Mapping[str, Score]],
    rejected: Sequence[Rejected],
    **counts: int,
) -> JsonObject:
    """The result of an evaluation, see :func:`ravl.tasks.fit.evaluate`.

    Args:
        task: its name.
        rows: answers by row, with one row ``with_retrieval``.
        measure: the scores of answers.
        compare: the scores of some answers minus those of others, paired.
        rejected: pictures that could not be read.
        **counts: of ``pictures``, of those that were ``learned_from``, and of what was asked about
            them, such as ``pairs``.
    """
    best = rows[RETRIEVAL]
    differences = {
        f"{RETRIEVAL} - {name}": compare(best, other)
        for name, other in rows.items()
        if name != RETRIEVAL
    }
    return {
        "task": task,
        **counts,
        "set_aside": len(rejected),
        "reasons": [str(each) for each in rejected[:REASONS]],
        "rows": tables_json({name: measure(answers) for name, answers in rows.items()}),
        "differences": tables_json(differences),
    }
