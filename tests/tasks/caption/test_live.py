"""The caption index of a live view follows texts at once, and the weights of phrases at times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravl.memory import Memory
from ravl.models.consensus import Phrases
from ravl.retrieval.datastore import read_datastore
from ravl.retrieval.key_projection import KeyProjection
from ravl.store import blocks
from ravl.tasks.ask.open_targets import OpenAnswerTargets
from ravl.tasks.caption.consensus import recall
from ravl.tasks.caption.live import IndexSource
from ravl.tasks.caption.targets import CaptionTargets
from tests.edits import Edits


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "SIZE", 4)


@pytest.fixture
def edits(empty: Memory, tmp_path: Path) -> Edits:
    made = Edits(empty, tmp_path / "drawn", 0)
    for _ in range(8):
        made.add()
    return made


@pytest.mark.parametrize("task", ["caption", "ask"])
@pytest.mark.parametrize("seed", range(2))
def test_after_any_edits_texts_are_recalled_as_from_an_index_made_anew(edits, task, seed):
    memory = edits.memory
    edits.random = np.random.default_rng(seed)
    width = memory.encoder.feature_dimension
    targets = CaptionTargets() if task == "caption" else OpenAnswerTargets(width=width)
    keys = targets.own_keys(KeyProjection.of(read_datastore(memory).features))
    source = IndexSource(memory, targets)
    for _ in edits.all(12):
        found = source.at(memory.live.view(), keys)
        with Memory.open(memory.path, memory.encoder) as other:
            anew = targets.index_texts(targets.datastore(other, keys), other)
        assert list(found.row_texts.texts) == list(anew.row_texts.texts)
        assert found.whole == anew.whole
        near = anew.row_texts.datastore.neighbours(
            anew.row_texts.datastore.keys[:5], 4, among=anew.row_texts.has
        )
        same = found.row_texts.datastore.neighbours(
            anew.row_texts.datastore.keys[:5], 4, among=found.row_texts.has
        )
        np.testing.assert_allclose(same.similarity, near.similarity, atol=1e-6)
        for one, two in zip(recall(found, near), recall(anew, near), strict=True):
            assert sorted(one.voters) == sorted(two.voters)
            np.testing.assert_allclose(sorted(one.shares), sorted(two.shares), atol=1e-6)


def test_the_weights_of_phrases_are_counted_again_when_a_fifth_has_changed(edits):
    memory, targets = edits.memory, CaptionTargets()
    keys = KeyProjection.of(read_datastore(memory).features)
    source = IndexSource(memory, targets)
    first = source.at(memory.live.view(), keys).phrases
    rows = list(memory.live.view().rows)
    for row in rows[: len(rows) // 6]:
        memory.update(row.id, texts=("something quite different",))
        found = source.at(memory.live.view(), keys)
        assert found.phrases is first
        assert "something quite different" in found.row_texts.texts
    for row in rows[len(rows) // 6 : len(rows) // 3]:
        memory.update(row.id, texts=("something quite different",))
    found = source.at(memory.live.view(), keys)
    assert found.phrases is not first
    assert isinstance(found.phrases, Phrases)
    anew = Phrases.of(list(found.row_texts.texts), found.row_texts.owners)
    assert found.phrases.weight == anew.weight
