"""What a fusion model reads of a live view's rows: made for the neighbours that are read alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ravl.encoders import Encoder
from ravl.encoders.base import Array, normalise
from ravl.memory import Memory
from ravl.models.evidence import Made
from ravl.models.linear import Standardizer
from ravl.retrieval.datastore import Ints
from ravl.runs.evidence_arrays import MadeEvidence, name_vectors
from ravl.tasks.labels.live import LiveLabels
from ravl.tasks.labels.predictor import LabelPredictor
from ravl.tasks.labels.targets import LabelTargets


class EvidenceSource:
    """What a reader may read of a memory's rows.

    Args:
        standard: makes features fit for the reader.
        task: whose texts it reads.
        memory: to follow.
    """

    def __init__(self, standard: Standardizer, task: LabelTargets, memory: Memory) -> None:
        self._standard, self._task, self._memory = standard, task, memory
        self._vectors: tuple[Encoder, dict[str, Array]] | None = None

    def at(self, label_matrix: LiveLabels) -> MadeEvidence:
        """Of the rows of a label matrix."""
        datastore, names = label_matrix.datastore, self._names(label_matrix.names)
        texts, has_text = self._task.texts(datastore.view, self._memory)

        def labels(rows: Ints) -> Array:
            flat = rows.ravel()
            weights = label_matrix.table[flat] * label_matrix.worth[flat][:, None]
            found = normalise(weights @ names) * label_matrix.worth[flat][:, None]
            return found.reshape(*rows.shape, names.shape[1])

        return MadeEvidence(
            Made(len(datastore), lambda rows: self._standard(datastore.features_at(rows))),
            Made(len(datastore), labels),
            texts,
            Made(len(datastore), lambda rows: label_matrix.worth[rows] > 0),
            has_text,
        )

    def _names(self, names: Sequence[str]) -> Array:
        """Vectors of bare names, (C, D), each of which is read once."""
        encoder = self._task.encoder(self._memory)
        if self._vectors is None or self._vectors[0] is not encoder:
            self._vectors = encoder, {}
        known = self._vectors[1]
        new = [name for name in names if name not in known]
        known.update(zip(new, name_vectors(encoder, new), strict=True))
        if not names:
            return name_vectors(encoder, names)
        return np.stack([known[name] for name in names])


def evidence_source(labeller: LabelPredictor, memory: Memory) -> EvidenceSource | None:
    """What a labeller's reader may read; None where it has no reader, or one that reads nothing."""
    if labeller.reader is None or not labeller.reader.evidence:
        return None
    return EvidenceSource(labeller.standard, labeller.task, memory)
