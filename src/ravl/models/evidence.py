"""The neighbours as input arrays of a fusion model; needs no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ravl.encoders.base import Array, Numbers
from ravl.retrieval.datastore import Ints


class Lookup(Protocol):
    """Something about each of N rows: an array, or what makes it for the rows that are read."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Ints, /) -> Numbers:
        """Of some rows, (..., F) or (...,)."""


class Evidence(Protocol):
    """See :class:`ravl.runs.evidence_arrays.EvidenceArrays`."""

    @property
    def features(self) -> Lookup:
        """(N, F)."""

    @property
    def labels(self) -> Lookup:
        """(N, D)."""

    @property
    def texts(self) -> Lookup:
        """(N, D)."""

    @property
    def has_label(self) -> Lookup:
        """(N,)."""

    @property
    def has_text(self) -> Lookup:
        """(N,)."""


@dataclass(frozen=True, slots=True)
class Made:
    """A lookup about so many rows that makes what is asked for."""

    count: int
    make: Callable[[Ints], Numbers]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, rows: Ints, /) -> Numbers:
        return self.make(rows)


def gathered(evidence: Evidence, positions: Ints, similarity: Array) -> dict[str, Numbers]:
    """The input ``neighbours`` of a fusion model, for b queries with k neighbours each.

    Args:
        evidence: of the datastore's rows.
        positions: of the neighbours, (b, k), -1 for no neighbour.
        similarity: (b, k).
    """
    found = positions >= 0
    return {
        "features": evidence.features[positions],  # (b, k, F)
        "labels": evidence.labels[positions],  # (b, k, D)
        "texts": evidence.texts[positions],  # (b, k, D)
        "likeness": np.where(found, similarity, 0).astype(np.float32),
        "picture": found,
        "label": found & evidence.has_label[positions],
        "text": found & evidence.has_text[positions],
    }
