"""Refits of every task: what is new is learned, nothing that judges is, and the report tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ravl.data import QA, Example
from ravl.forgetting import learned_from
from ravl.memory import Memory
from ravl.refitting import refit, rollback
from ravl.refitting.log import read_log
from ravl.tasks.fit import fit
from ravl.tasks.model import Model
from tests.helpers import ColourEncoder
from tests.models.generation.tiny import models_beside
from tests.tasks.ask.asked import asked
from tests.tasks.caption.coloured import coloured
from tests.training.painted import Scrambled, paint
from tests.training.tiny_bert import tiny_bert

COMPARED = {"fusion_off", "generator_off", "question_only"}
Paints = Callable[..., list[Example]]
WRITES: dict[str, Any] = {
    "model": "generator",
    "epochs": 1,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "layers": 1,
    "words": 300,
    "num_beams": 2,
    "num_evidence": 2,
    "k": 8,
    "precision": "full",
}
READS: dict[str, Any] = {
    "model": "fusion",
    "epochs": 1,
    "batch_size": 8,
    "tune_language_model": "full",
}


@dataclass(frozen=True)
class Case:
    """A run to be fitted again.

    Args:
        task: its task.
        paints: pictures that it learns.
        metric: that is decided by.
        settings: of the fit.
        encoder: of the memory.
    """

    task: str
    paints: Paints
    metric: str
    settings: dict[str, Any]
    encoder: type[Any] = ColourEncoder


CASES = {
    "match-vote": Case("match", paint, "AUC", {"model": "vote"}, Scrambled),
    "match-linear": Case("match", paint, "AUC", {"model": "linear"}, Scrambled),
    "match-fusion": Case("match", paint, "AUC", READS, Scrambled),
    "caption-vote": Case("caption", coloured, "CIDEr-D", {"model": "vote"}),
    "caption-generator": Case("caption", coloured, "CIDEr-D", WRITES),
    "ask-vote": Case("ask", asked, "accuracy", {"model": "vote"}),
    "ask-linear": Case("ask", asked, "accuracy", {"model": "linear"}),
    "ask-open": Case("ask", asked, "accuracy", {**WRITES, "answers": "open"}),
}


@contextmanager
def fitted(case: Case, folder: Path, **more: Any) -> Iterator[tuple[Memory, Path]]:
    """The memory of a case, and its run."""
    settings = {**case.settings, **more}
    if settings["model"] in ("fusion", "generator") and "generator" not in settings:
        settings["language_model"] = str(tiny_bert(folder / "bert"))
    with Memory.create(folder / "shop.ravl", case.encoder()) as memory:
        memory.add(case.paints(folder / "pictures", 60))
        fit(case.task, memory, out=folder / "run", progress=False, **settings)
        yield memory, folder / "run"


def parts(run: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads((run / "split.json").read_text())["hashes"]
    return found


QUICK = {"match-vote", "caption-vote", "ask-vote"}  # the others train, two times each


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in QUICK)) for n in CASES]
)
def test_it_follows_the_memory(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    with fitted(case, tmp_path) as (memory, run):
        assert refit(run, memory).state == "nothing"
        before, old = parts(run), weights(run, memory)
        memory.add(case.paints(tmp_path / "pictures", 20, first=100))
        lost = next(row.id for row in memory if row.hash == before["train"][0])
        memory.delete([lost])
        report = refit(run, memory, promote="always")
        assert report.state == "promoted", report.reason
        assert case.metric in report.reason
        assert (report.news["new"], report.news["gone"]) == (20, 1)
        after = parts(run)
        assert set(before["test"]) < set(after["test"])
        assert not set(after["test"]) & {*after["train"], *after["validation"]}
        assert len(after["train"]) > len(before["train"])
        assert before["train"][0] not in after["train"]
        scores = read_log(run)[0]["scores"]
        assert set(scores) == {"together", "frozen", "newest"}
        assert all(case.metric in scores["frozen"][who] for who in ("champion", "challenger"))
        page = (run / read_log(run)[0]["page"]).read_text("utf-8")
        assert "The frozen test split" in page and "data:image" in page
        assert refit(run, memory).state == "nothing"
        check_learning_went_on(old, weights(run, memory))
        assert not trained(run) & COMPARED, "what is only compared with is not trained again"
        assert rollback(run) == 1
        assert parts(run) == before


def trained(run: Path) -> set[str]:
    """What a fit has trained."""
    return set(json.loads((run / "metrics.json").read_text())["fit_seconds"])


def weights(run: Path, memory: Memory) -> dict[str, Any]:
    """Of the network that reads pictures and neighbours; none where nothing reads."""
    with Model(run, memory) as model:
        if model.task == "match":
            reader = model.predictor.match_predictor.reader
            network = reader and reader.model
        else:
            generator = getattr(getattr(model.predictor, "fitted", None), "generator", None)
            network = generator and generator.model.encoder
        return {n: t.clone() for n, t in network.state_dict().items()} if network else {}


def check_learning_went_on(old: dict[str, Any], new: dict[str, Any]) -> None:
    """A new network would be as far away as it is large."""
    for tensor in ("picture.weight", "near_label.weight") if old else ():
        far = (new[tensor] - old[tensor]).abs().mean() / old[tensor].abs().mean()
        assert 0 < far < 0.5, tensor


@pytest.mark.slow
def test_a_generator_of_the_hub(tmp_path: Path) -> None:
    models_beside(tmp_path / "hub", coloured(tmp_path / "hub" / "pictures", 8))
    case = CASES["caption-vote"]
    settings = {
        "model": "generator",
        "generator": f"hf:{tmp_path / 'hub' / 'gpt2'}",
        "epochs": 1,
        "tune_language_model": "lora",
        "batch_size": 8,
        "k": 4,
        "num_evidence": 1,
        "num_beams": 1,
        "precision": "full",
    }
    with fitted(case, tmp_path, **settings) as (memory, run):
        memory.add(coloured(tmp_path / "pictures", 20, first=100))
        assert refit(run, memory, promote="always").state == "promoted"


def test_a_question_that_is_new_about_an_old_picture(tmp_path: Path) -> None:
    case = CASES["ask-linear"]
    with fitted(case, tmp_path) as (memory, run):
        known = parts(run)["train"]
        row = next(row for row in memory if row.hash == known[0])
        memory.update(row.id, qa=[*row.qa, QA("is it round?", ("no",))])
        other = next(row for row in memory if row.hash == known[1])
        memory.update(other.id, label="something that is no answer")
        report = refit(run, memory, promote="always")
        assert (report.news["new"], report.news["changed"]) == (0, 1)
        with Model(run, memory) as model:
            assert row.path is not None
            assert model.ask(row.path, "is it round?").answer == "no"
        learned = learned_from(memory, [row.id], [run])
        assert learned[0].remedy == f"ravl refit {run} --promote always"


def test_a_table_of_captions(tmp_path: Path) -> None:
    case = CASES["match-vote"]
    pictures = paint(tmp_path / "others", 60, first=200)
    lines = [json.dumps({"image": str(e.picture), "texts": list(e.texts)}) for e in pictures]
    (tmp_path / "table.jsonl").write_text("\n".join(lines))
    more = {"data": tmp_path / "table.jsonl", "root": tmp_path}
    with fitted(case, tmp_path, **more) as (memory, run):
        split = parts(run)
        with Memory.open(run / "held.ravl", case.encoder()) as held:
            assert {row.hash for row in held} == {*split["test"], *split["validation"]}
        memory.add(paint(tmp_path / "pictures", 20, first=400))
        report = refit(run, memory, promote="always")
        assert report.state == "promoted" and report.news["new"] == 20
        assert set(split["test"]) < set(parts(run)["test"])
