"""What a run says to rows of its own memory, by what is kept of their pictures."""

from __future__ import annotations

from ravl.retrieval.datastore import Datastore, Ints
from ravl.runs.answers import Answer
from ravl.tasks.labels.model import LabelPipeline
from ravl.tasks.labels.predictor import Queries

BATCH = 256  # rows that are answered in one pass


def answers_to_rows(model: LabelPipeline, datastore: Datastore, chosen: Ints) -> list[Answer]:
    """Answers to rows, which see neither themselves nor their near-duplicates.

    Their features are kept, so that no picture is looked at, unless the run has a tower of its own.

    Args:
        model: the run.
        datastore: of the memory that it answers from.
        chosen: positions of the rows in it.

    Raises:
        PictureError: the run's own tower must see a picture that is not there any more.
    """
    answers: list[Answer] = []
    for start in range(0, len(chosen), BATCH):
        part = chosen[start : start + BATCH]
        tuned = None
        if model.has_tower:
            tuned = model.tuned([model.memory.picture(datastore.rows[i]) for i in part])
        hidden = [datastore.groups[i : i + 1] for i in part]
        answers += model.results(Queries(datastore.features[part], tuned), hidden)
    return answers
