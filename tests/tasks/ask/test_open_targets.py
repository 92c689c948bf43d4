"""Open answers without a fit: what a generator is asked, and what becomes of what it writes."""

from __future__ import annotations

import pytest

from ravl.data import QA, Example
from ravl.errors import DataError, QueryError
from ravl.memory import Memory
from ravl.models.generation.base import Decoding
from ravl.tasks.ask.answers import people
from ravl.tasks.ask.open_targets import BRIEF, OpenAnswerTargets, are_short
from ravl.tasks.ask.writing import OpenAskPipeline
from ravl.tasks.caption.consensus import recall
from tests.helpers import ColourEncoder, draw
from tests.tasks.ask.asked import KIND, TASTE, asked
from tests.tasks.caption.fakes import FakeGenerator

FACT = "The purple plum grows in the far north of Kazakhstan."


@pytest.fixture
def shop(empty, tmp_path) -> Memory:
    empty.add(asked(tmp_path / "pictures"))
    return empty  # type: ignore[no-any-return]


def test_people_speak_in_their_own_words() -> None:
    assert people(QA("?", ("A book,  pens", "book", "pens"))) == ["A book, pens"]
    assert people(QA("?", ("tape_dispenser", "Tape", " ", "Tape"))) == [
        "tape dispenser",
        "Tape",
        "Tape",
    ]


def test_a_vote_counts_peoples_shares(shop, tmp_path):
    draw(1, "purple").save(tmp_path / "p.png")
    shop.add([Example("p", tmp_path / "p.png", qa=(QA("who?", ("a",) * 7 + ("b",) * 3),))])
    task = OpenAnswerTargets(width=48)
    datastore = task.datastore(shop)
    index = task.index_texts(datastore, shop)
    place = len(datastore) - 1
    near = datastore.neighbours(datastore.keys[place][None], 1)
    assert near.positions.tolist() == [[place]]
    (found,) = recall(index, near, task.vote(len(datastore)))
    support = dict(zip([index.row_texts.texts[t] for t in found.texts], found.support, strict=True))
    assert support == pytest.approx({"a": 0.7, "b": 0.3}, abs=1e-3)


def test_the_generator_is_asked_with_answered_questions_before_it(shop):
    generator = FakeGenerator(["red, I think", "blue"], evidence=3)
    model = OpenAskPipeline(shop, generator=generator)
    (reply,) = model.predict(draw(1, "red"), KIND, how=Decoding(num_return_sequences=2))
    (request,) = generator.asked
    assert request.question == KIND
    assert request.instruction == BRIEF  # as the memory's answers are
    assert [(e.question, e.text) for e in request.evidence_items] == [(KIND, "Red")] * 3
    assert request.evidence_items[0].open_picture is not None
    assert dict(request.weighted_texts)["Red"] > 0
    assert (reply.answer, reply.others) == ("red, I think", ("blue",))
    assert reply.written
    assert str(reply).endswith("    or: blue")
    assert reply.evidence[0].says == (KIND, "red")
    model.predict(draw(1, "red"), KIND, instruction="for children")
    assert generator.asked[-1].instruction == "for children"
    model.predict(draw(1, "red"), KIND, retrieval=False)
    assert not generator.asked[-1].evidence_items
    assert "".join(model.stream(draw(1, "red"), TASTE)) == "a red thing"


def test_passages_are_read_and_cited(shop):
    shop.add([Example("plums", texts=(FACT,))])
    generator = FakeGenerator(["Kazakhstan"], evidence=3)
    model = OpenAskPipeline(shop, generator=generator)
    (reply,) = model.predict(draw(0, "red"), "purple plum grows in Kazakhstan?")
    evidence_items = generator.asked[0].evidence_items
    assert (evidence_items[0].text, evidence_items[0].question) == (FACT, "")
    assert evidence_items[1].question
    assert reply.passages[0].id == "plums"
    model.predict(draw(0, "red"), "purple plum grows in Kazakhstan?", retrieval=False)
    assert not generator.asked[-1].evidence_items


def test_it_follows_the_memory(shop, tmp_path):
    model = OpenAskPipeline(shop, generator=FakeGenerator())
    draw(5, "purple").save(tmp_path / "p.png")
    shop.add([Example(f"p{i}", tmp_path / "p.png", qa=(QA(KIND, ("purple",)),)) for i in range(8)])
    assert model.predict(draw(3, "purple"), KIND, vote_only=True)[0].answer == "purple"
    shop.add([Example("plums", texts=(FACT,))])
    assert model.predict(draw(3, "purple"), "purple plum grows?")[0].passages


class OnlyLatin(ColourEncoder):
    def supports_language(self, text):
        return text.isascii()


def test_a_language_that_is_not_read(tmp_path):
    with Memory.create(tmp_path / "m.ravl", OnlyLatin()) as memory:
        memory.add(asked(tmp_path / "pictures", 8))
        model = OpenAskPipeline(memory, generator=FakeGenerator())
        assert model.predict(draw(0, "red"), "这是什么？")[0].read  # by the generator
        assert not model.predict(draw(0, "red"), "这是什么？", vote_only=True)[0].read


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"k": 0}, "at least 1"),
        ({"abstain": 0.1}, "ravl fit ask"),
        ({"vote_only": True, "retrieval": False}, "Without retrieval"),
        ({"vote_only": True, "instruction": "x"}, "Instructions"),
    ],
)
def test_what_it_cannot_do(shop, how, words):
    with pytest.raises(QueryError, match=words):
        OpenAskPipeline(shop, generator=FakeGenerator()).predict(draw(0, "red"), KIND, **how)


def test_a_memory_without_questions(memory):
    model = OpenAskPipeline(memory, generator=FakeGenerator())
    with pytest.raises(DataError, match="image, question and answer"):
        model.predict(draw(0, "red"), KIND)


def test_sentences_are_not_short() -> None:
    assert are_short(["red", "a dark blue", "two"])
    assert not are_short(["it lies on the table in the kitchen"] * 3)
    assert not are_short([])


def test_texts_alone_are_enough_for_a_generator(memory):
    memory.add([Example("plums", texts=(FACT,))])
    generator = FakeGenerator(["Kazakhstan"])
    model = OpenAskPipeline(memory, generator=generator)
    replies = model.predict(draw(0, "red"), ["where does the purple plum grow?", "zzz"])
    assert [r.answer for r in replies] == ["Kazakhstan", "Kazakhstan"]
    assert [e.text for e in generator.asked[0].evidence_items] == [FACT]
    assert replies[0].passages
    assert "".join(model.stream(draw(0, "red"), "where does it grow?"))
    with pytest.raises(DataError, match="image, question and answer"):
        OpenAskPipeline(memory).predict(draw(0, "red"), KIND)
