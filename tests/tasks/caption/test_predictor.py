from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravl.data import Example
from ravl.memory import Memory
from ravl.retrieval.datastore import read_datastore
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.caption.consensus import CaptionIndex
from ravl.tasks.caption.predictor import Pictures, TextPredictor
from ravl.tasks.caption.targets import CaptionTargets
from tests.helpers import COLOURS, ColourEncoder, draw
from tests.tasks.caption.fakes import FakeGenerator


@pytest.fixture
def index(tmp_path: Path) -> CaptionIndex:
    rows = []
    for i in range(8):
        file = tmp_path / f"{i}.png"
        draw(i, list(COLOURS)[i]).save(file)
        texts = (f"spots on a {list(COLOURS)[i]} sheet", f"a sheet with spots, number {i}")
        rows.append(Example(f"{i}", file, texts=texts))
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(rows)
        return CaptionTargets().index_texts(read_datastore(memory), memory)


@pytest.mark.parametrize("quotes", [0, 1, 3])
def test_as_many_passages_are_read_word_for_word(index: CaptionIndex, quotes: int) -> None:
    keys = KeyProjection.of(index.row_texts.datastore.features)
    predictor = TextPredictor(CaptionTargets(), keys, generator=FakeGenerator(), quotes=quotes)
    pictures = Pictures(index.row_texts.datastore.features[:2])
    near = predictor.neighbours(pictures.features, index)
    recalled = predictor.recall(pictures.features, near, index)
    for request in predictor.requests(pictures, index, near, recalled):
        passages = [e.text for e in request.evidence_items if e.features is None]
        assert len(passages) == quotes
        owners = {index.row_texts.owners[index.row_texts.texts.index(text)] for text in passages}
        assert len(owners) == quotes  # of different rows
    assert np.isfinite(near.similarity).all()
