"""ravl fit ask with open answers, from the data to the run that writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ravl
from ravl.data import QA, Example
from ravl.errors import DataError, QueryError
from ravl.memory import Memory
from ravl.runs.run import open_run
from ravl.tasks.ask.fit_open import OPEN, blind
from ravl.tasks.ask.quality import answer_quality, good_answer
from ravl.tasks.ask.settings import AskSettings, OpenAskSettings
from ravl.tasks.ask.writing import OpenAskPipeline
from ravl.tasks.caption.batches import TextBatches, TrainingExamples
from ravl.tasks.caption.dataset import TextFitData
from ravl.tasks.caption.fit import TextRecipe
from ravl.tasks.caption.generator import untrained
from ravl.tasks.fit import evaluate, fit
from ravl.training.engine import open_data
from ravl.training.neighbour_noise import EpochSampler, RetrievalNoise
from ravl.tuning.tune import tune
from tests.helpers import ColourEncoder, draw
from tests.tasks.ask.asked import KIND, TASTE, TASTES, asked
from tests.training.tiny_bert import tiny_bert

ROWS = ["zero_shot", "question_only", "vote", "no_retrieval", "with_retrieval"]
FACT = "A red thing is hot."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A memory with a text, a language model, and a fitted run."""
    made = tmp_path_factory.mktemp("open")
    tiny_bert(made / "bert")
    with Memory.create(made / "m.ravl", ColourEncoder()) as memory:
        memory.add(asked(made / "pictures"))
        memory.add([Example("about", texts=(FACT,))])
        fitted(memory, made, "run", model="generator")
    return made


@pytest.fixture
def memory(folder: Path) -> Iterator[Memory]:
    with Memory.open(folder / "m.ravl", ColourEncoder()) as opened:
        yield opened


def options_of(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "answers": "open",
        "epochs": 12,
        "batch_size": 16,
        "learning_rate": 3e-3,
        "patience": 12,
        "language_model": str(folder / "bert"),
        "layers": 1,
        "words": 300,
        "num_beams": 2,
        "reward_epochs": 1,
        "num_evidence": 2,
        "k": 8,
        "precision": "full",
        **changes,
    }


def fitted(memory: Memory, folder: Path, name: str, **changes: Any) -> Any:
    options = options_of(folder, **changes)
    return fit("ask", memory, out=folder / name, progress=False, **options)


@pytest.fixture
def data(memory: Memory, folder: Path, tmp_path: Path) -> Iterator[TextFitData]:
    settings = OpenAskSettings(**options_of(folder))
    with open_data(TextRecipe(OPEN, memory, settings), tmp_path) as (made, _):
        yield made


def test_the_report_has_five_rows(folder: Path) -> None:
    metrics = json.loads((folder / "run" / "metrics.json").read_text("utf-8"))
    assert (metrics["task"], metrics["level"]) == ("ask", "generator")
    assert list(metrics["rows"]) == ROWS
    assert {"accuracy", "F1"} <= set(metrics["rows"]["vote"])
    assert set(metrics["rows"]["vote"]["accuracy"]) == {"value", "low", "high"}
    assert {"retrieval_on", "retrieval_off", "retrieval_shuffled", "retrieval_misleading"} == set(
        metrics["retrieval"]
    )
    assert {"question_only", "generator_off", "generator"} == set(metrics["curves"])
    assert metrics["rows"]["with_retrieval"]["accuracy"]["value"] > 0.9
    assert metrics["rows"]["question_only"]["accuracy"]["value"] < 0.6  # no picture, no answer
    assert "no_retrieval - question_only" in metrics["differences"]
    assert 0 <= metrics["abstain"]["answered"] <= 1
    page = (folder / "run" / "report.html").read_text("utf-8")
    for words in (
        KIND,
        "question only",
        "trained without pictures",
        "test questions",
        "an answer to a question about a picture",
    ):
        assert words in page
    split = json.loads((folder / "run" / "split.json").read_text("utf-8"))
    parts = [set(split[part]) for part in ("train", "validation", "test")]
    assert len(set().union(*parts)) == sum(map(len, parts)) == 48  # by picture
    assert "answers: open" in (folder / "run" / "settings.yaml").read_text("utf-8")


def test_the_run_answers(folder: Path, memory: Memory) -> None:
    with ravl.load(folder / "run", memory) as model:
        assert model.task == "ask"
        replies = model.ask([draw(i, c) for i, c in enumerate(TASTES)], KIND)
        assert [r.answer.lower() for r in replies] == list(TASTES)
        how = replace(model.predictor.usual, num_return_sequences=2)
        reply = model.ask(draw(0, "blue"), TASTE, abstain=0.5, how=how)
        assert reply.answer == "cold"
        assert reply.read
        assert reply.evidence[0].says == (TASTE, "cold")
        assert 0 <= reply.confidence <= 1
        assert sum(e.share for e in reply.evidence) == pytest.approx(reply.gate, abs=1e-4)
        assert len(reply.others) <= 1
        assert set(reply.to_json()) >= {"answer", "written", "others", "evidence", "confidence"}
        alone = model.ask(draw(0, "blue"), TASTE, retrieval=False)
        assert (alone.gate, alone.evidence) == (0, ())
        assert model.ask(draw(0, "blue"), TASTE, vote_only=True, k=3).gate == 1
        assert model.ask(draw(0, "blue"), [KIND, TASTE])[1].answer == "cold"
        text = "".join(model.predictor.stream(draw(0, "blue"), TASTE))
        assert text


def test_many_questions_are_answered_as_each_alone(folder: Path, memory: Memory) -> None:
    model = OpenAskPipeline(memory, open_run(folder / "run"))
    pictures = [draw(50 + i, c) for i, c in enumerate(TASTES)]
    together = [r.answer for r in model.predict(pictures, [KIND, TASTE, TASTE, KIND])]
    alone = [
        model.predict(p, q)[0].answer
        for p, q in zip(pictures, [KIND, TASTE, TASTE, KIND], strict=True)
    ]
    assert together == alone


@pytest.mark.parametrize("question", ["🙂" * 20, "what\x00is\x07it", "\ud800 kind", "x" * 10_000])
def test_odd_questions(folder: Path, memory: Memory, question: str) -> None:
    (reply,) = OpenAskPipeline(memory, open_run(folder / "run")).predict(draw(0, "red"), question)
    assert reply.answer
    assert json.dumps(reply.to_json())


def test_what_cannot_be_asked(folder: Path, memory: Memory) -> None:
    model = OpenAskPipeline(memory, open_run(folder / "run"))
    for question, how, words in (
        (" ", {}, "empty"),
        (KIND, {"k": 0}, "at least 1"),
        (KIND, {"retrieval": False, "vote_only": True}, "Without retrieval"),
        (KIND, {"instruction": "for children"}, "Instructions"),
    ):
        with pytest.raises(QueryError, match=words):
            model.predict(draw(0, "red"), question, **how)
    with pytest.raises(QueryError, match="empty"):
        model.stream(draw(0, "red"), "")


def test_a_run_is_judged_on_other_pictures(folder: Path, memory: Memory) -> None:
    found = evaluate(folder / "run", "number < 8", memory=memory, progress=False)
    assert (found["task"], found["pictures"], found["questions"]) == ("ask", 8, 16)
    assert set(found["rows"]) == {"with_retrieval", "no_retrieval", "vote"}
    assert found["rows"]["vote"]["accuracy"]["value"] > 0.9


def test_hidden_is_compared_without_training(folder: Path, memory: Memory) -> None:
    report = fitted(
        memory,
        folder,
        "hidden",
        model="generator",
        compare="hidden",
        epochs=1,
        reward_epochs=0,
        regions=2,
        quotes=1,
    )
    assert list(report.metrics["rows"]) == ROWS
    assert set(report.metrics["curves"]) == {"generator"}
    assert "shown a blank picture" in (folder / "hidden" / "report.html").read_text("utf-8")
    model = OpenAskPipeline(memory, open_run(folder / "hidden"))
    assert len(model.predict(draw(1, "red"), [KIND, TASTE])) == 2
    found = evaluate(folder / "hidden", "number < 4", memory=memory, progress=False)
    assert found["questions"] == 8


def test_the_vote_alone_trains_nothing(folder: Path, memory: Memory) -> None:
    report = fitted(memory, folder, "vote", model="vote")
    assert list(report.metrics["rows"]) == ["zero_shot", "vote", "with_retrieval"]
    assert report.metrics["rows"]["vote"]["accuracy"]["value"] > 0.9
    model = OpenAskPipeline(memory, open_run(folder / "vote"))
    assert model.predict(draw(0, "blue"), TASTE)[0].answer == "cold"
    with pytest.raises(QueryError, match="ravl fit ask"):
        model.stream(draw(0, "blue"), TASTE)


def test_no_question_sees_its_own_picture(data: TextFitData) -> None:
    held = {r.number for side in (data.validation, data.test) for r in side.examples.rows}
    assert not held & set(data.datastore.numbers.tolist())
    for i, row in enumerate(data.train.examples.rows):
        found = data.train.neighbours.positions[i]
        assert row.number not in data.datastore.numbers[found[found >= 0]]
    assert len(data.train) == 2 * len(data.splits.train)


def test_a_batch_has_questions_and_passages(data: TextFitData) -> None:
    torch.manual_seed(0)
    generator = untrained(data, retrieval=True)
    side = data.train
    assert side.passages is not None
    lesson = TrainingExamples.of(
        data, side, generator.vocabulary, generator.max_new_tokens, True, []
    )
    order = EpochSampler(np.arange(len(side)), 0)
    batches = TextBatches(lesson, generator.words, 2, 0, RetrievalNoise(0, 0), order, 0)
    batch = batches.__getitems__([0, 1])
    assert batch["owners"].tolist() == [0, 1, 1]  # two people said how it tastes
    read = generator._tokens(captioner_requests(data, generator, [0, 1]))
    assert read is not None
    assert torch.equal(batch["tokens"], read)  # as when it answers
    assert torch.isfinite(generator.model(**batch)["loss"])
    dropped = TextBatches(lesson, generator.words, 2, 0, RetrievalNoise(1.0), order, 0)
    blank = dropped.__getitems__([0, 1])
    assert blank["tokens"].shape[1] <= batch["tokens"].shape[1]


def captioner_requests(data: TextFitData, generator: Any, places: list[int]) -> Any:
    from ravl.tasks.caption.predictor import TextPredictor

    side = data.train.take(np.array(places))
    predictor = TextPredictor(data.task, data.keys, data.vote, generator=generator, quotes=0)
    requests = predictor.requests(side.pictures, data.index, side.neighbours, data.recalled(side))
    assert [r.question for r in requests] == side.questions
    assert all(e.question in (KIND, TASTE, "") for r in requests for e in r.evidence_items)
    return requests


def test_a_blank_picture_tells_nothing(data: TextFitData) -> None:
    unseen = blind(data).test
    seen = data.standard(unseen.examples.features)
    assert np.abs(seen[:, :48]).max() < 1e-4
    assert np.ptp(seen[:, 48:], axis=0).max() > 0.1
    assert unseen.pictures.looks is None


def test_answers_are_rated_as_names_or_as_sentences() -> None:
    quality = answer_quality([["red"], ["dark blue"]])
    good = good_answer(quality, [])
    people = ["white board"] + ["board"] * 2
    rated = quality.of_one(["board", "white board", "big board", "chair"], people)
    assert rated[0] > rated[1] > good.least > rated[2] > rated[3] == 0
    assert quality.of_one(["a Red"], ["red"])[0] == pytest.approx(1)
    ten = ["red"] + ["blue"] * 9  # one of ten is somebody
    assert quality.of_one(["red"], ten)[0] > good.least
    long = answer_quality([["it lies in the kitchen beside the stove"]] * 3)
    assert long.measure == "F1"
    assert long.of_one(["in the kitchen"], ["it is in the kitchen"])[0] > 0.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layers": 2}, "'layers' is a setting of ask with answers 'open'"),
        ({"generator": "hf:x"}, "'generator' is a setting of ask with answers 'open'"),
        ({"model": "generator"}, "model is 'generator'"),
        ({"answers": "open", "model": "linear"}, "model is 'linear'"),
        (
            {"answers": "open", "tune_vision": "top:1"},
            "'tune_vision' is a setting of ask with answers 'list'",
        ),
        ({"answers": "open", "target": "code"}, "There is no setting 'target'"),
        ({"answers": "open", "num_beams": 0}, "num_beams is 0"),
        ({"answers": "open", "generator": "gpt"}, "generator is 'gpt'"),
        ({"answers": "some"}, "answers is 'some'; it must be one of list, open"),
    ],
)
def test_settings_that_make_no_sense(
    memory: Memory, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        fit("ask", memory, out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_open_answers_are_fitted_as_captions_where_nothing_is_said(folder: Path) -> None:
    said = (folder / "run" / "settings.yaml").read_text("utf-8")
    assert "tune_language_model: full" in said
    assert "label_smoothing: 0.1" in said
    assert AskSettings().tune_language_model == "top:2"
    assert OpenAskSettings().epochs == AskSettings().epochs


def test_nothing_to_learn_from(folder: Path, tmp_path: Path) -> None:
    with Memory.create(tmp_path / "silent.ravl", ColourEncoder()) as silent:
        draw(1, "red").save(tmp_path / "1.png")
        silent.add([Example("1", tmp_path / "1.png", label="x")])
        with pytest.raises(DataError, match="image, question and answer"):
            fit("ask", silent, out=tmp_path / "run", **options_of(folder))
        silent.add([Example("1", tmp_path / "1.png", qa=(QA(KIND, ("x",)),))])
        with pytest.raises(DataError):
            fit("ask", silent, out=tmp_path / "run", **options_of(folder))
    assert not (tmp_path / "run" / "run.json").exists()


def test_settings_of_open_answers_can_be_searched(memory: Memory, tmp_path: Path) -> None:
    report = tune(
        "ask",
        memory,
        out=tmp_path / "tuned",
        trials=2,
        answers="open",
        model="vote",
        progress=False,
    )
    assert report.measure == "accuracy"
    assert report.best.scores["accuracy"] > 0.9
    assert {t.state for t in report.trials} == {"complete"}
    assert (tmp_path / "tuned" / "best" / "run.json").is_file()
