from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ravl.memory import Memory
from ravl.models.generation.base import Decoding
from ravl.runs.run import open_run
from ravl.tasks.caption.model import CaptionPipeline
from ravl.tasks.caption.settings import CaptionSettings
from ravl.tasks.caption.task import CaptionTask
from ravl.training.fit_report import FitReport
from tests.helpers import ColourEncoder
from tests.models.generation.tiny import models_beside
from tests.tasks.caption.coloured import coloured

HELD: dict[str, Any] = {"validation": "part = 'validation'", "test": "part = 'test'"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hub")
    models_beside(made, coloured(made / "pictures", 40))
    return made


@pytest.fixture
def memory(folder: Path) -> Iterator[Memory]:
    with Memory.open(folder / "m.ravl", ColourEncoder()) as opened:
        yield opened


def fitted(memory: Memory, folder: Path, name: str, **changes: Any) -> FitReport:
    options: dict[str, Any] = {
        "model": "generator",
        "epochs": 1,
        "batch_size": 8,
        "k": 4,
        "num_evidence": 1,
        "num_beams": 1,
        "precision": "full",
        **changes,
    }
    report: FitReport = CaptionTask().fit(
        memory, folder / name, CaptionSettings(**options), **HELD, progress=False
    )
    return report


@pytest.mark.parametrize("language", ["head", pytest.param("lora", marks=pytest.mark.slow)])
def test_a_language_model_learns_to_read_the_picture(
    memory: Memory, folder: Path, language: str
) -> None:
    report = fitted(
        memory,
        folder,
        f"gpt2-{language}",
        generator=f"hf:{folder / 'gpt2'}",
        tune_language_model=language,
    )
    assert report.metrics["parameters"]["generator"] > 0  # the picture's projection, at least
    run = open_run(folder / f"gpt2-{language}")
    assert (run.folder / "generator").is_dir()
    (answer,) = CaptionPipeline(memory, run).predict(
        [folder / "pictures" / "000.png"], how=Decoding(num_beams=1, max_new_tokens=5)
    )
    assert answer.text


@pytest.mark.slow
def test_a_model_that_sees_and_chats_is_adapted(memory: Memory, folder: Path) -> None:
    report = fitted(
        memory, folder, "llava-run", generator=f"hf:{folder / 'llava'}", tune_language_model="lora"
    )
    assert report.metrics["parameters"]["generator"] > 0
    (answer,) = CaptionPipeline(memory, open_run(folder / "llava-run")).predict(
        [folder / "pictures" / "001.png"], how=Decoding(num_beams=1, max_new_tokens=5)
    )
    assert answer.evidence


def test_a_model_of_which_nothing_learns_is_used_as_it_is(memory: Memory, folder: Path) -> None:
    report = fitted(
        memory, folder, "asis", generator=f"hf:{folder / 'llava'}", tune_language_model="head"
    )
    assert report.metrics["parameters"]["generator"] == 0
    assert report.metrics["curves"]["generator"] == []
    predictor = CaptionPipeline(memory, open_run(folder / "asis"))
    assert predictor.predict([folder / "pictures" / "002.png"])[0].text
