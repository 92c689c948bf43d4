from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ravl.encoders.base import Array
from ravl.encoders.trained import TrainedEncoder
from ravl.errors import DataError, EncoderError
from ravl.memory import Memory
from ravl.tasks.search.known import KnownTexts
from ravl.tasks.search.levels import CCA, WIDE, without_wide
from ravl.training.dual_encoder.material import TrainingInputs
from ravl.training.dual_encoder.pairs import read_pairs
from ravl.training.dual_encoder.wide import look_wide
from tests.helpers import ColourEncoder, random_head
from tests.training.painted import Scrambled, fitted, paint


class Wide(Scrambled):
    """A scrambled encoder with wide features: finer cells, and how long a text is."""

    spec = "wide"
    wide_dimension = 3 * 64
    wide_text_dimension = 2

    def wide_features(self, prepared: Sequence[Array]) -> Array:
        found = self.features(prepared)
        cells = np.stack(prepared).reshape(len(prepared), 3, 8, 2, 8, 2).mean((3, 5))
        return np.hstack([found, cells.reshape(len(prepared), -1)])

    def wide_texts(self, texts: Sequence[str]) -> Array:
        sizes = [[len(t), t.count(" ")] for t in texts]
        return np.hstack([self.embed_texts(texts), np.array(sizes, np.float32).reshape(-1, 2)])


@pytest.fixture
def memory(tmp_path: Path):
    with Memory.create(tmp_path / "wide.ravl", Wide()) as memory:
        memory.add(paint(tmp_path / "pictures"))
        yield memory


def test_each_picture_is_looked_at_once(memory, tmp_path):
    pairs = read_pairs(memory, memory.encoder)
    encoder = memory.encoder
    encoder.looked = 0
    (tmp_path / "work").mkdir()
    found = look_wide(memory, pairs, encoder, tmp_path / "work", False)
    assert encoder.looked == len(pairs.rows)
    expected = encoder.wide_features([encoder.prepare(memory.picture(id)) for id in pairs.rows])
    every = np.arange(len(pairs.rows))
    np.testing.assert_allclose(found.seen(every, beside=True), expected, atol=2e-3)
    encoder.looked = 0
    look_wide(memory, pairs, encoder, tmp_path / "work", False)
    assert encoder.looked == 0  # a run that was interrupted goes on with them


def test_pictures_that_are_gone_are_left_out(memory, tmp_path):
    pairs = read_pairs(memory, memory.encoder)
    (tmp_path / "work").mkdir()
    for number in range(3):
        (tmp_path / "pictures" / f"{number:03d}.png").unlink()
    found = look_wide(memory, pairs, memory.encoder, tmp_path / "work", False)
    assert len(found.rows) == len(pairs.rows) - 3
    assert found.beside is not None
    assert len(found.beside) == len(found.rows)


def test_where_hardly_a_picture_is_left_it_says_so(memory, tmp_path):
    pairs = read_pairs(memory, memory.encoder)
    (tmp_path / "work").mkdir()
    (tmp_path / "pictures").rename(tmp_path / "aside")
    with pytest.raises(DataError, match=r"0 of the 64 pictures .* do without .--no-wide"):
        look_wide(memory, pairs, memory.encoder, tmp_path / "work", False)


def test_texts_are_read_once_with_their_wide_features(tmp_path):
    known = KnownTexts(Wide(), wide=True)
    texts = ["a red ball", "blue"]
    vectors = known.learn(texts, tmp_path / "texts.npy", False)
    np.testing.assert_array_equal(vectors, Wide().wide_texts(texts))
    read = known.base.read  # type: ignore[attr-defined]
    np.testing.assert_array_equal(known.wide_texts(texts), vectors)
    np.testing.assert_array_equal(known.embed_texts(texts), vectors[:, :48])
    assert known.base.read == read  # type: ignore[attr-defined]


def test_without_its_wide_features_the_material_is_as_before(memory, tmp_path):
    pairs = read_pairs(memory, memory.encoder)
    (tmp_path / "work").mkdir()
    wide = look_wide(memory, pairs, memory.encoder, tmp_path / "work", False)
    words = np.ones((len(pairs.texts), 3), np.float32)
    texts = np.hstack([memory.encoder.wide_texts(pairs.texts), words])
    narrow = without_wide(TrainingInputs(wide, texts, wide=True), memory.encoder)
    assert not narrow.wide
    assert narrow.pairs.beside is None
    expected = np.hstack([memory.encoder.embed_texts(pairs.texts), words])
    np.testing.assert_array_equal(narrow.texts, expected)


def test_a_memory_follows_edits_in_a_space_with_wide_features(memory, tmp_path, monkeypatch):
    monkeypatch.setattr("ravl.tasks.search.levels.PRICE", -100)  # keep them whatever they gain
    report = fitted(memory, tmp_path / "run", model="cca")
    assert report.level == WIDE
    assert list(report.levels) == [CCA, WIDE]
    encoder = memory.encoder
    assert isinstance(encoder, TrainedEncoder)
    assert encoder.wide and not encoder.projects
    memory.add(paint(tmp_path / "more", 4, first=64))
    expected = encoder.embed_pictures([memory.picture(row) for row in memory])
    np.testing.assert_allclose(memory.vectors().matrix, expected, atol=3e-3)
    again = TrainedEncoder.load(tmp_path / "run", Wide())
    assert again.spec == encoder.spec
    np.testing.assert_allclose(again.embed_texts(["red"]), encoder.embed_texts(["red"]), atol=1e-6)


def test_wide_features_that_gain_nothing_are_not_kept(memory, tmp_path, monkeypatch):
    monkeypatch.setattr("ravl.tasks.search.levels.PRICE", 100)
    report = fitted(memory, tmp_path / "run", model="cca")
    assert report.level == CCA
    assert isinstance(memory.encoder, TrainedEncoder)
    assert not memory.encoder.wide


def test_if_not_asked_for_no_picture_is_decoded(memory, tmp_path):
    (tmp_path / "pictures").rename(tmp_path / "aside")
    assert list(fitted(memory, tmp_path / "run", model="cca", wide=False).levels) == [CCA]


def test_heads_for_wide_features_need_an_encoder_with_such():
    heads = random_head(48 + 192), random_head(48 + 2, seed=1)
    assert TrainedEncoder(Wide(), *heads, 1.0, wide=True).embed_texts(["red"]).shape == (1, 32)
    with pytest.raises(EncoderError, match="take 240 picture features"):
        TrainedEncoder(ColourEncoder(), *heads, 1.0, wide=True)
