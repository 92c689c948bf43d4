"""New captions are composed of the neighbours', and say who is behind them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravl.data import Example
from ravl.evaluation.generation.words import words_of
from ravl.memory import Memory
from ravl.retrieval.datastore import read_datastore
from ravl.tasks.caption import composer
from ravl.tasks.caption.composer import Captions
from ravl.tasks.caption.consensus import CaptionIndex
from ravl.tasks.caption.proposals import BY_COMPOSER
from ravl.tasks.caption.targets import CaptionTargets
from tests.helpers import COLOURS, ColourEncoder, draw

TEXTS = [
    ("A brown dog is running on the beach .", "A brown dog is running on the sand ."),
    ("A black dog is running on the grass .",),
    ("A brown dog is running on the grass by Berlin .",),
    ("一只狗", "A dog"),
    (),
]


@pytest.fixture
def index(tmp_path: Path) -> CaptionIndex:
    rows = []
    for i, texts in enumerate(TEXTS):
        file = tmp_path / f"{i}.png"
        draw(i, list(COLOURS)[i]).save(file)
        rows.append(Example(f"{i}", file, texts=texts))
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(rows)
        return CaptionTargets().index_texts(read_datastore(memory), memory)


@pytest.fixture
def captions(index: CaptionIndex) -> Captions:
    """Of three dogs, with weights that are given."""
    texts, weights = np.arange(4), np.array([0.4, 0.1, 0.2, 0.3], np.float32)
    return Captions(index, texts, weights)


def test_a_rows_weight_is_divided_among_its_captions(index: CaptionIndex) -> None:
    key = index.row_texts.datastore.keys_at(np.array([0]))[0]
    found = Captions.of(index, np.array([0, 1]), key)
    assert found.texts.tolist() == [0, 1, 2]
    assert found.weights[0] == found.weights[1]
    assert found.weights[0] > 0


def test_translations_of_a_row_do_not_speak(index: CaptionIndex) -> None:
    key = index.row_texts.datastore.keys_at(np.array([3]))[0]
    found = Captions.of(index, np.array([3]), key)
    assert [index.row_texts.texts[t] for t in found.texts] == ["一只狗"]


def test_new_sentences_and_whole_ones_are_in_one_order(captions: Captions) -> None:
    found = captions.composed()
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
    rows = [captions.row_of(s.words) for s in found]
    assert BY_COMPOSER in rows
    assert {0, 1, 2} <= set(rows)


def test_a_sentence_that_is_like_no_caption_comes_later(
    captions: Captions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composer, "CLOSEST", -100.0)
    assert captions.row_of(captions.composed()[0].words) == BY_COMPOSER
    monkeypatch.setattr(composer, "CLOSEST", 100.0)
    assert captions.row_of(captions.composed()[0].words) != BY_COMPOSER


def test_a_rows_own_words_are_given_as_it_wrote_them(captions: Captions) -> None:
    assert captions.text(tuple(words_of("a brown dog is running on the beach"))) == (
        "A brown dog is running on the beach ."
    )
    new = tuple(words_of("a black dog is running by berlin"))
    assert captions.text(new) == "A black dog is running by Berlin."


def test_agreement_is_that_of_the_order(captions: Captions) -> None:
    texts = [captions.index.row_texts.texts[t] for t in captions.texts.tolist()]
    np.testing.assert_allclose(captions.agreement(texts), captions.worth, atol=1e-6)
    assert captions.agreement(["two zebras sleep"]) == pytest.approx(0, abs=1e-6)


def test_captions_that_say_a_phrase_are_behind_it(captions: Captions) -> None:
    behind = captions.behind("A black dog on the beach")
    shares = dict(behind.weighted_texts(captions.index))
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert shares["A brown dog is running on the beach ."] > 0
    assert shares["A black dog is running on the grass ."] > 0
    assert behind.said_by(captions.index, 0) == "A brown dog is running on the beach ."


def test_each_phrase_has_a_row_that_says_it(captions: Captions) -> None:
    found = captions.parts("A black dog is running on the beach, said Sue.")
    assert found == {"A black dog is running on the": 1, "beach": 0}
    assert captions.parts("A brown dog is running on the beach .") == {
        "A brown dog is running on the beach": 0
    }


def test_texts_without_a_word_compose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    draw(0, "red").save(file)
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add([Example("a", file, texts=("🙂🙂",))])
        index = CaptionTargets().index_texts(read_datastore(memory), memory)
    key = index.row_texts.datastore.keys_at(np.array([0]))[0]
    assert Captions.of(index, np.array([0]), key).composed() == []
