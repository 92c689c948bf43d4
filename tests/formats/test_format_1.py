"""Memories and runs that ravl 0.1.0 made still open, and answer as they did.

``format1.zip`` holds memories with runs of every task, fitted by ravl 0.1.0 (567b59b) on the small
pictures of these tests, and in ``answers.json`` what that version answered. The numbers of large
arrays are coarse, so that the archive is small.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ravl.memory import Memory
from ravl.runs.run import open_run
from ravl.tasks import registry
from ravl.tasks.fit import kept_settings
from ravl.tasks.model import Model
from tests.helpers import ColourEncoder
from tests.training.painted import Scrambled

RUNS = {
    "vote": "shop",
    "linear": "shop",
    "fusion": "shop",
    "tags": "shop",
    "match": "shop",
    "ask": "asked",
    "askfusion": "asked",
    "open": "open",
    "caption": "texts",
}
BESIDE = {"match": "a red thing", "ask": "which kind is it?"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, unpacked."""
    found = tmp_path_factory.mktemp("format1")
    with zipfile.ZipFile(Path(__file__).with_name("format1.zip")) as archive:
        archive.extractall(found)
    return Path(found)


@pytest.fixture(scope="module")
def before(folder: Path) -> dict[str, Any]:
    """What ravl 0.1.0 answered."""
    found: dict[str, Any] = json.loads((folder / "answers.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize("name", RUNS)
def test_a_run_answers_as_it_did(folder: Path, before: dict[str, Any], name: str) -> None:
    pictures = [file.read_bytes() for file in sorted((folder / "pictures" / RUNS[name]).iterdir())]
    with (
        Memory.open(folder / f"{RUNS[name]}.ravl", ColourEncoder()) as memory,
        Model(folder / name, memory) as model,
    ):
        text = BESIDE.get(str(model.task))
        found = model.predict(pictures, None if text is None else [text] * len(pictures))
    assert [answer.said for answer in found] == [old["said"] for old in before[name]]
    for answer, old in zip(found, before[name], strict=True):
        assert answer.confidence == pytest.approx(old["confidence"], abs=2e-3)
        assert answer.gate == pytest.approx(old["gate"], abs=2e-3)
        assert [item.id for item in answer.evidence[:3]] == [id for id, _ in old["evidence"]]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_finds_its_memory_and_settings(folder: Path, name: str) -> None:
    run = open_run(folder / name)
    assert run.memory == (folder / f"{RUNS[name]}.ravl").resolve()
    assert kept_settings(registry.of_run(run), folder / name / "settings.yaml").to_json()


def test_a_memory_with_a_trained_space_finds_as_it_did(
    folder: Path, before: dict[str, Any]
) -> None:
    with Memory.open(folder / "painted.ravl", Scrambled()) as memory:
        hits = memory.search("red and blue", k=5, mode="dense")
        assert memory.version == before["info"]["version"]
        assert len(memory) == before["info"]["rows"]
    assert [hit.id for hit in hits] == [id for id, _ in before["search"]]
    for hit, (_, score) in zip(hits, before["search"], strict=True):
        assert hit.score == pytest.approx(score, abs=1e-4)
