"""Whitened keys: neighbours share the label more often, and no example has helped itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ravl.models.linear import fold_of_groups
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.labels.dataset import FitData
from ravl.tasks.labels.keys import whitened
from ravl.tasks.labels.keys.whitened import FOLDS, whitened_data
from ravl.tasks.labels.keys.whitening import Whitening
from tests.labelled import leak, shades
from tests.tasks.labels.test_dataset import grounded


def noisy(count, seed=0):
    """Features (n, 20) whose label (n,) is in two small directions, beside loud noise."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, count)
    features = random.normal(size=(count, 20)) * np.linspace(4, 0.3, 20)
    features[:, -1] += labels
    features[:, -2] += labels == 1
    return features.astype(np.float32), labels


def share_of_same(keys, features, labels):
    found = keys(features)
    near = found @ found.T - 2 * np.eye(len(found))
    return (labels[near.argmax(1)] == labels).mean()


@pytest.mark.parametrize("shrinkage", [0.05, 0.2])
def test_neighbours_share_the_label(shrinkage):
    features, labels = noisy(300)
    plain = KeyProjection.of(features)
    whitening = Whitening.of(plain, features, np.eye(3, dtype=np.float32)[labels])
    others = noisy(300, seed=1)
    before = share_of_same(plain, *others)
    assert share_of_same(whitening.with_shrinkage(shrinkage), *others) > before + 0.05


def test_all_shrinkage_changes_nothing():
    features, labels = noisy(60)
    plain = KeyProjection.of(features)
    keys = Whitening.of(plain, features, np.eye(3, dtype=np.float32)[labels]).with_shrinkage(1.0)
    a, b = plain(features), keys(features)
    np.testing.assert_allclose(a @ a.T, b @ b.T, atol=1e-4)


def test_fewer_examples_than_directions_are_enough():
    features, labels = noisy(12)
    wide = np.repeat(features, 8, axis=1)
    targets = np.eye(3, dtype=np.float32)[labels]
    keys = Whitening.of(KeyProjection.of(wide), wide, targets).with_shrinkage(0.05)
    assert np.isfinite(keys(wide)).all()


@pytest.fixture
def data(empty, tmp_path):
    empty.add(leak(tmp_path / "leak"))  # labels by chance, every picture twice
    with grounded(empty, tmp_path / "w") as (found, _):
        yield found


def test_labels_by_chance_are_not_found_again(data):
    found = whitened_data(data)
    assert found is not None
    assert found.train.scores is not None
    truth = found.truth(found.train)
    assert (found.train.scores.argmax(1) == truth).mean() < 0.6


def test_labels_of_a_fold_do_not_change_its_scores(data, monkeypatch):
    monkeypatch.setattr(whitened, "SHRINKAGES", (0.2,))
    before = whitened_data(data)
    assert before is not None
    assert before.train.scores is not None
    fold = fold_of_groups(data.train.examples.groups, FOLDS, data.settings.seed)[0]
    targets = data.train.targets.copy()
    targets[fold] = targets[fold][:, ::-1]
    after = whitened_data(replace(data, train=replace(data.train, targets=targets)))
    assert after is not None
    assert after.train.scores is not None
    np.testing.assert_array_equal(before.train.scores[fold], after.train.scores[fold])
    np.testing.assert_array_equal(
        before.train.neighbours.positions[fold], after.train.neighbours.positions[fold]
    )
    own = np.isin(data.datastore.groups, data.train.examples.take(fold).seen_groups())
    places = before.train.neighbours.positions[fold]
    assert not own[places[places >= 0]].any()


def test_keys_of_questions_stay_as_they_are(empty, tmp_path):
    empty.add(shades(tmp_path / "pictures", 80))
    with grounded(empty, tmp_path / "w") as (found, _):
        assert isinstance(found, FitData)

        class Other(KeyProjection):
            """Keys of another kind."""

        keys = Other(*(getattr(found.keys, n) for n in ("power", "mean", "directions")))
        assert whitened_data(replace(found, keys=keys)) is None
