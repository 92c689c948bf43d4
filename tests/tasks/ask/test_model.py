"""A memory alone answers questions, and so does a run."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from ravl.data import QA, Example
from ravl.errors import DataError, QueryError
from ravl.memory import Memory
from ravl.models.vote import RIDGE_CAP
from ravl.tasks.ask.keys import WORDS
from ravl.tasks.ask.model import AskPipeline
from ravl.tasks.ask.results import Reply
from ravl.tasks.ask.targets import ask_task
from ravl.tasks.ask.words import COLUMNS
from ravl.tasks.model import load
from tests.helpers import ColourEncoder, draw
from tests.tasks.ask.asked import KIND, TASTE, TASTES, asked

FACT = "The purple plum grows in the far north of Kazakhstan."


@pytest.fixture
def shop(empty, tmp_path) -> Memory:
    empty.add(asked(tmp_path / "pictures"))
    return empty  # type: ignore[no-any-return]


class OnlyLatin(ColourEncoder):
    """Reads no other letters."""

    def supports_language(self, text):
        return text.isascii()


def test_entries_are_rows_about_one_question(shop):
    datastore = ask_task(shop).datastore(shop)
    assert len(datastore) == 96
    assert datastore.features.shape == (96, 96 + COLUMNS)
    first, second = datastore.rows[:2]
    assert first.id == second.id
    assert datastore.groups[0] == datastore.groups[1]  # whoever hides one hides the other
    assert (first.texts, first.label) == ((KIND,), "red")
    assert (second.texts, second.label) == ((TASTE,), "hot")
    np.testing.assert_allclose(np.linalg.norm(datastore.keys, axis=1), 1, atol=1e-5)
    task = ask_task(shop)
    keys = task.keys(datastore.features)
    similarity = keys(datastore.features) @ keys(datastore.features).T
    w, pictures = keys.weight, keys.pictures(datastore.features[:, :48])
    asked_alike = (1 - WORDS) * datastore.features[0, 48:96] @ datastore.features[1, 48:96]
    asked_alike += WORDS * datastore.features[0, 96:] @ datastore.features[1, 96:]
    assert similarity[0, 1] == pytest.approx(w * asked_alike + 1 - w, abs=1e-3)
    assert similarity[0, 2] == pytest.approx(w + (1 - w) * pictures[0] @ pictures[2], abs=1e-3)


def test_the_memory_alone_answers(shop):
    model = AskPipeline(shop)
    for i, colour in enumerate(TASTES):
        kind, taste = model.predict(draw(i, colour), [KIND, TASTE])
        assert (kind.answer, taste.answer) == (colour, TASTES[colour])
        assert isinstance(kind, Reply)
        assert kind.read
        assert not kind.quoted | kind.abstained
        best = kind.evidence[0]
        assert best.says == (KIND, colour)
        assert 0 < best.share <= RIDGE_CAP + 1e-6
        assert sum(e.share for e in kind.evidence) == pytest.approx(1, abs=1e-4)
    assert "red" in str(model.predict(draw(0, "red"), KIND)[0])


def test_lists_in_lists_out(shop, by_name):
    red, blue = draw(1, "red"), draw(2, "blue")
    shop.close()
    with load(shop.path) as model:
        assert model.task is None
        assert model.ask(red, KIND).answer == "red"
        assert [r.answer for r in model.ask([red, blue], KIND)] == ["red", "blue"]
        assert [r.answer for r in model.ask(red, [KIND, TASTE])] == ["red", "hot"]
        assert [r.answer for r in model.ask([red, blue], [KIND, TASTE])] == ["red", "cold"]
        assert model.ask([], []) == []
        with pytest.raises(QueryError, match="2 pictures and 3 questions"):
            model.ask([red, blue], [KIND] * 3)
        with pytest.raises(QueryError, match="can only"):
            model.match(red, "a text")
    with pytest.raises(QueryError, match="a memory itself"):
        load(shop.path, shop.path)
    with Memory.open(shop.path) as memory, load(memory) as model:
        assert model.ask(red, KIND).answer == "red"


def test_it_follows_the_memory(shop, tmp_path):
    model = AskPipeline(shop)
    assert model.predict(draw(3, "purple"), KIND)[0].answer != "purple"
    shop.add(asked(tmp_path / "more", 8, ["red"], 100))
    rows = asked(tmp_path / "new", 8, ["red"], 200)
    paths = [tmp_path / f"purple_{i}.png" for i in range(4, 20)]
    for i, path in enumerate(paths, 4):
        draw(i, "purple").save(path)
    shop.add([Example(path.name, path, qa=(QA(KIND, ("purple",)),)) for path in paths])
    assert model.predict(draw(3, "purple"), KIND)[0].answer == "purple"
    assert rows


@pytest.mark.parametrize(
    "question", ["?", "🙂" * 20, "what\x00is\x07it", "kind " * 2000, "\ud800 kind", "x" * 10_000]
)
def test_odd_questions(shop, question):
    reply = AskPipeline(shop).predict(draw(0, "red"), question)[0]
    assert reply.answer
    assert json.dumps(reply.to_json())


@pytest.mark.parametrize("size", [(1, 1), (300, 2), (64, 64)])
def test_pictures_of_nothing(shop, size):
    reply = AskPipeline(shop).predict(Image.new("RGB", size), KIND)[0]
    assert reply.answer
    assert np.isfinite(reply.confidence)


@pytest.mark.parametrize("question", ["", " \n\t"])
def test_an_empty_question(shop, question):
    with pytest.raises(QueryError, match="empty"):
        AskPipeline(shop).predict(draw(0, "red"), question)


def test_what_an_untrained_memory_cannot_do(shop):
    model = AskPipeline(shop)
    for how, words in (
        ({"abstain": 0.1}, "ravl fit ask"),
        ({"retrieval": False}, "ravl fit ask"),
        ({"k": 0}, "at least 1"),
        ({"retrieval": False, "vote_only": True}, "Without retrieval"),
    ):
        with pytest.raises(QueryError, match=words):
            model.predict(draw(0, "red"), KIND, **how)


def test_a_memory_without_questions(memory):
    with pytest.raises(DataError, match=r"columns image, question and answer"):
        AskPipeline(memory).predict(draw(0, "red"), KIND)


def test_a_language_that_is_not_read(tmp_path):
    with Memory.create(tmp_path / "m.ravl", OnlyLatin()) as memory:
        memory.add(asked(tmp_path / "pictures"))
        reply = AskPipeline(memory).predict(draw(0, "red"), "这是什么？")[0]
        assert not reply.read
        assert reply.answer in ("red", "hot")  # the picture tells as much
        assert "does not read" in str(reply)


def test_a_text_answers_what_no_picture_shows(shop):
    shop.add([Example("plums", texts=("Red things are hot. " + FACT,))])
    model = AskPipeline(shop)
    known = model.predict(draw(0, "red"), KIND)[0]
    assert not known.quoted
    reply = model.predict(draw(0, "red"), "purple plum grows in Kazakhstan?")[0]
    assert reply.quoted
    assert reply.answer == FACT
    assert 0 < reply.confidence <= 0.5
    assert reply.evidence[0].id == "plums"
    assert reply.passages[0].says[0].endswith(FACT)
    assert reply.to_json()["evidence"][0]["picture"] is None


def test_a_memory_of_texts_alone(empty):
    empty.add([Example("plums", texts=(FACT,))])
    replies = AskPipeline(empty).predict(
        draw(0, "red"), ["where does the purple plum grow?", "zzz"]
    )
    assert replies[0].answer == FACT
    assert replies[1].abstained
    assert replies[1].answer == ""
