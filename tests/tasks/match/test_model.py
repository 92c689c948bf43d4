from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ravl.data import Example
from ravl.errors import DataError, EncoderMismatchError, PictureError, QueryError
from ravl.memory import Memory
from ravl.runs.run import open_run
from ravl.tasks.match.model import MatchPipeline
from ravl.tasks.match.predictor import SURE
from ravl.tasks.match.results import Matching
from ravl.tasks.match.task import MatchTask
from ravl.training.fit_settings import FitSettings
from tests.helpers import ColourEncoder, draw
from tests.training.painted import Scrambled, paint

COLOURS = (("red", "orange"), ("blue", "black"), ("white", "yellow"))
RED, BLUE, WHITE = (f"{upper} and {lower} number 5" for upper, lower in COLOURS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a memory and two runs: one that votes, and one with a dual encoder."""
    folder = tmp_path_factory.mktemp("match")
    with Memory.create(folder / "m.ravl", ColourEncoder()) as memory:
        memory.add(paint(folder / "pictures", 80))
        for model in ("vote", "linear"):
            settings = FitSettings(model=model)
            MatchTask().fit(memory, folder / model, settings, progress=False)
    return folder


@pytest.fixture
def memory(made: Path) -> Iterator[Memory]:
    with Memory.open(made / "m.ravl", ColourEncoder()) as opened:
        yield opened


@pytest.fixture
def model(made: Path, memory: Memory) -> MatchPipeline:
    return MatchPipeline(open_run(made / "linear"), memory)


def pictures() -> list[Image.Image]:
    """One for each of the texts."""
    made = []
    for i, (upper, lower) in enumerate(COLOURS):
        picture = draw(900 + i, upper)
        picture.paste(draw(910 + i, lower).crop((0, 0, 64, 20)), (0, 28))
        made.append(picture)
    return made


def test_a_text_fits_its_picture_and_no_other(model: MatchPipeline) -> None:
    right = model.predict(pictures(), [RED, BLUE, WHITE])
    wrong = model.predict(pictures(), [BLUE, WHITE, RED])
    assert all(isinstance(a, Matching) for a in right)
    assert [a.fits for a in right] == [True] * 3
    assert [a.fits for a in wrong] == [False] * 3
    for a in right + wrong:
        assert a.confidence == pytest.approx(max(a.score, 1 - a.score), abs=0.3)
        assert 0 < a.gate < 1
        assert sum(e.share for e in a.evidence) == pytest.approx(a.gate, abs=1e-4)


def test_an_answer_prints_and_becomes_json(model: MatchPipeline) -> None:
    answer = model.predict(pictures()[0], RED)[0]
    assert str(answer).startswith("fits  ") and RED in str(answer) and "%" in str(answer)
    record = json.loads(json.dumps(answer.to_json()))
    assert record["text"] == RED and record["fits"] is True and record["read"] is True
    assert set(record["scores"]) == set(record["memory"]) == set(record["model"])
    assert {"dual", "zero_shot", "text_best", "picture_best"} <= set(record["signals"])
    assert record["evidence"][0]["says"]


def test_one_text_for_many_pictures_and_the_other_way(model: MatchPipeline) -> None:
    one = model.predict(pictures(), RED)
    assert [a.fits for a in one] == [True, False, False]
    other = model.predict(pictures()[1], [RED, BLUE, WHITE])
    assert [a.fits for a in other] == [False, True, False]
    assert model.predict([], []) == model.predict(pictures()[0], []) == []


def test_model_and_memory_can_be_asked_apart(model: MatchPipeline) -> None:
    both = model.predict(pictures()[0], RED)[0]
    alone = model.predict(pictures()[0], RED, retrieval=False)[0]
    vote = model.predict(pictures()[0], RED, vote_only=True)[0]
    assert alone.gate == 0 and not alone.evidence and not alone.memory
    assert vote.gate == pytest.approx(1) and not vote.model
    assert both.model["fits"] == pytest.approx(alone.score, abs=1e-5)
    assert both.memory["fits"] == pytest.approx(vote.score, abs=1e-5)
    few = model.predict(pictures()[0], RED, vote_only=True, k=2)[0]
    assert sum(e.share > 0 for e in few.evidence) <= 4  # two by picture, two by text


def test_a_run_that_votes_needs_its_memory(made: Path, memory: Memory) -> None:
    model = MatchPipeline(open_run(made / "vote"), memory)
    assert model.predict(pictures()[0], RED)[0].fits
    with pytest.raises(DataError, match="only the memory's vote"):
        model.predict(pictures()[0], RED, retrieval=False)


def test_scores_are_those_of_each_pair(model: MatchPipeline) -> None:
    texts = [RED, BLUE, WHITE, "yellow and black number 5"]
    table = model.scores(pictures(), texts)
    assert table.shape == (3, 4)
    for i, picture in enumerate(pictures()):
        line = [a.score for a in model.predict(picture, texts)]
        np.testing.assert_allclose(table[i], line, atol=1e-5)
    assert model.scores([], texts).shape == (0, 4)


def test_the_best_assignment(model: MatchPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [(i, j) for i, j, _ in model.assign(pictures(), [WHITE, RED, BLUE])] == [
        (0, 1),
        (1, 2),
        (2, 0),
    ]
    few = model.assign(pictures(), [BLUE])
    assert [(i, j) for i, j, _ in few] == [(1, 0)]
    assert few[0][2] == pytest.approx(model.predict(pictures()[1], BLUE)[0].score, abs=1e-5)
    many = model.assign(pictures()[:1], [BLUE, WHITE, RED])
    assert [(i, j) for i, j, _ in many] == [(0, 2)]
    # Best as a whole: the first picture gives its best text up, and a certain 0 is no infinity.
    table = np.array([[0.9, 0.8], [0.9, 0.0]], np.float32)
    monkeypatch.setattr(model, "scores", lambda *_, **__: table)
    assert [(i, j) for i, j, _ in model.assign([], [])] == [(0, 1), (1, 0)]


def test_a_new_row_counts_at_once_and_a_deleted_one_no_more(
    made: Path, memory: Memory, tmp_path: Path
) -> None:
    model = MatchPipeline(open_run(made / "vote"), memory)
    picture = tmp_path / "new.png"
    draw(77, "purple").save(picture)
    text = "a most unusual thing"
    before = model.predict(picture, text)[0]
    memory.add([Example(id="new", picture=picture, texts=(text,))])
    after = model.predict(picture, text)[0]
    assert after.score > before.score
    assert after.evidence[0].id == "new"
    memory.delete(["new"])
    assert model.predict(picture, text)[0].score == pytest.approx(before.score, abs=1e-6)


def test_hidden_groups_are_not_heard(model: MatchPipeline, memory: Memory) -> None:
    row = next(memory.rows())
    features = memory.row_with_vectors(row.number)[1][None]
    asked = model.asked(features, [row.texts[0]], np.array([0]), np.array([0]))
    seen = model.judge(asked, [np.zeros(0, np.int64)])
    hidden = model.judge(asked, [np.array([row.number])])
    assert seen.signals["text_best"][0] == pytest.approx(1, abs=1e-3)
    assert hidden.signals["text_best"][0] < seen.signals["text_best"][0] - 1e-5
    assert hidden.clues is not None and seen.clues is not None
    numbers = memory_numbers(model)
    assert row.number in numbers[seen.clues.neighbours.positions[0]]
    for near in (hidden.clues.neighbours, hidden.clues.alike):
        assert row.number not in numbers[near.positions[0][near.found[0]]]


def memory_numbers(model: MatchPipeline) -> np.ndarray:
    return model._row_texts()[0].datastore.numbers


def test_abstaining(model: MatchPipeline) -> None:
    sure = model.predict(pictures(), RED, abstain=0.49)
    unsure = model.predict(pictures(), RED, abstain=0.0001)
    assert all(a.abstained for a in unsure)  # so few examples cannot promise that
    assert not any(a.abstained for a in model.predict(pictures(), RED))
    assert len(sure) == 3


@pytest.mark.parametrize(
    ("seen", "read", "how", "message"),
    [
        (2, [RED, BLUE, WHITE], {}, "There are 2 pictures and 3 texts. Give as many of both"),
        (3, [], {}, "There are 3 pictures and 0 texts"),
        (1, ["  "], {}, "The text number 1 is empty"),
        (3, [RED, "", BLUE], {}, "The text number 2 is empty"),
        (1, [RED], {"k": 0}, "k is 0; it must be at least 1"),
        (1, [RED], {"retrieval": False, "vote_only": True}, "Without retrieval there is no vote"),
    ],
)
def test_what_cannot_be_asked(
    model: MatchPipeline, seen: int, read: list[str], how: dict[str, Any], message: str
) -> None:
    with pytest.raises(QueryError, match=message):
        model.predict(pictures()[:seen], read, **how)


def test_a_picture_that_is_none(model: MatchPipeline, tmp_path: Path) -> None:
    file = tmp_path / "no.png"
    file.write_bytes(b"no picture")
    with pytest.raises(PictureError):
        model.predict([file], [RED])


def test_another_encoder_is_refused(made: Path, tmp_path: Path) -> None:
    with Memory.create(tmp_path / "other.ravl", Scrambled()) as other:
        other.add(paint(tmp_path / "pictures", 10))
        with pytest.raises(EncoderMismatchError, match="was fitted with the encoder 'colour'"):
            MatchPipeline(open_run(made / "linear"), other)


def test_a_memory_that_says_nothing_leaves_the_model(made: Path, tmp_path: Path) -> None:
    examples = [replace(e, texts=()) for e in paint(tmp_path / "pictures", 10)]
    with Memory.create(tmp_path / "silent.ravl", ColourEncoder()) as silent:
        silent.add(examples)
        answer = MatchPipeline(open_run(made / "linear"), silent).predict(pictures()[0], RED)[0]
        assert answer.gate == 0
        assert answer.score == pytest.approx(answer.model["fits"], abs=1e-6)
        vote = MatchPipeline(open_run(made / "vote"), silent).predict(pictures()[0], RED)[0]
        assert vote.score == 0.5
    assert SURE < 1e-3
