from __future__ import annotations

import numpy as np
import pytest

from ravl.data import Example
from ravl.errors import DataError
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Datastore, Neighbours, SimilarityFloor, read_datastore
from ravl.retrieval.key_projection import KeyProjection
from tests.labelled import bank_of, leak, random_picture

NOTHING = np.zeros(0, np.int64)


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)


def test_neighbours_are_the_nearest_by_cosine_of_keys(features):
    datastore = bank_of(features)
    near = datastore.neighbours(datastore.keys, 5)
    expected = np.argsort(-(datastore.keys @ datastore.keys.T), axis=1)[:, :5]
    np.testing.assert_array_equal(near.positions, expected)
    assert (near.positions[:, 0] == np.arange(20)).all()  # nothing hidden: itself
    np.testing.assert_allclose(near.best_similarity, 1, rtol=1e-5)
    assert (np.diff(near.similarity, axis=1) <= 0).all()


def test_hidden_groups_are_in_no_ones_neighbours(features):
    groups = np.arange(20) // 4  # five groups of four
    datastore = bank_of(features, groups=groups.tolist())
    hidden = [np.array([g]) for g in groups]
    near = datastore.neighbours(datastore.keys, 16, hidden)
    assert (groups[near.positions] != groups[:, None]).all()
    assert near.found.all()  # as many as were asked for: others take their places
    every = datastore.neighbours(datastore.keys, 20, hidden)
    assert (every.found.sum(1) == 16).all()
    assert (every.similarity[~every.found] == 0).all()


def test_several_hidden_groups_and_none(features):
    groups = np.arange(20) // 4
    datastore = bank_of(features, groups=groups.tolist())
    near = datastore.neighbours(datastore.keys[:2], 20, [np.array([0, 3]), NOTHING])
    assert set(groups[near.positions[0][near.found[0]]]) == {1, 2, 4}
    assert near.found[1].all()


def test_hiding_is_the_same_as_not_being_there(features):
    datastore = bank_of(features, groups=(np.arange(20) // 2).tolist())
    queries = datastore.keys[:2]
    hidden = datastore.neighbours(queries, 6, [np.array([0])] * 2)
    less = datastore.only(datastore.groups != 0)
    there = less.neighbours(queries, 6)
    np.testing.assert_array_equal(
        datastore.numbers[hidden.positions], less.numbers[there.positions]
    )
    np.testing.assert_allclose(hidden.similarity, there.similarity, rtol=1e-6)


def test_a_small_bank_leaves_places_empty(features):
    datastore = bank_of(features[:3])
    near = datastore.neighbours(datastore.keys[:1], 8)
    assert near.positions[0].tolist()[3:] == [-1] * 5
    assert near.found.sum() == 3
    all_hidden = datastore.neighbours(datastore.keys[:1], 8, [datastore.groups])
    assert not all_hidden.found.any()
    assert all_hidden.best_similarity.tolist() == [0]
    no_query = datastore.neighbours(datastore.keys[:0], 4)
    assert len(no_query) == 0
    assert no_query.best_similarity.shape == (0,)


def test_first_and_take(features):
    datastore = bank_of(features)
    near = datastore.neighbours(datastore.keys, 6)
    np.testing.assert_array_equal(near.first(2).positions, near.positions[:, :2])
    np.testing.assert_array_equal(near.take(np.array([3, 1])).similarity, near.similarity[[3, 1]])


def test_a_bank_of_a_memory_has_its_pictures(memory):
    memory.add([Example("words only", texts=("no picture",))])
    datastore = read_datastore(memory)
    assert [row.id for row in datastore.rows] == [r.id for r in memory if r.hash]
    assert datastore.numbers.tolist() == sorted(datastore.numbers.tolist())
    assert datastore.features.shape == (16, 48)
    keys = KeyProjection.of(datastore.features)
    some = read_datastore(memory, keys, where="label = 'red'")
    assert {row.label for row in some.rows} == {"red"}
    where = np.searchsorted(datastore.numbers, some.numbers)
    np.testing.assert_allclose(some.keys, datastore.keys[where], atol=1e-6)  # by the keys given


def test_near_duplicates_are_a_group_in_the_bank(empty):
    empty.add(
        [
            Example("a", random_picture(0)),
            Example("b", random_picture(0, True)),
            Example("c", random_picture(1)),
        ]
    )
    datastore = read_datastore(empty)
    assert datastore.groups[0] == datastore.groups[1] != datastore.groups[2]


def test_an_empty_memory_is_no_evidence(empty, memory):
    with pytest.raises(DataError, match="holds no picture that .* lets through"):
        read_datastore(memory, where="label = 'nothing'")
    memory.delete([row.id for row in memory])
    with pytest.raises(DataError, match="holds no picture. Bring some in first: ravl index"):
        read_datastore(memory)


def accuracy(datastore: Datastore, hidden: bool) -> float:
    """Of the vote on the bank's own rows."""
    names = sorted({row.label or "" for row in datastore.rows})
    own = np.array([names.index(row.label or "") for row in datastore.rows])
    groups = [np.array([g]) for g in datastore.groups] if hidden else [NOTHING] * len(datastore)
    near = datastore.neighbours(datastore.keys, 8, groups)
    if not hidden:  # even without the row itself, which is always first
        near = type(near)(near.positions[:, 1:], near.similarity[:, 1:])
    votes = Vote(8, 0.02, cap=1.0)(near, np.eye(len(names), dtype=np.float32)[own])
    return float((votes.argmax(1) == own).mean())


def test_a_planted_leak_shows_only_where_nothing_is_hidden(empty, tmp_path):
    """Random labels; each picture's copy has its label too: 25 % is all that is honest."""
    empty.add(leak(tmp_path / "leak"))
    datastore = read_datastore(empty)
    assert len(set(datastore.groups.tolist())) == 60
    assert accuracy(datastore, hidden=False) == 1.0
    assert accuracy(datastore, hidden=True) < 0.42
    lonely = Datastore(
        datastore.rows, datastore.features, datastore.numbers, datastore.keys
    )  # nobody knows of the copies
    assert accuracy(lonely, hidden=True) == 1.0


def test_the_rows_of_groups(features):
    groups = (np.arange(20) % 5).tolist()
    datastore = bank_of(features, groups=groups)
    assert datastore.showing(np.array([1, 4, 9])).tolist() == [1, 6, 11, 16, 4, 9, 14, 19]
    assert datastore.showing(NOTHING).tolist() == []


def test_only_some_rows_may_be_found(features):
    datastore = bank_of(features)
    among = np.arange(20) % 2 == 0
    near = datastore.neighbours(
        datastore.keys, 12, [np.array([n]) for n in datastore.groups], among
    )
    found = near.positions[near.found]
    assert (found % 2 == 0).all()
    assert near.found.sum(1).tolist() == [9, 10] * 10  # without itself, and without the others


def test_neighbours_are_believed_together_or_alone():
    positions = np.array([[0, 1, 2], [0, 1, 2], [0, 1, -1], [-1, -1, -1]])
    similarity = np.array([[0.6, 0.5, 0.4], [0.9, 0.1, 0.0], [0.5, 0.1, 0], [0, 0, 0]], np.float32)
    near = Neighbours(positions, similarity)
    np.testing.assert_allclose(near.mean_similarity, [0.5, 1 / 3, 0.3, 0], atol=1e-6)
    kept = near.above_floor(SimilarityFloor(together=0.45, single=0.8))
    assert kept.positions.tolist() == [[0, 1, 2], [0, -1, -1], [-1, -1, -1], [-1, -1, -1]]
    assert (kept.similarity[~kept.found] == 0).all()


def test_random_rows_are_less_alike_than_is_usual(features):
    random = np.random.default_rng(0)
    heaps = np.repeat(random.normal(size=(20, 16)), 20, axis=0) + random.normal(size=(400, 16)) / 2
    datastore = bank_of(heaps.astype(np.float32))
    near = datastore.neighbours(datastore.keys, 10, [np.array([n]) for n in datastore.groups])
    usual = SimilarityFloor.of(near)
    assert near.above_floor(usual).found.all(axis=1).mean() == pytest.approx(0.99, abs=0.005)
    strangers = random.integers(0, 400, (400, 10))
    found = (
        Neighbours(strangers, datastore.similarity(datastore.keys, strangers))
        .above_floor(usual)
        .found
    )
    assert found.any(axis=1).mean() < 0.35
    assert found.all(axis=1).mean() < 0.02


def test_without_neighbours_everything_is_usual():
    none = Neighbours(np.full((2, 3), -1), np.zeros((2, 3), np.float32))
    assert SimilarityFloor.of(none) == SimilarityFloor(-1, -1)


def test_likeness_of_rows_that_were_not_looked_for(features):
    datastore = bank_of(features)
    near = datastore.neighbours(datastore.keys[:3], 5)
    np.testing.assert_allclose(
        datastore.similarity(datastore.keys[:3], near.positions), near.similarity, 1e-5
    )
    assert datastore.similarity(datastore.keys[:1], np.array([[-1]])) == 0
