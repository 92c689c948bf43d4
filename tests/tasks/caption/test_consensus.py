from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravl.data import Example
from ravl.memory import Memory
from ravl.models.vote import Vote
from ravl.retrieval.datastore import read_datastore
from ravl.tasks.caption.consensus import CaptionIndex, recall
from ravl.tasks.caption.grounding import known_words
from ravl.tasks.caption.targets import CaptionTargets
from tests.helpers import COLOURS, ColourEncoder, draw
from tests.labelled import near_of

TEXTS = [
    ("a red square", "something red"),
    ("a red square on paper",),
    ("a green circle",),
    (),
    ("ein rotes Quadrat",),
]


@pytest.fixture
def index(tmp_path: Path) -> CaptionIndex:
    rows = []
    for i, texts in enumerate(TEXTS):
        file = tmp_path / f"{i}.png"
        draw(i, list(COLOURS)[i]).save(file)
        rows.append(Example(f"{i}", file, texts=texts, label="thing", tags=("drawn",)))
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(rows)
        return CaptionTargets().index_texts(read_datastore(memory), memory)


def test_texts_belong_to_their_rows(index: CaptionIndex) -> None:
    assert index.starts.tolist() == [0, 2, 3, 4, 4, 5]


def test_the_text_that_others_agree_with_comes_first(index: CaptionIndex) -> None:
    (found,) = recall(index, near_of([[0, 1, 2]], [[0.9, 0.9, 0.9]]))
    assert index.row_texts.texts[found.texts[0]] in ("a red square", "a red square on paper")
    assert found.support[0] == found.support.max()


def test_a_row_does_not_speak_for_its_own_texts(index: CaptionIndex) -> None:
    (alone,) = recall(index, near_of([[0, 2]], [[0.9, 0.9]]))
    # Its two texts share a word, but nobody else says it.
    red = [
        s
        for t, s in zip(alone.texts, alone.support, strict=True)
        if index.row_texts.texts[t] == "something red"
    ]
    assert red == [0]


def test_a_single_row_still_has_something_to_say(index: CaptionIndex) -> None:
    (found,) = recall(index, near_of([[1]], [[0.9]]))
    assert [index.row_texts.texts[t] for t in found.texts] == ["a red square on paper"]


def test_silent_rows_and_missing_neighbours_are_passed_over(index: CaptionIndex) -> None:
    (found,) = recall(index, near_of([[3, -1, 1]], [[0.9, 0, 0.5]]))
    assert [index.row_texts.texts[t] for t in found.texts] == ["a red square on paper"]
    (nothing,) = recall(index, near_of([[3, -1]], [[0.9, 0]]))
    assert len(nothing.texts) == 0
    assert nothing.agreement(index, ["x"]).tolist() == [0]


def test_shares_of_all_voices_sum_to_one(index: CaptionIndex) -> None:
    (found,) = recall(index, near_of([[0, 1, 2, 4]], [[0.9, 0.8, 0.2, 0.1]]))
    assert found.shares.sum() == pytest.approx(1, abs=1e-5)
    assert dict(found.weighted_texts(index)).keys() == {t for its in TEXTS for t in its}


def test_nearer_rows_count_more(index: CaptionIndex) -> None:
    vote = Vote(k=3, temperature=0.02, cap=1.0)
    (found,) = recall(index, near_of([[2, 0, 1]], [[0.99, 0.3, 0.3]]), vote)
    by_text = dict(found.weighted_texts(index))
    assert by_text["a green circle"] > 0.9


def test_how_far_other_texts_are_agreed_with(index: CaptionIndex) -> None:
    (found,) = recall(index, near_of([[0, 1]], [[0.9, 0.9]]))
    good, bad = found.agreement(index, ["a red square", "two zebras"])
    assert good > bad == 0


def test_equal_texts_are_offered_once(tmp_path: Path) -> None:
    rows = []
    for i in range(3):
        file = tmp_path / f"{i}.png"
        draw(i, list(COLOURS)[i]).save(file)
        rows.append(Example(f"{i}", file, texts=("the same",)))
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(rows)
        index = CaptionTargets().index_texts(read_datastore(memory), memory)
    (found,) = recall(index, near_of([[0, 1, 2]], [[0.9, 0.9, 0.9]]))
    assert len(found.texts) == 1


def test_words_of_the_evidence_are_known_words(index: CaptionIndex) -> None:
    (found,) = recall(index, near_of([[0, 1]], [[0.9, 0.9]]))
    words = known_words(index, found)
    assert {"red", "square", "thing", "drawn"} <= words
    assert "circle" not in words


def test_a_word_of_a_row_that_hardly_counts_is_not_known(index: CaptionIndex) -> None:
    vote = Vote(k=3, temperature=0.02, cap=1.0)
    (found,) = recall(index, near_of([[0, 1, 2]], [[0.99, 0.99, 0.1]]), vote)
    assert "circle" not in known_words(index, found)


def test_text_of_a_row_is_its_best_supported(index: CaptionIndex) -> None:
    (found,) = recall(index, near_of([[0, 1]], [[0.9, 0.9]]))
    assert found.text_of(index, 0) == "a red square"
    assert np.all(np.diff(found.support) <= 0)
