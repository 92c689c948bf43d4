"""An export beside its run, on the memory's own pictures: the same numbers, the same answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ravl.encoders import Encoder
from ravl.exports.onnx_files import difference
from ravl.memory import Memory, Row
from ravl.runs.networks import Networks
from ravl.runs.run import Run
from ravl.tasks.model import Model

QUESTION = "what is this?"  # for rows without one


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

    def __call__(self, *given: Any, **how: Any) -> Any:
        """The answer of the first."""
        found = self.first(*given, **how)
        if isinstance(found, np.ndarray):  # logits
            self._note(self.second(*given, **how), found)
        return found

    def features(self, prepared: Any) -> Any:
        """Of a tower."""
        found = self.first.features(prepared)
        self._note(self.second.features(prepared), found)
        return found

    def log_probabilities(self, requests: Any, texts: Any) -> Any:
        """Of a generator: log probabilities of given texts, by token."""
        found = self.first.log_probabilities(requests, texts)
        other = self.second.log_probabilities(requests, texts)
        self._note(*(np.array([c.mean for its in x for c in its]) for x in (other, found)))
        return found

    def _note(self, found: Any, expected: Any) -> None:
        self.seen[0] = max(self.seen[0], difference(found, expected))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.first, name)


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

    def generator(self, folder: Path, max_new_tokens: int) -> Any:
        """See :class:`Networks`."""
        other = self.second.generator(self.export / folder.name, max_new_tokens)
        return self._both("write", self.first.generator(folder, max_new_tokens), other)

    def tower(self, folder: Path, encoder: Encoder) -> Any:
        """See :class:`Networks`."""
        other = self.second.tower(self.export / folder.name, encoder)
        return self._both("vision", self.first.tower(folder, encoder), other)

    def _both(self, name: str, first: Any, second: Any) -> Both:
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

    def to_json(self) -> dict[str, Any]:
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
    """

    rows: Sequence[Row]
    memory: Memory

    @classmethod
    def of(cls, memory: Memory, count: int, task: str) -> Sample:
        """So many rows at most, spread over the memory; rows with data for the task first."""
        speaks = {"classify": "label", "tag": "tags", "ask": "qa"}.get(task, "texts")
        rows = [row for row in memory if row.hash is not None]
        loud = [row for row in rows if getattr(row, speaks)] or rows
        chosen = np.unique(np.linspace(0, len(loud) - 1, min(count, len(loud))).astype(int))
        return cls([loud[i] for i in chosen.tolist()], memory)

    def answers(self, model: Model) -> list[tuple[str, float]]:
        """What a model says, and how sure it is: to each row, for match to two texts of each."""
        pictures = [self.memory.picture(row) for row in self.rows]
        task: Any = model.task
        if not pictures:
            return []
        if task == "match":
            texts = [row.texts[0] if row.texts else row.id for row in self.rows]
            pairs = [
                *zip(pictures, texts, strict=True),
                *zip(pictures, texts[1:] + texts[:1], strict=True),
            ]
            found = model.match([p for p, _ in pairs], [t for _, t in pairs])
            return [(str(one.fits), one.score) for one in found]
        if task == "ask":
            asked = [row.qa[0].question if row.qa else QUESTION for row in self.rows]
            replies = model.ask(pictures, asked)
            return [(one.answer, one.confidence) for one in replies]
        if task == "caption":
            return [(one.text, one.confidence) for one in model.caption(pictures)]
        if task == "tag":
            return [("; ".join(one.tags), one.confidence) for one in model.tag(pictures)]
        return [(one.label, one.confidence) for one in model.classify(pictures)]


def agreement(first: Sequence[tuple[str, float]], second: Sequence[tuple[str, float]]) -> Agreement:
    """How far two models answer alike."""
    same = sum(a[0] == b[0] for a, b in zip(first, second, strict=True))
    apart = [abs(a[1] - b[1]) for a, b in zip(first, second, strict=True)]
    return Agreement(len(first), same, max(apart, default=0.0))


def beside(run: Run, export: Run, memory: Memory) -> tuple[Model, BothNetworks]:
    """A model of the run whose networks have the export's beside them."""
    both = BothNetworks(run.networks, export.networks, export.folder)
    return Model(Run(run.folder, run.record, both), memory), both
