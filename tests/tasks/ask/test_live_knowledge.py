"""The knowledge of a live view: after any edits it is what one read anew would be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravl.memory import Memory
from ravl.retrieval.datastore import read_datastore
from ravl.retrieval.key_projection import KeyProjection
from ravl.store import blocks
from ravl.tasks.ask.knowledge import Knowledge
from ravl.tasks.ask.live_knowledge import KnowledgeSource
from tests.edits import Edits

QUESTIONS = ["is it hot?", "what colour are hot things?"]


@pytest.fixture
def edits(empty: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edits:
    monkeypatch.setattr(blocks, "SIZE", 4)
    made = Edits(empty, tmp_path / "drawn", 0)
    for _ in range(4):
        made.add()
    return made


@pytest.mark.parametrize("seed", range(2))
def test_after_any_edits_passages_and_hints_are_what_they_would_be_anew(edits, seed):
    memory = edits.memory
    edits.random = np.random.default_rng(seed)
    features = read_datastore(memory).features
    keys, source = KeyProjection.of(features), KnowledgeSource(memory)
    pictures = features[:2]
    assert source.at(memory.live.view(), keys) is None  # there is no text yet
    edits.text()
    for _ in edits.all(12):
        found = source.at(memory.live.view(), keys)
        with Memory.open(memory.path, memory.encoder) as other:
            anew = Knowledge.of(other, keys)
        assert (found is None) == (anew is None)
        if found is None or anew is None:
            continue
        assert list(found.passages.texts) == list(anew.passages.texts)
        assert list(found.hints) == list(anew.hints)
        assert found.named.tolist() == anew.named.tolist()
        one, two = found.find(QUESTIONS, pictures), anew.find(QUESTIONS, pictures)
        assert one.queries == two.queries
        np.testing.assert_allclose(one.scores, two.scores, atol=1e-5)


def test_an_edit_of_a_picture_leaves_the_passages_as_they_are(edits):
    memory = edits.memory
    edits.text()
    source, keys = KnowledgeSource(memory), KeyProjection.of(read_datastore(memory).features)
    first = source.at(memory.live.view(), keys)
    row = memory.live.view().rows[0]
    memory.update(row.id, label="quite another name")
    second = source.at(memory.live.view(), keys)
    assert first is not None and second is not None
    assert second.passages is first.passages
    assert second.hints[0] == "quite another name"
