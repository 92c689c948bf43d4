"""The reference for drift: a run's answers to its test split, as it gives them to everybody.

The run answers once more after it was judged. When it was judged the memory had hidden all that is
held out; every later question meets the whole memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ravl.data import Example
from ravl.memory import Memory, Row
from ravl.runs.answers import Answer
from ravl.runs.drift_reference import Reference, write_reference
from ravl.runs.run import Run
from ravl.runs.signals import Signals
from ravl.tasks import registry
from ravl.tasks.model import Model
from ravl.training.examples import Examples

MOST = 2000  # pictures that are answered; more make a test slower, and hardly better
SLOW = 300  # the same where one answer takes long


def keep_reference(run: Run, memory: Memory, test: Examples) -> Reference:
    """Let a run answer pictures that it was not trained on, and keep the signals in its folder.

    Args:
        run: that was fitted.
        memory: to answer from.
        test: held-out pictures.
    """
    answers = answers_to(Model(run, memory), test)
    return write_reference(run.folder, Signals.of(answers), memory.version)


def askable(model: Model) -> Callable[[Row | Example], Sequence[str]]:
    """What a run can be asked about the picture of a row; the row's id where that is enough.

    Args:
        model: of a run.
    """
    assert model.run is not None
    task = registry.of_run(model.run)
    if not task.beside:
        return lambda row: (row.id,)
    return lambda row: task.asks(model.predictor, row)


def answers_to(model: Model, examples: Examples) -> Sequence[Answer]:
    """What a run answers to pictures, none of which is shown itself or a near-duplicate.

    Of very many pictures a random part is taken, and of several texts or questions about a picture
    one: two questions about one picture are no more independent than the same picture twice.

    Args:
        model: of a run.
        examples: n pictures, each :func:`askable`. A picture that the task cannot make an example
            of, such as one whose questions have no answers, is passed over.
    """
    assert model.run is not None
    task, random = registry.of_run(model.run), np.random.default_rng(0)
    most = SLOW if task.slow(model.predictor) else MOST
    chosen = random.permutation(len(examples))[:most]
    return task.answer_examples(model.predictor, examples.take(np.sort(chosen)), random)
