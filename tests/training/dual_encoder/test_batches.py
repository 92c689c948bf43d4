from __future__ import annotations

import numpy as np
import pytest
import torch

from ravl.encoders.base import Array, normalise
from ravl.training.dual_encoder.batches import (
    FALSE_NEGATIVE,
    HardNegativeSampler,
    PairData,
    mine_hard_negatives,
)
from ravl.training.dual_encoder.material import TrainingInputs
from ravl.training.dual_encoder.pairs import Ints, Pairs, pairs_of

COUNTS = [3, 1, 2, 5, 2, 2, 1, 4]  # texts of each picture
OWNERS = np.repeat(np.arange(8), COUNTS)
ALL = np.arange(len(OWNERS))
GROUPS = np.arange(8)


def vectors(count: int = 8, seed: int = 0) -> tuple[Array, Array]:
    """Pictures, and texts that are near to their own."""
    random = np.random.default_rng(seed)
    pictures = normalise(random.normal(size=(count, 6)))
    return pictures, normalise(pictures + 0.4 * random.normal(size=(count, 6)))


def passes(hard: int = 0, seed: int = 0, groups: Ints = GROUPS) -> HardNegativeSampler:
    return HardNegativeSampler(ALL, OWNERS, groups, hard, vectors, seed)


@pytest.mark.parametrize("hard", [0, 1, 3, 50])
def test_every_pair_comes_once_an_epoch_and_every_picture_once_a_pass(hard):
    order = passes(hard)
    found = list(order)
    assert sorted(found) == ALL.tolist()
    assert len(order) == len(found)
    pictures = OWNERS[found].tolist()
    for turn in range(max(COUNTS)):
        those = {p for p, count in enumerate(COUNTS) if count > turn}
        assert set(pictures[: len(those)]) == those
        pictures = pictures[len(those) :]
    assert pictures == []


@pytest.mark.parametrize("hard", [0, 2])
def test_the_order_goes_by_seed_and_epoch(hard):
    first = list(passes(hard))
    assert list(passes(hard)) == first
    assert list(passes(hard, seed=1)) != first
    order = passes(hard)
    order.set_epoch(4)
    fourth = list(order)
    assert fourth != first
    again = passes(hard)
    again.set_epoch(4)
    assert list(again) == fourth
    again.set_epoch(0)
    assert list(again) == first


def test_each_pass_has_other_texts_in_other_epochs():
    order = passes()
    firsts = set()
    for epoch in range(20):
        order.set_epoch(epoch)
        firsts.add(next(i for i in order if OWNERS[i] == 3))
    assert firsts == set(np.flatnonzero(OWNERS == 3).tolist())


def test_vectors_are_asked_for_only_when_neighbours_are_mined():
    asked = []

    def embed() -> tuple[Array, Array]:
        asked.append(1)
        return vectors()

    list(HardNegativeSampler(ALL, OWNERS, GROUPS, 0, embed, 0))
    assert not asked
    order = HardNegativeSampler(ALL, OWNERS, GROUPS, 2, embed, 0)
    list(order)
    list(order)
    assert len(asked) == 2


def test_hard_neighbours_follow_their_picture():
    near = mine_hard_negatives(*vectors(), GROUPS, 2)
    pictures = OWNERS[list(passes(2))][:8].tolist()  # the first pass
    done: set[int] = set()
    while pictures:
        picture = pictures.pop(0)
        done.add(picture)
        for other in near[picture].tolist():
            if other >= 0 and other not in done:
                assert pictures.pop(0) == other
                done.add(other)


def test_only_training_pairs_are_drawn_and_groups_are_those_of_their_pictures(pairs):
    train = np.arange(5, 64, 3)
    chosen = pairs_of(pairs, train)

    def embed() -> tuple[Array, Array]:
        return vectors(len(train))

    order = HardNegativeSampler(chosen, pairs.owners[chosen], pairs.groups, 4, embed, 0)
    assert sorted(order) == chosen.tolist()


@pytest.mark.parametrize("k", [1, 5, 100])
def test_what_is_mined_is_neither_the_picture_nor_may_it_fit_as_well(k):
    groups = np.arange(60) // 3  # near-duplicates in threes
    pictures, texts = vectors(60, seed=1)
    pictures[1::3] = pictures[::3]
    near = mine_hard_negatives(pictures, texts, groups, k)
    assert near.shape == (60, min(k, 59))
    scores = pictures @ texts.T
    for i, line in enumerate(near):
        found = line[line >= 0]
        fits = (scores[i] > FALSE_NEGATIVE * scores[i, i]) | (groups == groups[i])
        assert i not in found
        assert not fits[found].any()
        hardest = np.sort(scores[i, ~fits])[::-1][:k]
        np.testing.assert_allclose(scores[i, found], hardest)


def test_where_all_are_near_duplicates_nothing_is_mined():
    assert (mine_hard_negatives(*vectors(), np.zeros(8, np.int64), 3) == -1).all()
    assert sorted(passes(3, groups=np.zeros(8, np.int64))) == ALL.tolist()


def test_an_item_is_a_whole_batch(pairs: Pairs):
    texts = np.random.default_rng(0).normal(size=(len(pairs.texts), 5)).astype(np.float32)
    data = PairData(TrainingInputs(pairs, texts), passes(), 0)
    assert len(data) == 128
    batch = data.__getitems__([7, 2, 100, 6])
    assert batch.pop("taught") == {}
    assert {name: tuple(x.shape) for name, x in batch.items()} == {
        "features": (3, 48),
        "texts": (4, 5),
        "place": (4,),
        "groups": (4,),
        "which": (4,),
    }
    seen = batch["features"][batch["place"]]  # 6 and 7 are of one picture, looked at once
    assert torch.equal(seen, torch.from_numpy(pairs.features[pairs.owners[[7, 2, 100, 6]]]))
    assert torch.equal(batch["texts"][2], torch.from_numpy(texts[pairs.which[100]]))
    assert batch["which"].tolist() == pairs.which[[7, 2, 100, 6]].tolist()
    assert torch.equal(data[7]["texts"], batch["texts"][:1])


def test_texts_of_a_picture_may_share_a_batch():
    order = HardNegativeSampler(ALL, OWNERS, GROUPS, 0, vectors, 0, together=2)
    found = list(order)
    assert sorted(found) == ALL.tolist()
    owners = OWNERS[found].tolist()
    first = owners[: sum(min(count, 2) for count in COUNTS)]
    runs = [owner for owner, before in zip(first, [-1, *first], strict=False) if owner != before]
    assert sorted(runs) == list(range(8))  # each picture once, with up to two of its texts


def test_reworded_texts_take_the_place_of_others_in_training_only(pairs: Pairs):
    texts = np.zeros((len(pairs.texts), 5), np.float32)
    material = TrainingInputs(pairs, texts, np.ones((len(pairs.texts), 2, 5), np.float32))
    batch = PairData(material, passes(), 0).__getitems__(list(range(100)))
    assert 0.5 < batch["texts"][:, 0].mean() < 0.8  # two of three
    assert material.read(np.arange(100))["texts"].sum() == 0
