"""The reader: a fusion model at work, from arrays to logits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ravl.encoders.base import Array
from ravl.models.batch import Batch
from ravl.models.evidence import Evidence, gathered
from ravl.models.fusion import FusionModel
from ravl.models.silence_transformers import silence_transformers
from ravl.retrieval.datastore import Ints, Neighbours

__all__ = ["Evidence", "Reader", "gather"]

BATCH = 64  # queries of a pass


def gather(evidence: Evidence, positions: Ints, similarity: Array) -> dict[str, Tensor]:
    """The same as :func:`ravl.models.evidence.gathered`, as tensors."""
    arrays = gathered(evidence, positions, similarity)
    return {name: torch.from_numpy(values) for name, values in arrays.items()}


class Reader:
    """Answers queries with a fusion model, in batches.

    Args:
        model: whose device is used.
    """

    def __init__(self, model: FusionModel) -> None:
        self.model: Any = model.eval()  # type: ignore[no-untyped-call]

    @property
    def evidence(self) -> int:
        """How many neighbours it reads, 0 for a model that was trained without."""
        return int(self.model.config.evidence)

    @torch.inference_mode()
    def __call__(
        self,
        features: Array,
        neighbours: Neighbours | None = None,
        evidence: Evidence | None = None,
        base: Array | None = None,
        tokens: Sequence[Tensor] | None = None,
    ) -> Array:
        """Logits (n, C).

        Args:
            features: of the queries' pictures, standardised, (n, F).
            neighbours: their neighbours; None to answer without.
            evidence: of the datastore that the neighbours are from.
            base: inputs of the base answer, (n, B); None for the features.
            tokens: ids of each query's text, if it has one.
        """
        self.model.eval()
        device = self.model.device
        parts: list[Array] = []
        for start in range(0, len(features), BATCH):
            some = slice(start, start + BATCH)
            inputs: Batch = {"features": torch.from_numpy(features[some])}
            if base is not None:
                inputs["base"] = torch.from_numpy(base[some])
            if tokens is not None:
                inputs["tokens"] = torch.nn.utils.rnn.pad_sequence(
                    list(tokens[some]), batch_first=True
                )
            if neighbours is not None and evidence is not None and self.evidence:
                k = self.evidence
                inputs["neighbours"] = gather(
                    evidence, neighbours.positions[some, :k], neighbours.similarity[some, :k]
                )
            parts.append(self.model(**_to(inputs, device)).logits.float().cpu().numpy())
        parts = parts or [np.zeros((0, self.model.config.answers), np.float32)]
        return np.concatenate(parts)

    @torch.inference_mode()
    def base(self, inputs: Array) -> Array:
        """The base answer's logits (n, C) alone, from its inputs (n, B)."""
        found = self.model.base(torch.from_numpy(inputs).to(self.model.device))
        logits: Array = found.float().cpu().numpy()
        return logits

    def save(self, folder: Path) -> None:
        """Weights and configuration, as transformers keeps them."""
        with silence_transformers():
            self.model.save_pretrained(folder)

    @classmethod
    def load(cls, folder: Path) -> Reader:
        """The inverse of :meth:`save`."""
        with silence_transformers():
            model: Any = FusionModel.from_pretrained(
                folder, use_safetensors=True, local_files_only=True
            )
        if torch.cuda.is_available():
            model.to("cuda")
        return cls(model)


def _to(inputs: Batch, device: torch.device) -> Batch:
    return {
        name: _to(value, device) if isinstance(value, dict) else value.to(device)
        for name, value in inputs.items()
    }
