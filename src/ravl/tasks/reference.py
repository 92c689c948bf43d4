"""What a run is told drift by: its answers to the test part, as it gives them to everybody.

It answers once more, after it was judged: then the memory had hidden all that is held out, and
whoever asks later meets the memory as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ravl.memory import Memory, Row
from ravl.retrieval.datastore import Ints
from ravl.runs.answers import Answer
from ravl.runs.drift_reference import Reference, write_reference
from ravl.runs.run import Run
from ravl.runs.signals import Signals
from ravl.tasks.ask.entries import counts
from ravl.tasks.caption.evaluate import examples_seen
from ravl.tasks.caption.writer import TextPipeline
from ravl.tasks.labels.dataset import examples_of
from ravl.tasks.labels.evaluate import queries_of
from ravl.tasks.match.dataset import readable
from ravl.tasks.match.model import MatchPipeline
from ravl.tasks.model import Model
from ravl.training.examples import Examples

MOST = 2000  # pictures that are answered; more make a test slower, and hardly better
WRITTEN = 300  # the same where answers are written, which takes long


def keep_reference(run: Run, memory: Memory, test: Examples) -> Reference:
    """Let a run answer pictures that it was not trained on, and keep the signals in its folder.

    Args:
        run: that was fitted.
        memory: to answer from.
        test: held-out pictures.
    """
    answers = answers_to(Model(run, memory), test)
    return write_reference(run.folder, Signals.of(answers), memory.version)


def askable(model: Model) -> Callable[[Row], Sequence[str]]:
    """What a run can be asked of a row with a picture; the row's id where that is enough."""
    predictor: Any = model.predictor
    if model.task == "match":
        return lambda row: readable(predictor.matcher.task, predictor.base, row)
    if model.task == "ask":
        return lambda row: [qa.question for qa in row.qa if counts(qa)]
    return lambda row: (row.id,)


def answers_to(model: Model, labelled: Examples) -> Sequence[Answer]:
    """What a run answers to pictures, none of which is shown itself or a near-duplicate.

    Of very many pictures a random part is taken, and of several texts or questions about a picture
    one: what is asked about the same picture is no more independent than the same picture twice.

    Args:
        model: the run.
        labelled: n pictures; for match with texts that the encoder reads, for ask with answered
            questions.
    """
    predictor: Any = model.predictor
    random = np.random.default_rng(0)
    writes = isinstance(predictor, TextPipeline) and predictor.has_generator
    chosen = random.permutation(len(labelled))[: WRITTEN if writes else MOST]
    labelled = labelled.take(np.sort(chosen))
    if isinstance(predictor, MatchPipeline):
        return _matched(predictor, labelled, random)
    if isinstance(predictor, TextPipeline):
        asked, seen, _ = examples_seen(predictor, labelled)
        chosen = one_each(asked.rows, random)
        found: Any = predictor
        return found.results(seen.take(chosen), asked.take(chosen).shown)  # type: ignore[no-any-return]
    asked = examples_of(labelled, predictor.labeller.task, model.memory)
    asked = asked.take(one_each(asked.rows, random))
    return predictor.results(queries_of(predictor, asked), asked.shown)  # type: ignore[no-any-return]


def one_each(rows: Sequence[Row], random: np.random.Generator) -> Ints:
    """Positions of one example of each picture, drawn; ascending."""
    order = random.permutation(len(rows))
    numbers = np.array([row.number for row in rows], np.int64)
    _, first = np.unique(numbers[order], return_index=True)
    return np.sort(order[first])


def _matched(
    model: MatchPipeline, labelled: Examples, random: np.random.Generator
) -> Sequence[Answer]:
    """Each picture with a text of its own."""
    said = [readable(model.matcher.task, model.base, row) for row in labelled.rows]
    texts = [its[int(random.integers(len(its)))] for its in said]
    each = np.arange(len(texts))
    return model.results(model.asked(labelled.features, texts, each, each), labelled.shown)
