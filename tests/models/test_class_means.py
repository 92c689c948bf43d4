"""Class means: they are those of the rows, an example never counts for itself, and sums add up."""

from __future__ import annotations

import numpy as np
import pytest

from ravl.encoders.base import normalise
from ravl.models.class_means import ABSENT, ClassMeans, KeySums, scores_without

LABELS, PER, WIDTH = 4, 12, 16


@pytest.fixture
def rows():
    """Keys around a centre for each label (48, 16), and the labels one hot (48, 4)."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(LABELS, WIDTH))
    places = np.repeat(np.arange(LABELS), PER)
    keys = centres[places] + 0.7 * random.normal(size=(len(places), WIDTH))
    return normalise(keys.astype(np.float32)), np.eye(LABELS, dtype=np.float32)[places]


def tags_of(labels):
    """Tags: the label, and one that half of the rows have."""
    more = (np.arange(len(labels)) % 2)[:, None]
    return np.hstack([labels, more]).astype(np.float32)


def test_the_nearest_mean_answers(rows):
    keys, labels = rows
    sums = KeySums.of(keys[::2], labels[::2])
    found = sums.scores(keys[1::2], exclusive=True)
    assert (found.argmax(1) == labels[1::2].argmax(1)).mean() > 0.9
    mean = normalise(keys[::2][labels[::2, 1] > 0].mean(0, keepdims=True))
    np.testing.assert_allclose(found[:, 1], (keys[1::2] @ mean.T)[:, 0], atol=1e-6)


def test_a_label_without_rows_is_never_the_answer(rows):
    keys, labels = rows
    wide = np.hstack([labels, np.zeros((len(labels), 1), np.float32)])
    sums = KeySums.of(keys, wide)
    found = sums.scores(keys, exclusive=True)
    assert (found[:, -1] == ABSENT).all()
    for exclusive in (True, False):
        shares = ClassMeans(exclusive, 10.0)(found, sums.counts, sums.rows)
        assert (shares[:, -1] == 0).all()
        assert np.isfinite(shares).all()


def test_an_empty_memory_says_nothing():
    sums = KeySums.of(np.zeros((0, WIDTH), np.float32), np.zeros((0, LABELS), np.float32))
    keys = normalise(np.ones((2, WIDTH), np.float32))
    for exclusive in (True, False):
        found = ClassMeans(exclusive, 10.0)(sums.scores(keys, exclusive), sums.counts, sums.rows)
        assert (found == 0).all()


@pytest.mark.parametrize("exclusive", [True, False])
def test_without_itself_is_as_if_it_were_no_row(rows, exclusive):
    keys, labels = rows[0], rows[1] if exclusive else tags_of(rows[1])
    own = [np.array([i, (i + 1) % len(keys)]) for i in range(len(keys))]
    found = scores_without(
        keys, KeySums.of(keys, labels), own, lambda some: (keys[some], labels[some]), exclusive
    )
    for i, mine in enumerate(own):
        others = np.setdiff1d(np.arange(len(keys)), mine)
        expected = KeySums.of(keys[others], labels[others]).scores(keys[[i]], exclusive)[0]
        np.testing.assert_allclose(found[i], expected, atol=1e-5)


@pytest.mark.parametrize("exclusive", [True, False])
def test_fitted_parameters_are_likelier_than_the_first(rows, exclusive):
    keys, labels = rows[0], rows[1] if exclusive else tags_of(rows[1])
    sums = KeySums.of(keys[::2], labels[::2])
    found, targets = sums.scores(keys[1::2], exclusive), labels[1::2]
    fitted = ClassMeans.fit(found, targets, sums.counts, sums.rows, exclusive)

    def loss(means):
        p = np.clip(means(found, sums.counts, sums.rows), 1e-4, 1 - 1e-4)
        each = targets * np.log(p) + (0 if exclusive else (1 - targets) * np.log(1 - p))
        return -each.sum(1).mean()

    assert loss(fitted) < loss(ClassMeans(exclusive, 1.0)) - 0.05
    assert ClassMeans.from_json(fitted.to_json(), exclusive) == fitted


def test_a_frequent_label_is_likelier_only_where_that_was_fitted():
    scores = np.zeros((1, 2), np.float32)
    counts = np.array([90.0, 10.0])
    np.testing.assert_allclose(ClassMeans(True, 5.0)(scores, counts, 100.0), [[0.5, 0.5]])
    np.testing.assert_allclose(
        ClassMeans(True, 5.0, prior=1.0)(scores, counts, 100.0), [[0.9, 0.1]]
    )
