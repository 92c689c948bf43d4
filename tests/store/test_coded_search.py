"""Vectors in one byte per number choose candidates; what is found is what a full scan finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravl.memory import Memory
from ravl.store import coded_search, vectors
from ravl.store.blocks import Blocks
from ravl.store.coded_search import coded_top_k
from ravl.store.codes import dot, encode
from ravl.store.top_k import top_k
from tests.helpers import ColourEncoder, make_examples


def some_vectors(seed: int, count: int, dimension: int, kind: str) -> np.ndarray:
    """Unit vectors in float16: scattered, in tight clusters, many of them equal, or some zero."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(count, dimension))
    if kind == "clustered":
        centres = rng.normal(size=(max(1, count // 50), dimension))
        found = centres[rng.integers(len(centres), size=count)] + 0.05 * found
    if kind == "equal":
        found = found[rng.integers(max(1, count // 100), size=count)]
    if kind == "spiky":  # one large number, so that the steps are coarse
        found[:, 0] *= 50
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    if kind == "zeros":
        found[rng.random(count) < 0.3] = 0
    return found.astype(np.float16)


KINDS = ("scattered", "clustered", "equal", "spiky", "zeros")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS), st.sampled_from([1, 3, 64, 200]))
def test_the_error_is_within_its_bound(seed: int, kind: str, dimension: int) -> None:
    matrix = some_vectors(seed, 700, dimension, kind)
    queries = np.random.default_rng(seed + 1).normal(size=(4, dimension)).astype(np.float32)
    codes = encode(matrix)
    error = np.abs(dot(codes, queries) - queries.astype(np.float64) @ matrix.astype(np.float64).T)
    assert (error <= np.linalg.norm(queries, axis=1)[:, None] * codes["error"]).all()
    assert np.median(codes["error"]) < 0.1 * np.sqrt(dimension)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.data())
def test_finds_what_a_full_scan_finds(data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    count, k = data.draw(st.integers(1, 3000)), data.draw(st.sampled_from([1, 10, 300]))
    matrix = some_vectors(seed, count, 24, data.draw(st.sampled_from(KINDS)))
    size = data.draw(st.sampled_from([100, 8192]))
    share = data.draw(st.sampled_from([None, 0, 0.01, 0.1, 0.9]))
    allowed = None if share is None else np.flatnonzero(rng.random(count) < share)
    offset = data.draw(st.sampled_from([None, rng.normal(size=count).astype(np.float32)]))
    queries = rng.normal(size=(data.draw(st.sampled_from([1, 5])), 24)).astype(np.float32)
    queries[0] = matrix[rng.integers(count)]
    scores, positions = coded_top_k(
        Blocks.of(matrix, size), Blocks.of(encode(matrix), size), queries, k, allowed, offset
    )
    expected, _ = top_k(matrix.astype(np.float32), queries, k, allowed, offset)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    # Of rows with equal scores any may be found: each must have the score that is said of it.
    own = np.einsum("qkd,qd->qk", matrix[positions].astype(np.float32), queries)
    own += 0 if offset is None else offset[positions]
    np.testing.assert_allclose(own, scores, rtol=1e-5, atol=1e-6)
    assert all(len(set(line)) == len(line) for line in positions.tolist())
    assert allowed is None or np.isin(positions, allowed).all()


def test_where_most_are_candidates_all_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coded_search, "MOST", 100)
    matrix = some_vectors(0, 2000, 8, "equal")
    queries = matrix[:3].astype(np.float32)
    scores, _ = coded_top_k(Blocks.of(matrix), Blocks.of(encode(matrix)), queries, 10)
    np.testing.assert_allclose(scores, top_k(matrix, queries, 10)[0])


def test_few_candidates_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    def counting(matrix, queries, k, allowed=None, offset=None):
        compared.append(len(allowed))
        return top_k(matrix, queries, k, allowed, offset)

    monkeypatch.setattr(coded_search, "top_k", counting)
    matrix = some_vectors(0, 20_000, 64, "scattered")
    queries = np.random.default_rng(1).normal(size=(4, 64)).astype(np.float32)
    coded_top_k(Blocks.of(matrix), Blocks.of(encode(matrix)), queries, 10)
    assert len(compared) == 4
    assert max(compared) < 400


def test_a_memory_that_outgrows_float32_finds_the_same(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Codes follow what is added, changed and deleted, as the vectors do."""
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(make_examples(tmp_path / "p", 24))
        memory.vectors()  # read now, as float32
        monkeypatch.setattr(vectors, "WIDEST", 0)
        with Memory.open(memory.path, ColourEncoder()) as coded:
            for step in range(3):
                assert memory.vectors().codes is None
                for query in ("red", "a blue shirt"):
                    plain, found = (m.search(query, 5, mode="dense") for m in (memory, coded))
                    assert [h.score for h in found] == pytest.approx([h.score for h in plain])
                kept = coded.vectors()
                assert kept.codes is not None
                np.testing.assert_array_equal(kept.codes.whole(), encode(kept.matrix))
                if step == 0:
                    memory.delete([next(memory.rows()).id])
                if step == 1:
                    memory.add(make_examples(tmp_path / "more", 29))
