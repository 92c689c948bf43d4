from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravl.models.vote import CAP, RIDGE_CAP, Vote, cap_shares, rebalance
from tests.labelled import near_of

TWO = np.eye(2, dtype=np.float32)


def random_near(n: int, k: int, rows: int, seed: int = 0):
    random = np.random.default_rng(seed)
    positions = np.stack([random.permutation(rows)[:k] for _ in range(n)])
    similarity = -np.sort(-random.uniform(-1, 1, (n, k)), axis=1)
    return near_of(positions.tolist(), similarity.tolist())


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=40),
    st.sampled_from([0.02, 0.04, 0.16]),
)
def test_shares_sum_to_one_and_keep_the_cap(similarity, temperature):
    similarity = sorted(similarity, reverse=True)
    near = near_of([list(range(len(similarity)))], [similarity])
    shares = Vote(64, temperature).shares(near)[0]
    assert shares.sum() == pytest.approx(1, abs=1e-4)
    assert (shares >= 0).all()
    assert (np.diff(shares) <= 1e-6).all()  # the nearer, the more
    voters = int((shares > 0).sum())
    assert shares.max() <= max(CAP, 1 / voters) + 1e-5


def test_no_row_has_more_than_an_eighth():
    near = near_of([list(range(20))], [[1.0, *[0.2] * 19]])  # one is overwhelmingly near
    shares = Vote(20, 0.02).shares(near)[0]
    assert shares[0] == pytest.approx(CAP)
    assert Vote(20, 0.02, cap=1.0).shares(near)[0][0] > 0.99  # without the cap it is alone


def test_without_need_the_cap_changes_nothing():
    near = random_near(5, 32, 40)
    free, tied = (Vote(32, 0.9, cap=cap).shares(near) for cap in (1.0, CAP))
    assert free.max() < CAP
    np.testing.assert_allclose(free, tied, rtol=1e-4)


def test_few_voters_share_alike():
    near = near_of([[0, 1, 2, -1]], [[0.9, 0.5, 0.1, 0]])
    np.testing.assert_allclose(Vote(4, 0.04).shares(near), [[1 / 3, 1 / 3, 1 / 3, 0]], atol=1e-5)


@pytest.mark.parametrize("temperature", [0.02, 0.04, 0.16])
def test_nobody_votes(temperature):
    near = near_of([[-1, -1], [0, -1], [0, 1]], [[0, 0], [-0.9, 0], [0.5, 0.4]])
    vote = Vote(2, temperature)
    shares = vote.shares(near)
    assert shares[0].tolist() == [0, 0]
    np.testing.assert_allclose(shares.sum(1), [0, 1, 1], atol=1e-6)
    np.testing.assert_allclose(vote(near, TWO)[:2], [[0, 0], [1, 0]], atol=1e-6)
    assert vote(near.first(0), TWO).tolist() == [[0, 0]] * 3
    assert vote(near.take(np.zeros(0, np.int64)), TWO).shape == (0, 2)


def test_rows_that_say_nothing_leave_their_place():
    near = near_of([[0, 1, 2]], [[0.99, 0.5, 0.49]])
    said = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
    worth = np.array([0, 1, 1], np.float32)
    shares = Vote(3, 0.04).shares(near, worth)[0]
    assert shares[0] == 0
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(Vote(3, 0.04)(near, said, worth).sum(), 1, rtol=1e-5)
    assert Vote(3, 0.04)(near, said, np.zeros(3, np.float32)).tolist() == [[0, 0]]


def test_a_nearest_row_of_no_worth_does_not_drown_those_far_off():
    near = near_of([[0, 1, 2]], [[1.0, -0.8, -0.9]])
    worth = np.array([0, 1, 1], np.float32)
    assert Vote(3, 0.02).shares(near, worth).sum() == pytest.approx(1, abs=1e-4)


def test_votes_are_shares_of_labels():
    near = random_near(9, 16, 30)
    said = np.eye(5, dtype=np.float32)[np.random.default_rng(1).integers(0, 5, 30)]
    for balance in (0.0, 0.5, 1.0):
        votes = Vote(16, 0.08, class_balance=balance)(near, said)
        np.testing.assert_allclose(votes.sum(1), 1, rtol=1e-4)
    shares = Vote(16, 0.08).shares(near)
    expected = (shares[:, :, None] * said[near.positions]).sum(1)
    np.testing.assert_allclose(Vote(16, 0.08)(near, said), expected, atol=1e-5)


def test_tags_have_shares_of_their_own():
    near = near_of([[0, 1]], [[0.5, 0.5]])
    votes = Vote(2)(near, np.array([[1, 1, 0], [1, 0, 0]], np.float32))
    np.testing.assert_allclose(votes, [[1, 0.5, 0]], atol=1e-5)


def test_balance_makes_up_for_rarity():
    votes = np.array([[0.6, 0.4], [0, 0]], np.float32)
    counts = np.array([90.0, 10.0])
    assert rebalance(votes, counts, 0.0) is votes
    fair = rebalance(votes, counts, 1.0)
    np.testing.assert_allclose(fair[0], [0.6 / 90 / (0.6 / 90 + 0.04), 0.04 / (0.6 / 90 + 0.04)])
    assert fair[1].tolist() == [0, 0]
    half = rebalance(votes, counts, 0.5)
    assert fair[0, 1] > half[0, 1] > 0.4


@pytest.mark.parametrize("others", [8, 12, 31])
def test_one_poisoned_row_cannot_flip_a_unanimous_vote(others):
    """It says B and lies upon the query; all others say A and are far from it."""
    near = near_of([list(range(others + 1))], [[1.0, *np.linspace(0.3, -0.5, others)]])
    said = TWO[[1, *[0] * others]]
    for temperature in (0.02, 0.16):
        votes = Vote(64, temperature)(near, said)[0]
        assert votes[0] >= 1 - CAP - 1e-4
        assert Vote(64, temperature, cap=1.0)(near, said)[0][1] > 0.1
    assert Vote(64, 0.02, cap=1.0)(near, said)[0].argmax() == 1  # the cap is what prevents it


def test_capping_spans_many_orders_of_magnitude():
    shares = np.array([[1.0, 1e-30, 1e-28] + [1e-25] * 9])
    cut = cap_shares(shares, 1 / 8)
    assert cut.sum() == pytest.approx(1, abs=1e-4)
    assert cut.max() <= 1 / 8 + 1e-6


def test_as_json():
    vote = Vote(16, 0.08, class_balance=0.5)
    assert Vote.from_json(vote.to_json()) == vote
    older = {"k": 16, "temperature": 0.08, "balance": 0.5}
    assert Vote.from_json(older) == vote


def test_weights_of_neighbours_count_as_far_as_the_vote_asks():
    near = replace(
        near_of([[0, 1, 2, -1]], [[0.9, 0.5, 0.5, 0]]),
        weights=np.array([[0, 1, 3, 0]], np.float32),
    )
    whole = Vote(4, 0.08, cap=1.0, ridge=1.0).shares(near)[0]
    np.testing.assert_allclose(whole, [0, 0.5, 0.5, 0], atol=1e-6)  # few voters share alike
    plain = Vote(4, 0.08, cap=1.0).shares(near)[0]
    half = Vote(4, 0.08, cap=1.0, ridge=0.5).shares(near)[0]
    np.testing.assert_allclose(half, (whole + plain) / 2, atol=1e-6)
    worth = np.array([1, 0, 1], np.float32)  # the second says nothing
    np.testing.assert_allclose(
        Vote(4, 0.08, cap=1.0, ridge=1.0).shares(near, worth)[0], [0, 0, 1, 0], atol=1e-6
    )


def test_no_weighed_row_has_more_than_a_quarter():
    near = replace(
        near_of([list(range(20))], [[0.5] * 20]), weights=np.array([[9, *[1] * 19]], np.float32)
    )
    shares = Vote(20, 0.08, ridge=1.0).shares(near)[0]
    assert shares[0] == pytest.approx(RIDGE_CAP)
    np.testing.assert_allclose(shares[1:], 0.75 / 19, rtol=1e-4)


def test_without_weights_similarity_alone_counts():
    near = near_of([[0, 1]], [[0.9, 0.8]])
    plain = Vote(2, 0.08).shares(near)
    np.testing.assert_array_equal(Vote(2, 0.08, ridge=1.0).shares(near), plain)
    silent = replace(near, weights=np.zeros((1, 2), np.float32))
    np.testing.assert_allclose(Vote(2, 0.08, ridge=1.0).shares(silent), plain, atol=1e-6)


def test_the_ridge_is_kept_and_checked():
    vote = Vote(64, 0.08, ridge=0.5)
    assert Vote.from_json(vote.to_json()) == vote
    record = {name: value for name, value in vote.to_json().items() if name != "ridge"}
    assert Vote.from_json(record).ridge == 0  # a run of before
    for wrong in (-0.1, 1.5, "much"):
        with pytest.raises(ValueError, match="setting of the vote"):
            Vote.from_json({**record, "ridge": wrong})
