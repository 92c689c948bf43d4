"""Lower-case words become a text as other texts are spelt."""

from __future__ import annotations

import pytest

from ravl.models.spelling import Spelling


@pytest.mark.parametrize(
    ("texts", "words", "text"),
    [
        (["A dog .", "The cat.", "a bird"], ("a", "dog", "sits"), "A dog sits."),
        (["a dog", "the cat"], ("the", "dog"), "the dog"),
        (["Near the Statue of Liberty!"], ("statue", "of", "liberty"), "Statue of Liberty!"),
        (["一只狗。", "两只猫。"], ("一", "只", "猫"), "一只猫。"),
        (["T恤 红色"], ("t", "恤"), "T 恤"),
        ([], ("a", "dog"), "a dog"),
        (["..."], (), ""),
    ],
)
def test_words_are_spelt_as_most_texts_do(texts, words, text) -> None:
    assert Spelling.of(texts)(words) == text
