"""Arrays in blocks: every version is what an array edited in one piece would be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravl.store import blocks as module
from ravl.store.blocks import BlockList, Blocks, Edit, spans
from ravl.store.top_k import top_k


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIZE", 4)


def versions(seed: int, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ids with stamps, each version a random edit of the one before."""
    random = np.random.default_rng(seed)
    ids, stamps = np.arange(1, 1 + random.integers(0, 20)), None
    stamps = np.zeros(len(ids), np.int64)
    found = [(ids, stamps)]
    for step in range(1, count):
        keep = random.random(len(ids)) < random.choice([0, 0.5, 0.9, 1.0])
        stamps = np.where(random.random(len(ids)) < 0.2, step, stamps)
        ids, stamps = ids[keep], stamps[keep]
        more = 100 * step + np.arange(random.integers(0, 15))
        ids, stamps = np.concatenate([ids, more]), np.append(stamps, np.full(len(more), step))
        found.append((ids, stamps))
    return found


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_an_edited_version_is_what_it_would_be_in_one_piece(seed: int) -> None:
    before = None
    for ids, stamps in versions(seed, 6):
        values = np.stack([ids, stamps, ids * stamps], axis=1).astype(np.float32)
        names = [f"{i}.{s}" for i, s in zip(ids, stamps, strict=True)]
        if before is None:
            made, listed, plain = Blocks.of(values), BlockList.of(names), values
        else:
            old, kept = before, made.whole().copy()
            edit = Edit.between(*old, ids, stamps)
            last = made
            made = made.edited(edit, values[edit.added])
            listed = listed.edited(edit, [names[i] for i in edit.added])
            plain = edit.on(plain, values[edit.added])
            np.testing.assert_array_equal(last.whole(), kept)  # the old version is as it was
        before = ids, stamps
        np.testing.assert_array_equal(made.whole().reshape(-1, 3), values)
        np.testing.assert_array_equal(plain, values)
        assert (list(listed), len(listed)) == (names, len(ids))
        assert max(len(part) for part in made.parts) <= 8
        if len(ids):
            some = np.random.default_rng(seed).integers(-len(ids), len(ids), (3, 2))
            np.testing.assert_array_equal(made[some], values[some])
            assert [listed[int(i)] for i in some.ravel()] == [names[i] for i in some.ravel()]
            assert listed[1:3] == names[1:3]


def test_an_edit_copies_the_blocks_that_it_touches_alone() -> None:
    made = Blocks.of(np.arange(40).reshape(20, 2))
    edit = Edit(np.array([5]), np.array([5]))
    after = made.edited(edit, np.array([[-1, -1]]))
    assert [a is b for a, b in zip(made.parts, after.parts, strict=True)] == [
        True,
        False,
        True,
        True,
        True,
    ]
    assert made.edited(Edit(np.zeros(0, np.int64), np.zeros(0, np.int64)), edit.added) is made


def test_parts_of_rows_follow_their_rows() -> None:
    counts, new_counts = np.array([2, 0, 3]), np.array([2, 1, 1])
    edit = Edit(np.array([1, 2]), np.array([1, 2])).of_parts(counts, new_counts)
    assert (edit.removed.tolist(), edit.added.tolist()) == ([2, 3, 4], [2, 3])
    assert spans(counts, np.array([2, 0])).tolist() == [2, 3, 4, 0, 1]


@pytest.mark.parametrize("share", [None, 0.1, 0.6, 1.0])
def test_the_nearest_in_blocks_are_the_nearest(share: float | None) -> None:
    random = np.random.default_rng(3)
    matrix = random.normal(size=(50, 6)).astype(np.float32)
    queries = random.normal(size=(5, 6)).astype(np.float32)
    allowed = None if share is None else np.flatnonzero(random.random(50) < share)
    expected = top_k(matrix, queries, 7, allowed)
    found = top_k(Blocks.of(matrix), queries, 7, allowed)
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
