"""An export beside its run, on the memory's own pictures: the same numbers, the same answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ravl.encoders import Encoder
from ravl.encoders.base import Array
from ravl.exports.onnx_files import difference
from ravl.json_types import JsonObject
from ravl.memory import Memory, Row
from ravl.models.generation.base import Candidate, GenerationRequest, ScoringGenerator
from ravl.runs.networks import Networks, PictureTower
from ravl.runs.run import Run
from ravl.tasks.contract import Pipeline, Task
from ravl.tasks.model import Model

N = TypeVar("N")
QUESTION = "what is this?"  # for rows without a text or question


@dataclass(eq=False)
class Both:
    """Asks two networks the same, gives the first's answer, and keeps how far they differ.

    Args:
        first, second: with the same methods.
        seen: largest difference so far, in a list of one.
    """

    first: Any
    second: Any
    seen: list[float]

    def __call__(self, *given: object, **how: object) -> object:
        """The answer of the first."""
        found: object = self.first(*given, **how)
        if isinstance(found, np.ndarray):  # logits
            self._note(self.second(*given, **how), found)
        return found

    def features(self, prepared: Sequence[Array]) -> Array:
        """Of a tower."""
        found: Array = self.first.features(prepared)
        self._note(self.second.features(prepared), found)
        return found

    def log_probabilities(
        self, requests: Sequence[GenerationRequest], texts: Sequence[Sequence[str]]
    ) -> list[list[Candidate]]:
        """Of a generator: log probabilities of given texts, by token."""
        found: list[list[Candidate]] = self.first.log_probabilities(requests, texts)
        other = self.second.log_probabilities(requests, texts)
        self._note(*(np.array([c.mean for its in x for c in its]) for x in (other, found)))
        return found

    def _note(self, found: Array, expected: Array) -> None:
        self.seen[0] = max(self.seen[0], difference(found, expected))

    def __getattr__(self, name: str) -> object:
        found: object = getattr(self.first, name)
        return found


@dataclass(eq=False)
class BothNetworks:
    """Networks of a run, each with its export beside it; see :class:`Networks`.

    Args:
        first: the run's.
        second: the export's.
        export: its folder.
        seen: the largest difference of each kind of network.
    """

    first: Networks
    second: Networks
    export: Path
    seen: dict[str, list[float]] = field(default_factory=dict)

    def reader(self, folder: Path, max_length: int) -> tuple[Any, Any]:
        """See :class:`Networks`."""
        reader, words = self.first.reader(folder, max_length)
        other, _ = self.second.reader(self.export / folder.name, max_length)
        return self._both("fusion", reader, other), words

    def generator(self, folder: Path, max_new_tokens: int) -> ScoringGenerator:
        """See :class:`Networks`."""
        other = self.second.generator(self.export / folder.name, max_new_tokens)
        own = self.first.generator(folder, max_new_tokens)
        both: ScoringGenerator = self._both("write", own, other)
        return both

    def tower(self, folder: Path, encoder: Encoder) -> PictureTower:
        """See :class:`Networks`."""
        other = self.second.tower(self.export / folder.name, encoder)
        both: PictureTower = self._both("vision", self.first.tower(folder, encoder), other)
        return both

    def _both(self, name: str, first: N, second: N) -> Any:
        return Both(first, second, self.seen.setdefault(name, [0.0]))


@dataclass(frozen=True)
class Agreement:
    """Answers of two models to the same questions.

    Args:
        compared: how many.
        same: of them, in words.
        confidence: largest difference of how sure they are.
    """

    compared: int
    same: int
    confidence: float

    def to_json(self) -> JsonObject:
        """As JSON types."""
        return {
            "compared": self.compared,
            "same": self.same,
            "confidence": round(self.confidence, 6),
        }


@dataclass(frozen=True, eq=False)
class Sample:
    """Some pictures of a memory, with what is asked about them.

    Args:
        rows: with pictures.
        memory: that they are from.
        task: that answers.
    """

    rows: Sequence[Row]
    memory: Memory
    task: Task

    @classmethod
    def of(cls, memory: Memory, count: int, task: Task) -> Sample:
        """So many rows at most, spread over the memory; rows with data for the task first."""
        rows = [row for row in memory if row.hash is not None]
        speaking = [row for row in rows if task.says(row)] or rows
        chosen = np.unique(np.linspace(0, len(speaking) - 1, min(count, len(speaking))).astype(int))
        return cls([speaking[i] for i in chosen.tolist()], memory, task)

    def answers(self, model: Model) -> list[tuple[str, float]]:
        """What a model says, and how sure it is.

        Each picture comes with its first text or question where the task takes one. A text may fit
        or not, so each picture comes with the text of another one as well.
        """
        pictures = [self.memory.picture(row) for row in self.rows]
        if not pictures:
            return []
        asked: list[Sequence[object]] = [pictures]
        if self.task.beside:
            texts = [next(iter(self.task.says(row)), QUESTION) for row in self.rows]
            asked = [pictures, texts]
            if self.task.beside == "text":
                asked = [pictures * 2, [*texts, *texts[1:], texts[0]]]
        pipeline: Pipeline = model.predictor
        found = pipeline.results(pipeline.look(*asked))
        return [(answer.said, answer.confidence) for answer in found]


def agreement(first: Sequence[tuple[str, float]], second: Sequence[tuple[str, float]]) -> Agreement:
    """How far two models answer alike."""
    same = sum(a[0] == b[0] for a, b in zip(first, second, strict=True))
    apart = [abs(a[1] - b[1]) for a, b in zip(first, second, strict=True)]
    return Agreement(len(first), same, max(apart, default=0.0))


def beside(run: Run, export: Run, memory: Memory) -> tuple[Model, BothNetworks]:
    """A model of the run whose networks have the export's beside them."""
    both = BothNetworks(run.networks, export.networks, export.folder)
    return Model(Run(run.folder, run.record, both), memory), both
