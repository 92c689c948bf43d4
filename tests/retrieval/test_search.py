"""How often a search goes through all vectors."""

from __future__ import annotations

import pytest

from ravl.memory import Memory
from ravl.retrieval import Query
from ravl.store.top_k import top_k
from tests.helpers import draw

RED = draw(3, "red")


@pytest.fixture
def rankings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many vectors each ranking went through."""
    counted: list[int] = []

    def counting(matrix, *arguments):
        counted.append(len(matrix))
        return top_k(matrix, *arguments)

    monkeypatch.setattr("ravl.store.vectors.top_k", counting)
    return counted


@pytest.mark.parametrize(
    ("query", "options", "count"),
    [
        ("a red shirt", {}, 2),  # pictures and texts
        ("a red shirt", {"mode": "fused"}, 2),
        ("a red shirt", {"mode": "fused", "hubness": 0.5}, 2),
        ("a red shirt", {"mode": "dense"}, 1),
        ("a red shirt", {"mode": "keyword"}, 0),
        ("a red shirt", {"target": "texts"}, 1),
        (RED, {}, 1),
        (RED, {"target": "texts"}, 1),
        (Query("shirt", RED), {}, 2),
        (["red", "blue", RED], {}, 2),
        ([RED, RED], {"mode": "fused"}, 1),
        (["red", Query("blue", RED)], {"hubness": 0.5, "mode": "dense"}, 2),  # with and without
    ],
)
def test_each_ranking_is_made_once(memory: Memory, rankings, query, options, count) -> None:
    memory.search(query, 5, **options)
    assert len(rankings) == count
