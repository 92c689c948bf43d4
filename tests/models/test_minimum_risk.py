"""The search for the sentence with the largest expected similarity."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from ravl.evaluation.generation.words import LONGEST, words_of
from ravl.models.consensus import Phrases
from ravl.models.minimum_risk import LONGEST_SENTENCE, Risk
from ravl.models.ngrams import END, NgramModel

TEXTS = ["a brown dog runs on the beach", "a dog runs on the grass", "a brown cat sleeps"]
WEIGHTS = np.array([0.6, 0.5, 0.2], np.float32)


def risk_of(lengths: np.ndarray | None = None, fluency: float = 0.0) -> tuple[Risk, Phrases]:
    phrases = Phrases.of(TEXTS, [0, 1, 2])
    expected = phrases(TEXTS).T @ WEIGHTS

    def gain(gram: tuple[str, ...]) -> float:
        said = float(expected[phrases.places[gram]]) if gram in phrases.places else 0.0
        return phrases.rarity(gram) * said / sqrt(LONGEST)

    flat = np.ones(LONGEST_SENTENCE + 1, np.float32)
    return Risk(phrases.rarity, gain, flat if lengths is None else lengths, fluency), phrases


def model_of(texts: list[str], context: int = 2) -> NgramModel:
    return NgramModel([text.split() for text in texts], 3, context)


def test_the_score_is_the_similarity_that_texts_are_compared_by() -> None:
    risk, phrases = risk_of()
    words = tuple(words_of("a brown dog runs on the grass"))
    found = risk.sentence(model_of(TEXTS), words)
    vectors = phrases([*TEXTS, " ".join(words)])
    expected = (vectors[:3] @ vectors[3].T).toarray()[:, 0] @ WEIGHTS
    assert found.score == pytest.approx(float(expected), rel=1e-4)


def test_the_best_sentence_may_be_a_new_one() -> None:
    risk, _ = risk_of()
    found = risk.sentences(model_of(TEXTS))
    texts = [" ".join(s.words) for s in found]
    assert "a brown dog runs on the grass" in texts  # said by nobody
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
    whole = [risk.sentence(model_of(TEXTS), tuple(text.split())).score for text in TEXTS]
    assert found[0].score >= max(whole)


def test_every_word_follows_as_in_some_sentence() -> None:
    model = model_of(TEXTS)
    for sentence in risk_of()[0].sentences(model):
        for i, word in enumerate(sentence.words):
            assert word in set(model.following(sentence.words[:i]))


def test_a_repeated_phrase_gains_nothing() -> None:
    risk, _ = risk_of()
    model = model_of(TEXTS)
    once = risk.sentence(model, tuple(words_of("a brown dog runs")))
    twice = risk.sentence(model, tuple(words_of("a brown dog a brown dog runs")))
    assert twice.score < once.score


def test_lengths_that_people_do_not_use_cost() -> None:
    lengths = np.zeros(LONGEST_SENTENCE + 1, np.float32)
    lengths[4] = 1
    found = risk_of(lengths)[0].sentences(model_of(TEXTS))
    assert len(found[0].words) == 4


def test_fluency_prefers_what_is_usual() -> None:
    texts = [*TEXTS, "a dog runs on the grass", "a dog runs on the grass"]
    found = risk_of(fluency=10.0)[0].sentences(model_of(texts))
    assert " ".join(found[0].words) == "a dog runs on the grass"


def test_the_least_usual_word_is_known() -> None:
    model = model_of(TEXTS)
    words = tuple(words_of("a brown dog runs on the beach"))
    chances = [model.log_probability(words[:i], w) for i, w in enumerate((*words, END))]
    found = risk_of()[0].sentence(model, words)
    assert found.oddest == min(chances)
    assert found.usual == pytest.approx(sum(chances))


def test_circles_end() -> None:
    texts = ["red and red and red and red"]
    found = risk_of()[0].sentence(model_of(TEXTS), ("a",) * 100)
    assert len(found.words) == LONGEST_SENTENCE
    phrases = Phrases.of(texts, [0])
    flat = np.ones(LONGEST_SENTENCE + 1, np.float32)
    risk = Risk(phrases.rarity, lambda _: 1.0, flat, 0.0)
    assert all(len(s.words) <= LONGEST_SENTENCE for s in risk.sentences(model_of(texts, 1)))
