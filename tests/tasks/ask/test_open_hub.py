"""Generators of the hub that answer questions: adapted, and as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ravl
from ravl.memory import Memory
from ravl.models.generation.base import Decoding
from ravl.models.generation.loading import load_generator
from ravl.tasks.ask.writing import OpenAskPipeline
from ravl.tasks.fit import fit
from tests.helpers import ColourEncoder
from tests.models.generation.fake_server import serving
from tests.models.generation.tiny import models_beside
from tests.tasks.ask.asked import KIND, asked

SHORT = Decoding(num_beams=1, max_new_tokens=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hub")
    models_beside(made, asked(made / "pictures", 24))
    return made


@pytest.fixture
def memory(folder: Path) -> Iterator[Memory]:
    with Memory.open(folder / "m.ravl", ColourEncoder()) as opened:
        yield opened


def picture(folder: Path) -> Path:
    return next((folder / "pictures").iterdir())


def fitted(memory: Memory, folder: Path, name: str, generator: str, **changes: Any) -> Any:
    options: dict[str, Any] = {
        "answers": "open",
        "model": "generator",
        "epochs": 1,
        "batch_size": 8,
        "k": 4,
        "num_evidence": 1,
        "num_beams": 1,
        "precision": "full",
        "max_new_tokens": 4,
        **changes,
    }
    return fit("ask", memory, out=folder / name, progress=False, generator=generator, **options)


@pytest.mark.slow  # of captions, quickly: tests/tasks/caption/test_hub.py
@pytest.mark.parametrize(("kind", "language"), [("gpt2", "head"), ("llava", "lora")])
def test_a_model_is_adapted(memory: Memory, folder: Path, kind: str, language: str) -> None:
    generator = f"hf:{folder / kind}"
    report = fitted(memory, folder, f"{kind}-run", generator, tune_language_model=language)
    assert report.metrics["parameters"]["generator"] > 0
    assert "question_only" in report.metrics["rows"]
    with ravl.load(folder / f"{kind}-run", memory) as model:
        reply = model.ask(picture(folder), KIND, how=SHORT)
    assert reply.evidence[0].says[0] == KIND


def test_a_model_that_chats_reads_questions_untrained(memory: Memory, folder: Path) -> None:
    generator = load_generator(f"hf:{folder / 'llava'}", evidence=1)
    (reply,) = OpenAskPipeline(memory, generator=generator).predict(
        picture(folder), KIND, how=SHORT
    )
    assert reply.evidence


def test_a_server_is_used_as_it_is(memory: Memory, folder: Path) -> None:
    with serving() as server:
        report = fitted(memory, folder, "server-run", f"openai:{server.address}", num_evidence=3)
        body = json.dumps(server.asked, ensure_ascii=False)
    assert report.metrics["parameters"]["generator"] == 0
    assert "Answer with a word or a short phrase." in body
    assert "the answer was" in body
    assert "data:image" in body
