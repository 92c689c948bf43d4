from __future__ import annotations

import numpy as np
import pytest

from ravl.encoders.base import normalise
from ravl.memory import Row
from ravl.models.stacking import ScoreStack
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Datastore
from ravl.retrieval.key_projection import KeyProjection
from ravl.runs.row_texts import RowTexts, TextTargets
from ravl.tasks.match import pair_features as match_clues
from ravl.tasks.match.pair_features import look_up, shuffled
from ravl.tasks.match.predictor import MEMORY, MatchPredictor, QueryPairs

ROWS, TEXTS, WIDTH = 12, 20, 6


def row_texts(seed: int = 0) -> RowTexts:
    """Rows of which the first has no text, and the others one or two."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(ROWS, WIDTH)).astype(np.float32)
    owners = np.sort(np.r_[np.arange(1, ROWS), random.integers(1, ROWS, TEXTS - ROWS + 1)])
    vectors = normalise(random.normal(size=(TEXTS, WIDTH)))
    rows = [Row(i + 1, str(i)) for i in range(ROWS)]
    datastore = Datastore(
        rows, features, np.arange(1, ROWS + 1), KeyProjection.of(features)(features)
    )
    return RowTexts(datastore, [f"text {i}" for i in range(TEXTS)], vectors, owners)


def asked(known: RowTexts, count: int = 30) -> QueryPairs:
    random = np.random.default_rng(1)
    features = random.normal(size=(4, WIDTH)).astype(np.float32)
    vectors = normalise(random.normal(size=(5, WIDTH)))
    picture, text = random.integers(4, size=count), random.integers(5, size=count)
    return QueryPairs(features, features, [f"query {i}" for i in range(5)], vectors, picture, text)


def predictor(known: RowTexts, **changes: object) -> MatchPredictor:
    ones = np.ones(4, np.float32)
    stack = ScoreStack(MEMORY, np.zeros(4, np.float32), ones, ones, 0.0)
    keys = KeyProjection.of(known.datastore.features)
    return MatchPredictor(TextTargets(), keys, None, Vote(k=4), {"vote": stack}, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("block", [7, 512])
def test_clues_are_what_a_loop_finds(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_clues, "BLOCK", block)
    known = row_texts()
    pairs = asked(known)
    found = predictor(known).clues(pairs, known)
    keys = KeyProjection.of(known.datastore.features)(pairs.features)
    for i, (p, t) in enumerate(zip(pairs.picture, pairs.text, strict=True)):
        similarity = known.vectors @ pairs.vectors[t]
        of_row = np.array(
            [
                similarity[known.owners == r].max() if (known.owners == r).any() else -1
                for r in range(ROWS)
            ]
        )
        seen = known.datastore.keys @ keys[p]
        near, alike = np.argsort(-seen)[:4], np.argsort(-of_row)[:4]
        np.testing.assert_array_equal(found.neighbours.positions[i], near)
        np.testing.assert_array_equal(found.alike.positions[i], alike)
        np.testing.assert_allclose(
            found.text_similarity[i], np.where(near == 0, 0, of_row[near]), atol=1e-5
        )
        np.testing.assert_allclose(found.seen[i], seen[alike], atol=1e-5)


def test_hidden_groups_are_found_by_neither_side() -> None:
    known = row_texts()
    pairs = asked(known)
    hidden = [np.array([1 + i % 4, 5 + i % 3]) for i in range(len(pairs))]
    found = predictor(known).clues(pairs, known, k=ROWS, hidden=hidden)
    for near in (found.neighbours, found.alike):
        for line, groups in zip(near.positions, hidden, strict=True):
            seen = known.datastore.groups[line[line >= 0]]
            assert not np.isin(seen, groups).any()
    assert (found.neighbours.found.sum(1) == ROWS - 2).all()
    with_text = ROWS - 1 - np.array([(g > 1).sum() for g in hidden])  # the first row says nothing
    assert (found.alike.found.sum(1) == with_text).all()


def test_rows_without_a_text_leave_their_place() -> None:
    known = row_texts()
    pairs = asked(known)
    found = predictor(known)
    signals, by_picture, by_text = found.from_memory(found.clues(pairs, known), known)
    np.testing.assert_allclose(by_picture.sum(1), 1, atol=1e-5)
    clues = found.clues(pairs, known)
    assert (by_picture[clues.neighbours.positions == 0] == 0).all()
    assert all(np.abs(values).max() <= 1 + 1e-5 for values in signals.values())


def test_strangers_are_looked_at_with_the_likeness_of_the_right_ones() -> None:
    known = row_texts()
    pairs = asked(known)
    one = predictor(known)
    clues = one.clues(pairs, known)
    keys = one.keys(pairs.features)
    other = shuffled(clues, pairs.vectors, keys, pairs.picture, pairs.text, known, seed=3)
    np.testing.assert_array_equal(other.neighbours.similarity, clues.neighbours.similarity)
    assert (other.neighbours.positions != clues.neighbours.positions).any()
    straight = look_up(
        pairs.vectors, keys, pairs.picture, pairs.text, known, other.neighbours, alike=other.alike
    )
    np.testing.assert_array_equal(straight.text_similarity, other.text_similarity)


def test_nobody_who_speaks_is_no_answer() -> None:
    known = row_texts()
    silent = RowTexts(known.datastore, [], np.zeros((0, WIDTH), np.float32), np.zeros(0, np.int64))
    one, pairs = predictor(known), asked(known)
    found = one.answer(pairs, silent, one.clues(pairs, silent))
    assert (found.probabilities == 0.5).all()
    assert (found.gate == 0).all()


def test_some_pairs_take_their_pictures_and_texts_along() -> None:
    known = row_texts()
    pairs = asked(known)
    chosen = np.array([3, 3, 17])
    some = pairs.take(chosen)
    assert [some.texts[i] for i in some.text] == [pairs.texts[i] for i in pairs.text[chosen]]
    np.testing.assert_array_equal(
        some.features[some.picture], pairs.features[pairs.picture[chosen]]
    )
    assert len(some.features) <= 2
