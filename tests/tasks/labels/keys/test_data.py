"""Learned keys on a whole ground: examples are found by keys that have not seen them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ravl.models.linear import fold_of_groups
from ravl.models.vote import Vote
from ravl.tasks.labels.dataset import FitData, Split, rows_with_target, searched_by
from ravl.tasks.labels.keys import data as learned_keys_ground
from ravl.tasks.labels.keys.data import FOLDS, learned_data, lesson_of
from ravl.tasks.labels.keys.learned import Preferences
from ravl.tasks.labels.votes import LabelMatrix
from tests.labelled import leak, shades
from tests.tasks.labels.test_dataset import grounded


@pytest.fixture
def leaky(empty, tmp_path):
    """A ground of labels drawn by chance, every picture twice; keys could learn them by heart."""
    empty.add(leak(tmp_path / "leak"))
    with grounded(empty, tmp_path / "w") as (data, _):
        yield data


def accuracy(data: FitData, side: Split) -> float:
    label_matrix = LabelMatrix.of(data.datastore, data.task, data.labels)
    votes = Vote(4, 0.02, cap=1.0)(side.neighbours, label_matrix.labels, label_matrix.worth)
    return float((votes[:, : len(data.labels)].argmax(1) == data.truth(side)).mean())


def test_what_keys_learned_by_heart_is_not_believed(leaky, monkeypatch):
    monkeypatch.setattr(learned_keys_ground, "held_surprise", falling())
    monkeypatch.setattr("ravl.tasks.labels.keys.learned.DECAY", 0.0)
    found = learned_data(leaky)
    assert found is not None
    assert found.data.learned
    assert accuracy(found.data, found.data.train) < 0.5
    seen = searched_by(leaky, found.learned.keys, rows_with_target(leaky.datastore, leaky.task))
    assert accuracy(seen, seen.train) > accuracy(found.data, found.data.train) + 0.15
    for name in ("validation", "test"):
        side = getattr(found.data, name)
        np.testing.assert_array_equal(
            side.neighbours.positions, getattr(seen, name).neighbours.positions
        )
        assert accuracy(found.data, side) < 0.5


def falling():
    """A surprise that falls with every epoch."""
    values = iter(np.linspace(1, 0, 100))
    return lambda *_: float(next(values))


def test_training_examples_find_no_row_of_their_fold(leaky, monkeypatch):
    monkeypatch.setattr(learned_keys_ground, "held_surprise", falling())
    found = learned_data(leaky)
    assert found is not None
    train, datastore = found.data.train, found.data.datastore
    for fold in fold_of_groups(train.examples.groups, FOLDS, leaky.settings.seed):
        part = train.take(fold)
        own = set(datastore.showing(part.examples.seen_groups()).tolist())
        near = part.neighbours.positions[part.neighbours.found]
        assert len(near) == len(fold) * (len(datastore) - len(own))  # all that are left
        assert not own & set(near.tolist())


def test_frozen_keys_stay_where_no_epoch_is_better(leaky, monkeypatch):
    monkeypatch.setattr(learned_keys_ground, "held_surprise", lambda *_: 1.0)
    assert learned_data(leaky) is None


def test_rows_without_a_label_are_found_but_teach_nothing(empty, tmp_path, monkeypatch):
    some = shades(tmp_path / "pictures", 60)
    empty.add([replace(e, label=None) if i % 3 == 0 else e for i, e in enumerate(some)])
    monkeypatch.setattr(learned_keys_ground, "held_surprise", falling())
    with grounded(empty, tmp_path / "w") as (data, _):
        found = learned_data(data)
        assert found is not None
        speaking = rows_with_target(data.datastore, data.task)
        assert 0 < speaking.sum() < len(speaking)
        train = found.data.train
        assert speaking[train.neighbours.positions[train.neighbours.found]].all()
        assert not speaking[train.wide.positions[train.wide.found]].all()


def test_preferences_follow_their_rows_into_a_smaller_bank(leaky):
    count = len(leaky.train)
    positions = np.tile(np.array([0, 3, -1]), (count, 1))
    shares = np.tile(np.array([0.25, 0.5, 0.0], np.float32), (count, 1))
    preferred = Preferences(positions, shares, np.arange(count, dtype=np.float32))
    rows = np.arange(len(leaky.datastore)) >= 2
    lesson = lesson_of(leaky, rows, np.array([4, 5]), preferred)
    assert lesson.preferred is not None
    np.testing.assert_array_equal(lesson.preferred.positions, [[-1, 1, -1]] * 2)
    np.testing.assert_allclose(lesson.preferred.shares, [[0, 1, 0]] * 2, atol=1e-6)
    np.testing.assert_array_equal(lesson.preferred.weights, [4, 5])
    assert lesson.datastore.rows[1] == leaky.datastore.rows[3]
