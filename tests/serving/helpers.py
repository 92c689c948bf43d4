"""Models whose every call is known, for servers under test."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from ravl.memory import Memory
from ravl.runs.answers import Classification
from ravl.serving.limits import Limits
from ravl.serving.models import Served
from ravl.serving.service import Service
from ravl.tasks.match.results import Matching
from tests.helpers import draw
from tests.waiting import PATIENCE, pause


def png(colour: str, seed: int = 7) -> bytes:
    """A picture's file."""
    out = io.BytesIO()
    draw(seed, colour).save(out, "PNG")
    return out.getvalue()


def patient(**limits: Any) -> Limits:
    """Limits of a server that gives up nothing because the machine is busy, but for these."""
    return Limits(**{"deadline": PATIENCE, "upload": PATIENCE, "shutdown": PATIENCE, **limits})


class FakeModel:
    """Classifies and matches; counts its calls, and waits at its gate.

    Args:
        memory: that it pretends to answer from.
        seconds: of a call.
    """

    run = None
    predictor = None

    def __init__(self, memory: Memory, seconds: float = 0.0) -> None:
        self.memory = memory
        self.seconds = seconds
        self.calls: list[int] = []
        self.options: list[dict[str, Any]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()

    def _call(self, count: int, options: dict[str, Any]) -> None:
        self.calls.append(count)
        self.options.append(options)
        self.begun.set()
        assert self.gate.wait(PATIENCE)
        pause(self.seconds)

    def pipeline(self, task: str) -> Any:
        return SimpleNamespace(predict={"classify": self.classify, "match": self.match}[task])

    def classify(
        self, pictures: Sequence[Any], beside: Any = None, **options: Any
    ) -> list[Classification]:
        self._call(len(pictures), options)
        return [
            Classification(label=str(p.resize((1, 1)).getpixel((0, 0))[0] > 128), **self._common())
            for p in pictures
        ]

    def match(self, pictures: Any, texts: Sequence[str], **options: Any) -> list[Matching]:
        self._call(len(texts), options)
        return [Matching(text=t, fits=True, score=0.5, **self._common()) for t in texts]

    def close(self) -> None:
        pass

    @staticmethod
    def _common() -> dict[str, Any]:
        return {
            "confidence": 1.0,
            "abstained": False,
            "gate": 0.5,
            "scores": {},
            "memory": {},
            "model": {"nan": float("nan")},
            "evidence": (),
        }


def serve_fake(service: Service, seconds: float = 0.0) -> FakeModel:
    """Let a service classify and match by a fake."""
    model: Any = FakeModel(service.memory, seconds)
    batcher = service._batcher("fake")
    service.models[:0] = [Served("fake", task, model, batcher) for task in ("classify", "match")]
    found: FakeModel = model
    return found


def fake(seconds: float = 0.0) -> tuple[Any, list[FakeModel]]:
    """What prepares a service so, and where the model will be; warming up is forgotten."""
    made: list[FakeModel] = []

    def prepare(service: Service) -> None:
        model = serve_fake(service, seconds)
        made.append(model)
        warm = service.warm_up

        def warm_up() -> None:
            warm()
            model.calls.clear()
            model.options.clear()
            model.begun.clear()

        service.warm_up = warm_up  # type: ignore[method-assign]

    return prepare, made


def events(text: str) -> Iterator[tuple[str, str]]:
    """Names and data of server-sent events."""
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n", 1)
        yield name.removeprefix("event: "), data.removeprefix("data: ")
