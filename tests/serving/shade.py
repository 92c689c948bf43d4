"""A task that ravl does not have, how bright a picture is, as a package might add it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ravl.memory import Memory
from ravl.retrieval.query import open_picture
from ravl.runs.answers import Answer, Evidence
from ravl.tasks.contract import Task
from ravl.tasks.options import HOW, Option
from ravl.training.loop_settings import LoopSettings

PLACE = f"{__name__}:ShadeTask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shade(Answer):
    """How bright a picture is.

    Args:
        shade: 0 for black, to 255 for white.
    """

    shade: float

    @property
    def said(self) -> str:
        return f"{self.shade:.0f}"

    def to_json(self) -> dict[str, Any]:
        return {"shade": self.shade, **Answer.to_json(self)}


class ShadePipeline:
    """Looks at pictures; its evidence is the first row of the memory."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def predict(
        self,
        pictures: Sequence[Any],
        beside: Sequence[str] | None = None,
        *,
        darker: float = 0.0,
        **_: Any,
    ) -> list[Shade]:
        row = next(iter(self.memory.rows()))
        return [
            Shade(
                shade=float(np.asarray(open_picture(picture, 64)).mean()) - darker,
                confidence=0.5,
                abstained=False,
                gate=1.0,
                scores={},
                memory={},
                model={},
                evidence=(Evidence(row, 0.9, 1.0, ("seen",)),),
            )
            for picture in pictures
        ]


class ShadeTask(Task):
    """How bright a picture is."""

    name = command = "shade"
    noun = field = "shade"
    summary = "Say how bright a picture is"
    purpose = "says how bright a picture is"
    untrained = True
    options = (*HOW, Option("darker", float, "To be taken off.", 0.0, 0, 100))

    def settings(self) -> type[LoopSettings]:
        return LoopSettings

    def evaluate(self, model: Any, data: str | Path, **options: Any) -> dict[str, Any]:
        raise NotImplementedError

    def answer_type(self) -> type[Shade]:
        return Shade

    def answer_example(self) -> Mapping[str, Any]:
        return {"shade": 127.0}

    def from_memory(self, memory: Memory) -> ShadePipeline:
        return ShadePipeline(memory)

    def row_fields(self, right: Any, asked: str | None) -> Mapping[str, Any]:
        return {"columns": {"shade": right}}

    def shaped(self, value: Any) -> float:
        return float(value)
