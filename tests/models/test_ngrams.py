"""An n-gram model: what may follow, and how usual it is."""

from __future__ import annotations

from math import log

import pytest

from ravl.models.ngrams import END, NgramModel

SENTENCES = ["a red dog runs", "a red cat sleeps", "the dog runs fast"]


@pytest.fixture
def model() -> NgramModel:
    return NgramModel([s.split() for s in SENTENCES], order=3, context=2)


@pytest.mark.parametrize(
    ("words", "following"),
    [
        ((), {"a", "the"}),
        (("a",), {"red"}),
        (("a", "red"), {"dog", "cat"}),
        (("dog", "runs"), {END, "fast"}),
        (("dog", "sleeps"), set()),
    ],
)
def test_a_word_follows_where_a_sentence_has_it(model, words, following) -> None:
    assert set(model.following(words)) == following


def test_probabilities_are_shares_of_what_followed(model: NgramModel) -> None:
    assert model.log_probability(("a", "red"), "dog") == pytest.approx(log(1 / 2))
    assert model.log_probability((), "a") == pytest.approx(log(2 / 3))


def test_an_unseen_context_is_shortened_at_a_price(model: NgramModel) -> None:
    # After "red dog" the sentences go on; after "cat runs" nothing is known, after "runs" it is.
    seen = model.log_probability(("dog", "runs"), "fast")
    shorter = model.log_probability(("cat", "runs"), "fast")
    assert shorter == pytest.approx(seen + NgramModel.BACKOFF)
    assert model.log_probability(("cat", "runs"), "zebra") < shorter
