from __future__ import annotations

from pathlib import Path

import pytest

from ravl.errors import DataError
from ravl.models.generation.vocabulary import BEGIN, END, SPECIAL, WordVocabulary

TEXTS = ["A man is riding a red bike.", "A dog is running on the beach."] * 3


@pytest.fixture(scope="module")
def vocabulary() -> WordVocabulary:
    return WordVocabulary.of(TEXTS, 400)


@pytest.mark.parametrize(
    "text",
    [
        "A man",
        "Ein Hund läuft 🙂",
        "一只狗",
        '{"a": [1,  2]}',
        "line one\n\tline two",
        "<s>x</s>",
        "\\frac{1}{2}",
        "tab\tand  spaces",
    ],
)
def test_nothing_is_lost(vocabulary: WordVocabulary, text: str) -> None:
    (ids,) = vocabulary([text])
    assert ids[0] == BEGIN
    assert ids[-1] == END
    assert vocabulary.text(ids) == text


def test_words_of_the_corpus_are_one_token(vocabulary: WordVocabulary) -> None:
    (ids,) = vocabulary(["A man is riding"])
    assert len(ids) == 2 + 4


def test_a_long_text_is_cut_and_still_ends(vocabulary: WordVocabulary) -> None:
    (ids,) = vocabulary(["A dog is running on the beach. " * 50], max_length=7)
    assert len(ids) == 1 + 7
    assert ids[-1] == END


def test_a_text_cannot_end_itself(vocabulary: WordVocabulary) -> None:
    (ids,) = vocabulary([f"A {SPECIAL[END]} man {SPECIAL[BEGIN]}"])
    assert (ids == END).sum() == 1
    assert (ids == BEGIN).sum() == 1


def test_a_lone_surrogate_is_replaced(vocabulary: WordVocabulary) -> None:
    (ids,) = vocabulary(["half \ud83d of it"])
    assert vocabulary.text(ids).startswith("half ?")


def test_no_texts_are_no_ids(vocabulary: WordVocabulary) -> None:
    assert vocabulary([]) == []


def test_different_words_of_a_text(vocabulary: WordVocabulary) -> None:
    found = vocabulary.words_of("A dog is running, A dog")
    assert len(found) == len(set(found.tolist()))
    assert list(found) == sorted(found)
    assert BEGIN not in found


def test_pieces_are_what_tokens_write(vocabulary: WordVocabulary) -> None:
    found = vocabulary.pieces()
    assert len(found) == len(vocabulary)
    assert found[: END + 1] == ["", "", ""]
    assert "riding" in found


def test_it_is_the_same_after_loading(vocabulary: WordVocabulary, tmp_path: Path) -> None:
    vocabulary.save(tmp_path)
    loaded = WordVocabulary.load(tmp_path)
    assert [i.tolist() for i in loaded(TEXTS)] == [i.tolist() for i in vocabulary(TEXTS)]


def test_missing_files_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing or damaged"):
        WordVocabulary.load(tmp_path)
