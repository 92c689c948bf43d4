"""ravl fit ask, from the data to the run that answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravl.data import QA, Example
from ravl.errors import DataError, EncoderMismatchError
from ravl.memory import Memory
from ravl.tasks.ask.fit import AskRecipe
from ravl.tasks.fit import evaluate, fit
from ravl.tasks.model import load
from ravl.training.engine import open_data
from ravl.training.fit_settings import FitSettings
from ravl.tuning.tune import tune
from tests.helpers import ColourEncoder, draw
from tests.labelled import random_picture
from tests.tasks.ask.asked import KIND, TASTE, TASTES, asked
from tests.training.painted_labels import FUSION
from tests.training.tiny_bert import tiny_bert

ROWS = ["zero_shot", "question_only", "vote", "no_retrieval", "with_retrieval"]


def fitted_to(memory: Memory, out: Path, **options: Any) -> Any:
    return fit("ask", memory, out=out, progress=False, **{"model": "linear", **options})


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ask")
    with Memory.create(folder / "shop.ravl", ColourEncoder()) as memory:
        memory.add(asked(folder / "pictures"))
        memory.add([Example("about", texts=("A red thing is hot.\n" * 30,))])
        fitted_to(memory, folder / "linear")
        fitted_to(memory, folder / "vote", model="vote")
        fitted_to(
            memory,
            folder / "fusion",
            **FUSION | {"epochs": 2},
            language_model=str(tiny_bert(folder / "bert")),
        )
    return Path(folder)


@pytest.fixture
def opened(runs):
    with Memory.open(runs / "shop.ravl", ColourEncoder()) as memory:
        yield memory


@pytest.mark.parametrize("name", ["vote", "linear", "fusion"])
def test_five_rows_everywhere(runs, name):
    record = json.loads((runs / name / "metrics.json").read_text())
    wanted = ROWS if name != "vote" else ["zero_shot", "vote", "with_retrieval"]
    assert list(record["rows"]) == wanted
    page = (runs / name / "report.html").read_text("utf-8")
    assert ("question only" in page) == (name != "vote")
    assert KIND in page
    assert "test questions" in page
    assert record["rows"]["with_retrieval"]["accuracy"]["value"] > 0.9
    assert record["rows"]["with_retrieval"]["F1"]["value"] > 0.9
    split = json.loads((runs / name / "split.json").read_text())
    parts = [set(split[part]) for part in ("train", "validation", "test")]
    assert len(set().union(*parts)) == sum(map(len, parts)) == 48  # by picture, never by question


def test_who_sees_no_picture_cannot_know(runs):
    rows = json.loads((runs / "linear" / "metrics.json").read_text())["rows"]
    assert rows["question_only"]["accuracy"]["value"] < 0.6
    assert rows["no_retrieval"]["accuracy"]["value"] > 0.6


@pytest.mark.parametrize("name", ["vote", "linear", "fusion"])
def test_the_run_answers(runs, opened, name):
    with load(runs / name, opened) as model:
        assert model.task == "ask"
        replies = model.ask([draw(i, c) for i, c in enumerate(TASTES)], KIND)
        assert [r.answer for r in replies] == list(TASTES)
        assert model.ask(draw(0, "blue"), TASTE).answer == "cold"
        sure = model.ask(draw(0, "blue"), TASTE, abstain=0.5)
        assert sure.evidence[0].says == (TASTE, "cold")
        assert model.ask(draw(0, "blue"), TASTE, k=3, vote_only=True).gate == 1
        if name == "vote":
            return
        alone = model.ask(draw(0, "blue"), TASTE, retrieval=False)
        assert not alone.evidence
        assert alone.gate == 0


def test_the_reader_reads_question_and_passage(runs, opened):
    with load(runs / "fusion", opened) as model:
        ready = model.predictor._ready()
        assert ready.label_predictor.words is not None

        def read(question):
            looked = model.predictor.look([draw(0, "red")], [question])
            return model.predictor._read_by(ready, looked, None)

        queries = read(KIND)
        near = ready.label_predictor.neighbours(queries, ready.label_matrix)
        logits = ready.label_predictor.logits(queries, near, ready.evidence)
        other = read(TASTE)
        assert (
            np.abs(ready.label_predictor.logits(other, near, ready.evidence) - logits).max() > 1e-3
        )
        assert "A red thing is hot." in read("is a red thing hot?").texts[0]


def test_another_encoder_is_refused(runs, tmp_path):
    with Memory.create(tmp_path / "other.ravl", ColourEncoder(mirror=True)) as memory:
        memory.add(asked(tmp_path / "pictures", 4))
        with pytest.raises(EncoderMismatchError):
            load(runs / "linear", memory)


def test_no_training_question_sees_its_own_picture(empty, tmp_path):
    """Answers drawn by chance, each picture twice: who sees the copy knows them."""
    random = np.random.default_rng(3)
    examples = []
    for i in range(40):
        answers = [str(random.choice(list("abcd"))) for _ in range(3)]
        qa = tuple(QA(f"question {j}?", (a,)) for j, a in enumerate(answers))
        for copy in (False, True):
            path = tmp_path / f"{i}_{copy}.png"
            path.write_bytes(random_picture(i, copy))
            examples.append(Example(path.name, path, qa=qa))
    empty.add(examples)
    recipe = AskRecipe(empty, FitSettings(model="vote"))
    with open_data(recipe, tmp_path / "work") as (data, _):
        datastore = data.datastore
        for side in (data.train, data.validation, data.test):
            for i, row in enumerate(side.examples.rows):
                seen = side.neighbours.positions[i]
                groups = {datastore.groups[p] for p in seen[seen >= 0]}
                assert len(seen) > 10
                assert not groups & set(side.examples.shown[i].tolist())
                assert (row.group) not in groups
        held = {r.group for s in (data.validation, data.test) for r in s.examples.rows}
        assert not held & set(datastore.groups.tolist())
    report = fitted_to(empty, tmp_path / "run")
    assert report.metrics["rows"]["vote"]["accuracy"]["value"] < 0.6  # a quarter by chance


def table(file: Path, examples: list[Example], splits: list[str]) -> Path:
    lines = ["image,question,answer,split"]
    for example, part in zip(examples, splits, strict=True):
        for qa in example.qa:
            lines.append(f"{example.picture!s},{qa.question},{qa.answers[0]},{part}")
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def test_a_table_with_its_own_split(empty, tmp_path):
    examples = asked(tmp_path / "pictures")
    splits = [("train", "train", "val", "test")[i // 4 % 4] for i in range(48)]
    file = table(tmp_path / "qa.csv", examples, splits)
    report = fitted_to(empty, tmp_path / "run", data=file)
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    assert "column 'split'" in split["how"]
    assert len(split["test"]) == 12
    assert report.metrics["rows"]["with_retrieval"]["accuracy"]["value"] > 0.9
    assert len(empty) == 24  # the training split is remembered
    found = evaluate(tmp_path / "run", file, memory=empty, progress=False)
    assert found["rows"]["with_retrieval"]["accuracy"]["value"] > 0.9
    assert (found["questions"], found["pictures"]) == (96, 48)
    assert set(found["rows"]) == {"with_retrieval", "no_retrieval", "vote"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tune_vision": "top:1"}, "vision"),
        ({"train_retriever": True}, "train_retriever"),
        ({"column": "price"}, "column"),
        ({"rerank": "runs/x"}, "rerank"),
    ],
)
def test_settings_of_labels_are_refused(empty, tmp_path, settings, words):
    empty.add(asked(tmp_path / "pictures", 8))
    with pytest.raises(DataError, match=f"{words} is"):
        fitted_to(empty, tmp_path / "run", **settings)


def test_nothing_to_learn_from(memory, tmp_path):
    with pytest.raises(DataError, match="image and answer|question"):
        fitted_to(memory, tmp_path / "run")


def test_a_search_for_settings(empty, tmp_path):
    empty.add(asked(tmp_path / "pictures", 32))
    report = tune("ask", empty, out=tmp_path / "search", trials=2, model="vote", progress=False)
    assert report.measure == "accuracy"
    assert report.best.scores["accuracy"] > 0.5
    assert (tmp_path / "search" / "best" / "report.html").exists()


def test_vqa_files_with_several_peoples_answers(empty, tmp_path):
    examples = asked(tmp_path / "pictures", 32)
    questions, annotations = [], []
    for i, example in enumerate(examples):
        colour = str(example.qa[0].answers[0])
        people = [colour] * 7 + ["dark"] * 3
        image = str(Path(str(example.picture)).relative_to(tmp_path / "pictures"))
        questions.append({"question_id": i, "image": image, "question": KIND})
        annotations.append(
            {
                "question_id": i,
                "multiple_choice_answer": colour,
                "answers": [{"answer": answer} for answer in people],
            }
        )
    file = tmp_path / "pictures" / "questions.json"
    file.write_text(json.dumps({"questions": questions}))
    file.with_name("annotations.json").write_text(json.dumps({"annotations": annotations}))
    report = fitted_to(empty, tmp_path / "run", data=file, root=tmp_path / "pictures")
    row = report.metrics["rows"]["with_retrieval"]
    assert row["accuracy"]["value"] > 0.8
    assert row["VQA"]["value"] > 0.8
    labels = json.loads((tmp_path / "run" / "run.json").read_text())["labels"]
    assert labels == ["blue", "dark", "green", "red", "yellow"]
    with load(tmp_path / "run", empty) as model:
        scores = model.ask(draw(0, "red"), KIND, vote_only=True).scores
        assert 0.2 < scores["dark"] < 0.4  # as three people of ten said
