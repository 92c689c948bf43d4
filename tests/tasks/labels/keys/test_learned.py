from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ravl.models.linear import Loss
from ravl.models.vote import Vote
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.labels.keys import learned as learned_keys
from ravl.tasks.labels.keys.learned import PATIENCE, Preferences, TrainingExamples, learn_keys
from tests.labelled import bank_of

LABELS = 3


@pytest.fixture(autouse=True)
def far_from_the_identity(monkeypatch):
    """Few features of which most are noise: so little has to move far."""
    monkeypatch.setattr(learned_keys, "DECAY", 0.5)


def lesson_of(seed: int = 0, count: int = 120, exclusive: bool = True) -> TrainingExamples:
    """Examples whose label is in the three features that vary least; they are the bank as well."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, LABELS, count)
    said = np.eye(LABELS, dtype=np.float32)[labels]
    noise = random.normal(size=(count, 5))
    features = np.hstack([said + 0.2 * random.normal(size=said.shape), 1.5 * noise])
    datastore = bank_of(features.astype(np.float32))
    hidden = [np.array([group]) for group in datastore.groups]
    return TrainingExamples(datastore, said, datastore.features, said, hidden, Loss(exclusive))


def right(keys: KeyProjection, lesson: TrainingExamples, asked: TrainingExamples) -> float:
    """The accuracy of a vote on other examples."""
    datastore = replace(lesson.datastore, keys=keys(lesson.datastore.features))
    votes = Vote(8, 0.1)(datastore.neighbours(keys(asked.features), 8), lesson.labels)
    return float((votes.argmax(1) == asked.targets.argmax(1)).mean())


@pytest.mark.parametrize("exclusive", [True, False])
def test_new_pictures_find_neighbours_of_their_label(exclusive):
    lesson, asked = lesson_of(exclusive=exclusive), lesson_of(1)
    frozen = KeyProjection.of(lesson.features)
    found = learn_keys(frozen, lesson, 15).keys
    assert right(frozen, lesson, asked) < 0.75
    assert right(found, lesson, asked) > 0.85
    assert found.directions.shape == frozen.directions.shape


def test_without_an_epoch_keys_are_the_frozen_ones():
    lesson = lesson_of()
    frozen = KeyProjection.of(lesson.features)
    found = learn_keys(frozen, lesson, 0)
    np.testing.assert_array_equal(found.keys(lesson.features), frozen(lesson.features))


def test_the_epoch_best_on_held_out_examples_is_kept():
    lesson = lesson_of()
    frozen = KeyProjection.of(lesson.features)
    values = iter([1.0, 0.9, 0.8, *(0.85 for _ in range(20))])
    found = learn_keys(frozen, lesson, held=lambda _: next(values))
    assert found.epochs == 2
    assert len(found.curve) == 1 + 2 + PATIENCE
    again = learn_keys(frozen, lesson, 2)
    np.testing.assert_array_equal(found.keys.directions, again.keys.directions)


def test_keys_that_are_held_back_stay_closer_to_the_frozen_ones(monkeypatch):
    lesson = lesson_of()
    frozen = KeyProjection.of(lesson.features)
    moved = []
    for decay in (0.5, 50.0):
        monkeypatch.setattr(learned_keys, "DECAY", decay)
        found = learn_keys(frozen, lesson, 6).keys
        moved.append(np.square(found.directions - frozen.directions).sum())
    assert moved[1] < moved[0] / 4


def test_none_is_kept_where_all_are_worse():
    lesson = lesson_of()
    frozen = KeyProjection.of(lesson.features)
    found = learn_keys(frozen, lesson, held=lambda keys: float(keys is not frozen))
    assert found.epochs == 0
    assert found.keys is frozen


def test_a_large_bank_is_mined_again_in_each_epoch(monkeypatch):
    """Only rows near to a batch answer it; learned are the same keys, about."""
    lesson, asked = lesson_of(), lesson_of(1)
    frozen = KeyProjection.of(lesson.features)
    monkeypatch.setattr(learned_keys, "WHOLE", 10)
    monkeypatch.setattr(learned_keys, "BATCH", 16)
    looked = []
    neighbours = type(lesson.datastore).neighbours

    def spied(datastore, keys, k, hidden):
        looked.append(datastore.keys)
        found = neighbours(datastore, keys, k, hidden)
        groups = datastore.groups[found.positions]
        assert not any(h in line for h, line in zip(hidden, groups, strict=True))
        return found

    monkeypatch.setattr(type(lesson.datastore), "neighbours", spied)
    found = learn_keys(frozen, lesson, 8).keys
    assert len(looked) == 8
    assert not np.allclose(looked[0], looked[-1], atol=0.01)  # the memory was embedded again
    monkeypatch.undo()
    assert right(found, lesson, asked) > 0.85


def test_an_example_does_not_answer_itself():
    """Labels by chance: who sees itself has nothing to learn, who does not is wrong at first."""
    lesson = lesson_of()
    chance = np.eye(LABELS, dtype=np.float32)[np.random.default_rng(5).integers(0, LABELS, 120)]
    lesson = replace(lesson, labels=chance, targets=chance)
    frozen = KeyProjection.of(lesson.features)

    def leave_one_out(hidden):
        datastore = replace(lesson.datastore, keys=frozen(lesson.features))
        near = datastore.neighbours(frozen(lesson.features), 8, hidden)
        return float((Vote(8, 0.02, cap=1)(near, chance).argmax(1) == chance.argmax(1)).mean())

    assert leave_one_out(lesson.hidden) < 0.5
    assert leave_one_out([np.zeros(0, np.int64)] * 120) > 0.9


def prefer(lesson: TrainingExamples, weight: float) -> TrainingExamples:
    """The reader prefers the second candidate of two, whatever its label."""
    positions = np.stack([(np.arange(120) + 1) % 120, (np.arange(120) + 7) % 120], 1)
    shares = np.tile(np.array([0, 1], np.float32), (120, 1))
    weights = np.full(120, weight, np.float32)
    return replace(lesson, preferred=Preferences(positions, shares, weights))


def test_what_a_reader_prefers_becomes_more_like(monkeypatch):
    lesson = lesson_of()
    frozen = KeyProjection.of(lesson.features)

    def chances(lesson: TrainingExamples) -> float:
        """Of the preferred candidate, among the two."""
        keys = learn_keys(frozen, lesson, 6).keys(lesson.features)
        first, second = (
            (keys * np.roll(keys, -shift, axis=0)).sum(1) / learned_keys.TEMPERATURE
            for shift in (1, 7)
        )
        return float(np.log1p(np.exp(first - second)).mean())

    plain = chances(lesson)
    assert chances(prefer(lesson, 5.0)) < 0.95 * plain
    assert chances(prefer(lesson, 0.0)) == pytest.approx(plain)  # it does not care
    monkeypatch.setattr(learned_keys, "WHOLE", 10)
    monkeypatch.setattr(learned_keys, "MINED", 4)
    assert chances(prefer(lesson, 5.0)) < 0.95 * plain  # candidates are in every pool


def test_candidates_that_are_not_there_teach_nothing():
    lesson = lesson_of()
    frozen = KeyProjection.of(lesson.features)
    nothing = Preferences(
        np.full((120, 2), -1), np.zeros((120, 2), np.float32), np.ones(120, np.float32)
    )
    found = learn_keys(frozen, replace(lesson, preferred=nothing), 2).keys
    plain = learn_keys(frozen, lesson, 2).keys
    np.testing.assert_allclose(found.directions, plain.directions, atol=1e-6)


def test_one_example_and_one_row():
    lesson = lesson_of(count=120)
    one = replace(
        lesson,
        datastore=lesson.datastore.only(np.arange(120) == 0),
        labels=lesson.labels[:1],
        features=lesson.features[:1],
        targets=lesson.targets[:1],
        hidden=lesson.hidden[:1],
    )
    found = learn_keys(KeyProjection.of(lesson.features), one, 2).keys
    assert np.isfinite(found.directions).all()
