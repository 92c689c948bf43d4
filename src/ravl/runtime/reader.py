"""The fusion model of an export: :class:`ravl.models.reader.Reader` in onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ravl.encoders.base import Array, Numbers
from ravl.json_types import JsonRecord
from ravl.models.evidence import Evidence, gathered
from ravl.models.generation.reading import padded
from ravl.retrieval.datastore import Ints, Neighbours
from ravl.runtime.names import BASE, FUSION
from ravl.runtime.sessions import Session

BATCH = 64  # queries per batch


class OnnxReader:
    """Answers queries with an exported fusion model, in batches.

    Args:
        folder: of its files.
        about: its entry in the manifest.
    """

    def __init__(self, folder: Path, about: JsonRecord) -> None:
        from safetensors.numpy import load_file

        self._session = Session(folder / f"{FUSION}.onnx")
        self._base = load_file(folder / BASE)
        self.evidence = int(about["evidence"])

    def __call__(
        self,
        features: Array,
        neighbours: Neighbours | None = None,
        evidence: Evidence | None = None,
        base: Array | None = None,
        tokens: Sequence[Ints] | None = None,
    ) -> Array:
        """Logits (n, C); see :meth:`ravl.models.reader.Reader.__call__`."""
        parts = [np.zeros((0, len(self._base["bias"])), np.float32)]
        for start in range(0, len(features), BATCH):
            some = slice(start, start + BATCH)
            count = len(features[some])
            inputs: dict[str, Numbers] = {
                "features": features[some],
                "base": features[some] if base is None else base[some],
                "tokens": np.zeros((count, 1), np.int64)
                if tokens is None
                else padded([ids.tolist() for ids in tokens[some]]),
            }
            if self.evidence:
                inputs |= self._near(count, some, neighbours, evidence)
            parts.append(self._session(**inputs)[0])
        return np.concatenate(parts)

    def base(self, inputs: Array) -> Array:
        """The logits of the base answer (n, C), from its inputs (n, B)."""
        found: Array = inputs @ self._base["weight"].T + self._base["bias"]
        return found

    def _near(
        self, count: int, some: slice, neighbours: Neighbours | None, evidence: Evidence | None
    ) -> dict[str, Numbers]:
        """The neighbours; an empty table without retrieval."""
        k = self.evidence
        if neighbours is not None and evidence is not None:
            arrays = gathered(
                evidence, neighbours.positions[some, :k], neighbours.similarity[some, :k]
            )
            return near_inputs(arrays)
        return no_neighbours(self._session, count)


def near_inputs(arrays: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """Neighbours of :func:`gathered`, by the names of the graph's inputs."""
    return {f"near_{name}": values for name, values in arrays.items()}


def no_neighbours(session: Session, count: int) -> dict[str, Numbers]:
    """Inputs of a graph for queries without neighbours."""
    tables = {
        name: (count, 0, session.width(f"near_{name}")) for name in ("features", "labels", "texts")
    }
    arrays: dict[str, Numbers] = {n: np.zeros(s, np.float32) for n, s in tables.items()}
    arrays["likeness"] = np.zeros((count, 0), np.float32)
    arrays |= {name: np.zeros((count, 0), np.bool_) for name in ("picture", "label", "text")}
    return near_inputs(arrays)
