from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ravl.errors import DataError
from ravl.memory import Memory
from ravl.tasks.fit import fit
from ravl.tasks.labels import rerank_fit as reranked_neighbours
from ravl.tasks.labels.fit import LabelRecipe
from ravl.tasks.model import load
from ravl.training.engine import open_data
from ravl.training.fit_report import FitReport
from ravl.training.fit_settings import FitSettings
from tests.helpers import ColourEncoder
from tests.training.painted_texts import HELD, strips_memory


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A memory, a match run, and a run of classify that looks at its neighbours again."""
    folder = strips_memory(tmp_path_factory.mktemp("strips"))
    with Memory.open(folder / "strips.ravl", ColourEncoder()) as memory:
        fit("classify", memory, out=folder / "run", rerank=str(folder / "match"), **HELD)
    return folder


@pytest.fixture
def strips(made: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "strips"))


@pytest.fixture
def memory(strips: Path) -> Iterator[Memory]:
    with Memory.open(strips / "strips.ravl", ColourEncoder()) as opened:
        yield opened


def refused(memory: Memory, out: Path, task: str = "classify", **changes: object) -> str:
    with pytest.raises(DataError) as found:
        fit(task, memory, out=out, **{**HELD, **changes})
    return str(found.value)


def test_the_run_says_what_it_gains_and_costs(made: Path) -> None:
    metrics = json.loads((made / "run" / "metrics.json").read_text())
    second = metrics["rerank"]
    assert second["weight"] > 0
    assert second["milliseconds"] > 0
    vote = {moment: scores["accuracy"]["value"] for moment, scores in second["vote"].items()}
    assert vote["after"] - vote["before"] == pytest.approx(vote["difference"])
    assert vote["difference"] > 0.1
    assert metrics["rows"]["vote"]["accuracy"]["value"] == vote["after"]
    assert any("reranked by" in note for note in metrics["notes"])
    assert "Reranked neighbours" in (made / "run" / "report.html").read_text("utf-8")
    record = json.loads((made / "run" / "run.json").read_text())["rerank"]
    assert (record["relative"], record["weight"]) == ("../match", second["weight"])


def test_what_answers_is_what_was_judged(strips: Path, memory: Memory, tmp_path: Path) -> None:
    settings = FitSettings(model="vote", rerank=str(strips / "match"))
    recipe = LabelRecipe("classify", memory, settings)
    held_out = {name: HELD[name] for name in ("validation", "test")}
    with open_data(recipe, tmp_path, **held_out) as (data, _):
        near, rows = data.test.neighbours, data.datastore.rows
        judged = [[rows[j].id for j in line] for line in near.positions]
        held = [row.id for row in (*data.test.examples.rows, *data.validation.examples.rows)]
    pictures = [memory.picture_bytes(id) for id in held[: len(near)]]
    memory.delete(held)
    answers = load(strips / "run", memory).classify(pictures)
    for answer, ids, similarity in zip(answers, judged, near.similarity, strict=True):
        found = {e.row.id: e.similarity for e in answer.evidence}
        assert found
        expected = dict(zip(ids[: len(found)], similarity, strict=False))
        assert found == pytest.approx(expected, abs=1e-3)  # the memory keeps features in float16


def test_no_training_example_finds_itself_nor_its_copy(
    strips: Path, memory: Memory, tmp_path: Path
) -> None:
    settings = FitSettings(model="vote", rerank=str(strips / "match"))
    recipe = LabelRecipe("classify", memory, settings)
    held_out = {name: HELD[name] for name in ("validation", "test")}
    with open_data(recipe, tmp_path, **held_out) as (data, _):
        assert data.second is not None
        near = data.train.neighbours
        for own, line in zip(data.train.examples.shown, near.positions, strict=True):
            assert len(own)
            assert not np.isin(data.datastore.groups[line[line >= 0]], own).any()
        assert (np.diff(near.similarity, axis=1)[near.found[:, 1:]] <= 1e-6).all()


def test_it_is_left_out_where_validation_is_no_better(
    strips: Path, memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reranked_neighbours, "_worth", lambda data, vote: 0.5)
    run = tmp_path / "run"
    report = fit("classify", memory, out=run, rerank=str(strips / "match"), **HELD)
    assert isinstance(report, FitReport)
    assert report.metrics["rerank"]["weight"] == 0
    assert report.metrics["rerank"]["vote"]["difference"]["accuracy"]["value"] == 0
    assert any("leaves it out" in note for note in report.notes)
    shutil.rmtree(strips / "match")  # it is not needed
    assert load(run, memory).predictor.second is None


def test_a_match_run_that_knows_what_is_held_out_is_refused(
    strips: Path, memory: Memory, tmp_path: Path
) -> None:
    match, file = str(strips / "match"), strips / "match" / "split.json"
    swapped = {"test": HELD["validation"], "validation": HELD["test"]}
    says = refused(memory, tmp_path / "a", rerank=match, **swapped)
    assert "The validation split of" in says
    assert "same --validation and --test" in says
    split = json.loads(file.read_text())
    for part in ("test", "validation"):
        file.write_text(json.dumps({**split, "train": [*split["train"], split[part][0]]}))
        says = refused(memory, tmp_path / "b", rerank=match)
        assert "has 1 of the pictures" in says
        assert f"as its {part} split" in says
    file.write_text(json.dumps({**split, "train": ["elsewhere.png"]}))
    assert "does not have by that name" in refused(memory, tmp_path / "c", rerank=match)
    file.unlink()
    assert "split.json is missing" in refused(memory, tmp_path / "d", rerank=match)


def test_what_cannot_be_combined_is_refused(strips: Path, memory: Memory, tmp_path: Path) -> None:
    match = str(strips / "match")
    says = refused(memory, tmp_path / "a", rerank=match, train_retriever=True)
    assert "Leave one of the two out" in says
    assert "ravl search --rerank" in refused(memory, tmp_path / "b", "match", rerank=match)
    assert "fit one" in refused(memory, tmp_path / "c", rerank=str(strips / "run")).lower()
    assert "holds no fitted run" in refused(memory, tmp_path / "d", rerank=str(strips / "none"))
