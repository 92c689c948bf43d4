"""Long texts in pieces, and how they are found."""

from __future__ import annotations

import pytest

from ravl.data import Example
from ravl.tasks.ask.knowledge import Knowledge
from ravl.tasks.ask.passages import Passages, sentences, split_passages
from tests.helpers import draw

FACTS = {
    "red": "The red bird is called robin. It lives in gardens and eats worms.",
    "blue": "The blue bird is called jay. It lives in the forest and eats acorns.",
}


@pytest.fixture
def library(empty, tmp_path):
    for i, colour in enumerate(("red", "blue", "red", "blue")):
        path = tmp_path / f"{i}.png"
        draw(i, colour).save(path)
        empty.add([Example(f"{i}", path, label=f"{colour} bird")])
    empty.add([Example(f"about {c}", texts=(text,)) for c, text in FACTS.items()])
    return empty


def test_pieces_end_where_sentences_do():
    text = " ".join(f"Sentence {i} has six words here." for i in range(30))
    pieces = split_passages(text)
    assert " ".join(pieces) == text
    assert all(piece.endswith(".") for piece in pieces)
    assert all(40 <= len(piece.split()) <= 60 for piece in pieces)


@pytest.mark.parametrize(
    "text", ["", "  \n ", "one", "a\x00b", "🙂" * 5000, "猫" * 5000, "x" * 9999]
)
def test_odd_texts(text):
    pieces = split_passages(text)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(len(piece) <= 5000 for piece in pieces)


def test_sentences_of_several_languages():
    assert sentences("One. Two!\nThree") == ["One.", "Two!", "Three"]
    assert sentences("猫在树上。狗在家。") == ["猫在树上。", "狗在家。"]
    assert len(split_passages("猫在树上睡了很久很久。" * 40)) > 2


def test_no_text_no_passages(memory):
    assert Passages.of(memory) is None  # captions of pictures are none
    assert Knowledge.of(memory) is None


def test_picture_and_question_find_a_passage_together(library):
    knowledge = Knowledge.of(library)
    assert knowledge is not None
    looked = library.encoder
    features = looked.features([looked.prepare(draw(9, c)) for c in ("red", "blue")])
    cited = knowledge.find(["where does it live?"] * 2, features)
    best = [knowledge.passages.rows[cited.of(i)[0][0]].id for i in range(2)]
    assert best == ["about red", "about blue"]
    sentence, _ = knowledge.passages.sentence("what does the robin eats, worms?", 0)
    assert sentence == "It lives in gardens and eats worms."
    read = knowledge.reading(["where?"], features[:1])[0]
    assert read.startswith("where? The red bird")


def test_what_has_nothing_to_do_with_it_is_not_cited(library):
    passages = Passages.of(library)
    assert passages is not None
    found, scores = passages.find(["zzz"], 5)
    assert found.shape == scores.shape == (1, 2)
    assert scores.max() < 0.25
