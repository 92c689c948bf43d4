from __future__ import annotations

import numpy as np
import pytest

from ravl.tasks.search import known
from ravl.tasks.search.known import KnownTexts
from tests.training.painted import Scrambled

TEXTS = [f"a red and blue picture {i}" for i in range(10)]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "texts.npy"


def test_a_text_is_read_once(scrambled, file):
    base = KnownTexts(scrambled)
    vectors = base.learn(TEXTS, file, False)
    assert scrambled.read == 10
    np.testing.assert_allclose(vectors, Scrambled().embed_texts(TEXTS), atol=1e-6)
    np.testing.assert_array_equal(base.embed_texts([TEXTS[4], TEXTS[1]]), vectors[[4, 1]])
    np.testing.assert_array_equal(base.learn(TEXTS[::-1], file, False), vectors[::-1])
    assert scrambled.read == 10
    found = base.embed_texts([TEXTS[0], "new", "new"])
    assert scrambled.read == 11
    np.testing.assert_array_equal(found[1], found[2])
    assert base.embed_texts([]).shape == (0, 48)


def test_what_a_memory_knows_is_not_read(painted, file):
    encoder = Scrambled()
    base = KnownTexts(encoder)
    base.recall(painted)
    texts = [text for row in painted for text in row.texts]
    vectors = base.learn(texts, file, False)
    assert encoder.read == 0
    np.testing.assert_array_equal(vectors, painted.vectors("text_vectors").matrix)
    base.learn([*texts, "a new one"], file, False)
    assert encoder.read == 1


def test_rows_without_texts_are_passed_over(memory, file):
    memory.update("green_001.png", texts=[])
    base = KnownTexts(memory.encoder)
    base.recall(memory)
    rows = [row for row in memory if row.texts]
    vectors = memory.vectors("text_vectors").matrix
    last = base.embed_texts([rows[-1].texts[-1]])
    np.testing.assert_array_equal(last[0], vectors[-1].astype(np.float32))


class Stops(Scrambled):
    """Is interrupted at the fifth block of texts."""

    def embed_texts(self, texts):
        if self.read >= 8:
            raise KeyboardInterrupt
        return super().embed_texts(texts)


def test_learning_goes_on_from_a_half_written_file(monkeypatch, file):
    monkeypatch.setattr(known, "BLOCK", 2)
    monkeypatch.setattr(known, "SAVED", 1)
    with pytest.raises(KeyboardInterrupt):
        KnownTexts(Stops()).learn(TEXTS, file, False)
    again = Scrambled()
    vectors = KnownTexts(again).learn(TEXTS, file, False)
    assert again.read == 2
    np.testing.assert_array_equal(vectors, Scrambled().embed_texts(TEXTS))
    third = Scrambled()
    np.testing.assert_array_equal(KnownTexts(third).learn(TEXTS, file, False), vectors)
    assert third.read == 0


def test_a_file_of_other_texts_is_not_taken_for_these(painted, file):
    """After re-embedding nothing can be recalled, so that more texts are new than before."""
    more = ["one more", "and another"]
    base = KnownTexts(Scrambled())
    base.recall(painted)
    texts = [*more, *(text for row in painted for text in row.texts)]
    base.learn(texts, file, False)
    found = KnownTexts(Scrambled()).learn(texts, file, False)
    np.testing.assert_allclose(found, Scrambled().embed_texts(texts), atol=1e-6)


def test_all_else_is_the_encoders(painted, scrambled):
    base = KnownTexts(scrambled)
    picture = painted.picture("003.png")
    prepared = [base.prepare(picture)]
    np.testing.assert_array_equal(base.features(prepared), scrambled.features(prepared))
    np.testing.assert_array_equal(base.patch_features(prepared), scrambled.patch_features(prepared))
    assert base.fingerprint.matches(scrambled.fingerprint)
    assert base.fingerprint.same_vision(scrambled.fingerprint)
    assert base.supports_language("红格子") == scrambled.supports_language("红格子")
