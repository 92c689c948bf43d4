"""The reference: the signals of a run's test part at fitting time, kept in ``reference.json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ravl.drift.signals import Signals
from ravl.errors import DataError
from ravl.retrieval.bank import Ints
from ravl.tasks.label_model import LabelModel
from ravl.tasks.labeller import Queries
from ravl.tasks.run import write_json

REFERENCE = "reference.json"
MOST = 2000  # pictures of a reference; more make a test slower, and hardly better
TASKS = ("classify", "tag")  # that have one


@dataclass(frozen=True, eq=False)
class Reference:
    """What pictures were like when a run was fitted.

    Args:
        signals: of pictures that were held out of training.
        version: of the memory that answered.
    """

    signals: Signals
    version: int


def keep_reference(model: LabelModel, queries: Queries, hidden: Sequence[Ints]) -> Reference:
    """Let a run answer held-out pictures, and keep the signals in its folder.

    Args:
        model: the run.
        queries: held-out pictures; of very many, a random part is taken.
        hidden: for each the groups of the memory's rows that show the same picture.
    """
    if len(queries) > MOST:
        chosen = np.sort(np.random.default_rng(0).permutation(len(queries))[:MOST])
        queries, hidden = queries.take(chosen), [hidden[i] for i in chosen]
    return write_reference(model, Signals.of(model.results(queries, hidden)))


def write_reference(model: LabelModel, signals: Signals) -> Reference:
    """Keep signals in a run's folder as its reference."""
    version = model.memory.version
    record = {"format": 1, "memory_version": version, **signals.to_json()}
    write_json(model.run.folder / REFERENCE, record)
    return Reference(signals, version)


def read_reference(folder: Path) -> Reference:
    """The reference of a run.

    Raises:
        DataError: it has none, or a damaged one.
    """
    file = folder / REFERENCE
    if not file.is_file():
        raise DataError(
            f"{folder} does not tell what pictures were like when it was fitted: an older ravl "
            "made it. Fit it again, or name pictures of that time that it was not trained on: "
            f"ravl drift {folder} --reference PICTURES"
        )
    try:
        record = json.loads(file.read_text("utf-8"))
        return Reference(Signals.from_json(record), int(record["memory_version"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} is damaged ({error!r}). Make it anew: ravl drift {folder} --reference PICTURES"
        ) from error
