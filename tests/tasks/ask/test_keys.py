"""Keys of questions about pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ravl.encoders.base import normalise
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.ask.keys import WORDS, AskKeys

F, D, H = 12, 8, 16


@pytest.fixture
def features() -> np.ndarray:
    random = np.random.default_rng(0)
    parts = [random.normal(size=(30, F)), *(random.normal(size=(30, n)) for n in (D, H))]
    return np.hstack([parts[0], *map(normalise, parts[1:])]).astype(np.float32)


def keys_of(features: np.ndarray, words: int) -> AskKeys:
    return AskKeys(KeyProjection.of(features[:, :F]), 0.6, words)


def test_the_cosine_is_a_weighted_mean_of_pictures_sentences_and_words(features):
    keys = keys_of(features, H)
    found = keys(features)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    pictures = keys.pictures(features[:, :F])
    sentences, words = features[:, F : F + D], features[:, F + D :]
    expected = (
        0.4 * pictures @ pictures.T
        + 0.6 * (1 - WORDS) * sentences @ sentences.T
        + 0.6 * WORDS * words @ words.T
    )
    np.testing.assert_allclose(found @ found.T, expected, atol=1e-5)


def test_a_run_of_before_has_neither_words_nor_weights(features):
    old = keys_of(features[:, : F + D], 0)
    arrays = {**old.arrays(), "weight": np.array([0.6], np.float32)}
    again = AskKeys.from_arrays(arrays)
    assert again.words == 0
    found = again(features[:, : F + D])
    np.testing.assert_allclose(found, old(features[:, : F + D]), atol=1e-6)
    assert found.shape[1] == F + D
    assert again.weights(found[:1], np.array([[1, 2]]), found.__getitem__) is None


def test_kept_as_arrays(features):
    keys = keys_of(features, H)
    again = AskKeys.from_arrays(keys.arrays())
    assert again.words == H
    assert again.weight == pytest.approx(0.6)
    np.testing.assert_allclose(again(features), keys(features), atol=1e-6)


@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_weights_do_not_depend_on_how_long_the_parts_are(features, weight):
    keys = replace(keys_of(features, H), weight=weight)
    made, positions = keys(features), np.array([[4, 5, 6, 7]])
    found = keys.weights(made[:1], positions, made.__getitem__)
    assert found is not None
    assert found.shape == (1, 4)
    other = replace(keys, weight=0.5)
    same = other.weights(other(features)[:1], positions, other(features).__getitem__)
    assert same is not None
    assert np.allclose(found, same, atol=1e-5) == (weight == 0.5)  # 1.0 does not see pictures
