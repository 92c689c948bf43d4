"""The evidence of a fit: the memory's rows without what is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.memory import Memory
from ravl.models.vote import KS
from ravl.retrieval.datastore import Datastore, read_datastore
from ravl.retrieval.key_projection import KeyProjection
from ravl.training.examples import Examples


class EvidenceTask(Protocol):
    """What a task says about its evidence."""

    def datastore(self, memory: Memory, keys: Any = None) -> Datastore:
        """The memory's rows as they may be evidence."""

    def keys(self, features: Array) -> Any:
        """Keys for the features of rows, (N, F)."""


DEEPEST = 2 * max(KS)  # neighbours that are looked up once for all that is tried


def evidence_rows(
    memory: Memory, held: Sequence[Examples], task: EvidenceTask | None = None
) -> Datastore:
    """The datastore without what is held out; see :func:`evidence`.

    Raises:
        DataError: nothing is left.
    """
    hidden = np.unique(np.concatenate([part.seen_groups() for part in held]))
    datastore = read_datastore(memory) if task is None else task.datastore(memory)
    datastore = datastore.only(~np.isin(datastore.groups, hidden))
    if not len(datastore):
        raise DataError(
            f"All pictures in {memory.path} are held out for validation and test, so nothing is "
            "left as evidence. Index more pictures, or hold out fewer."
        )
    return datastore


def evidence(
    memory: Memory, held: Sequence[Examples], task: EvidenceTask | None = None
) -> tuple[Datastore, KeyProjection]:
    """The datastore without what is held out, and the keys by which it is searched.

    Args:
        memory: whose rows are evidence.
        held: the parts that are held out.
        task: that knows what may be evidence; None for all pictures.

    Raises:
        DataError: nothing is left.
    """
    datastore = evidence_rows(memory, held, task)
    keys = KeyProjection.of(datastore.features) if task is None else task.keys(datastore.features)
    return replace(datastore, keys=keys(datastore.features)), keys
