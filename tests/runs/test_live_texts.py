"""The texts of a live view: after any edits they are what they would be anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravl.memory import Memory
from ravl.models.linear import Standardizer
from ravl.retrieval.datastore import read_datastore
from ravl.retrieval.key_projection import KeyProjection
from ravl.retrieval.live_datastore import keys_of
from ravl.runs.live_texts import FollowedTexts
from ravl.runs.row_texts import RowTexts, TextTargets
from ravl.store import blocks
from tests.edits import Edits
from tests.helpers import ColourEncoder, trained_on

CLOSE = 2e-3  # a text's vector may be read now, or as the memory keeps it


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "SIZE", 4)


@pytest.fixture
def edits(empty: Memory, tmp_path: Path) -> Edits:
    made = Edits(empty, tmp_path / "drawn", 0)
    for _ in range(8):
        made.add()
    return made


@pytest.mark.parametrize("targets", [TextTargets(), TextTargets("words")])
@pytest.mark.parametrize("vectors", [True, False])
@pytest.mark.parametrize("seed", range(2))
def test_after_any_edits_texts_are_what_they_would_be_anew(edits, targets, vectors, seed):
    memory = edits.memory
    edits.random = np.random.default_rng(seed)
    datastore = read_datastore(memory)
    projection, standard = KeyProjection.of(datastore.features), Standardizer.of(datastore.features)
    keys, texts = keys_of(memory.live, projection), FollowedTexts(memory, targets, True, vectors)
    for _ in edits.all(15):
        found = texts.of_datastore(keys.at(memory.live.view()))
        with Memory.open(memory.path, memory.encoder) as other:
            anew = RowTexts.of(read_datastore(other, projection), targets, other, unread=True)
        assert list(found.texts) == list(anew.texts)
        assert found.owners.tolist() == anew.owners.tolist()
        assert found.starts.tolist() == anew.starts.tolist()
        assert found.has.tolist() == anew.has.tolist()
        np.testing.assert_allclose(found.vectors, anew.vectors, atol=CLOSE)
        every = np.arange(len(anew.datastore))
        np.testing.assert_allclose(found.means_at(every), anew.means, atol=CLOSE)
        asked = memory.encoder.embed_texts(["a red thing", "nothing"])
        np.testing.assert_allclose(found.similarity(asked), anew.similarity(asked), atol=CLOSE)
        read, dense = found.evidence(standard), anew.evidence(standard)
        for part in ("features", "labels", "texts", "has_label", "has_text"):
            np.testing.assert_allclose(
                getattr(read, part)[every], getattr(dense, part)[every], err_msg=part, atol=CLOSE
            )


def test_texts_of_a_trained_memory_are_compared_by_the_base(memory: Memory):
    memory.reembed(trained_on(ColourEncoder(), text_share=0.5), progress=False)
    datastore = read_datastore(memory)
    keys = keys_of(memory.live, KeyProjection.of(datastore.features))
    texts: Any = FollowedTexts(memory, TextTargets(), unread=False, vectors=True)
    row = memory.live.view().rows[2]
    texts.of_datastore(keys.at(memory.live.view()))
    memory.update(row.id, texts=("a purple thing", "an orange thing"))
    found = texts.of_datastore(keys.at(memory.live.view()))
    anew = RowTexts.of(read_datastore(memory), TextTargets(), memory)
    assert found.texts[found.starts[2]] == "a purple thing"
    np.testing.assert_allclose(found.vectors, anew.vectors, atol=2e-3)


def test_a_label_copies_no_texts_and_no_vectors(memory: Memory):
    keys = keys_of(memory.live, KeyProjection.of(read_datastore(memory).features))
    texts: Any = FollowedTexts(memory, TextTargets(), unread=False, vectors=True)
    first = texts.of_datastore(keys.at(memory.live.view()))
    row = memory.live.view().rows[2]
    memory.update(row.id, label="other")
    second = texts.of_datastore(keys.at(memory.live.view()))
    assert second.datastore.rows[2].label == "other"
    assert second.found.vectors is first.found.vectors and second.texts is first.texts
    memory.update(row.id, texts=("a purple thing",))
    third = texts.of_datastore(keys.at(memory.live.view()))
    assert third.found.vectors is not first.found.vectors
