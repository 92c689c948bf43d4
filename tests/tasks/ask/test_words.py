"""Words of questions as hashed vectors."""

from __future__ import annotations

import zlib

import numpy as np

from ravl.tasks.ask.words import COLUMNS, word_vectors


def test_the_more_words_are_shared_the_more_alike():
    found = word_vectors(
        ["What is left of the bed?", "what is LEFT of the bed", "what is right of the bed?", "why?"]
    )
    assert found.shape == (4, COLUMNS)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    alike = found @ found.T
    assert alike[0, 1] > 0.99  # case and punctuation do not count
    assert alike[0, 3] < alike[0, 2] < 0.9


def test_the_order_of_words_counts():
    found = word_vectors(["bed left of lamp", "lamp left of bed"])
    assert 0.2 < found[0] @ found[1] < 0.9


def test_the_same_in_every_process_and_zeros_without_words():
    found = word_vectors(["床 on", "?", ""], 8)
    assert found[0].any()
    assert not found[1:].any()
    assert word_vectors([]).shape == (0, COLUMNS)
    expected = np.zeros(8)
    for phrase in ("床", "on", "床 on"):
        code = zlib.crc32(phrase.encode())
        expected[code % 8] += 1 if code >> 20 & 1 else -1
    np.testing.assert_allclose(found[0], expected / np.linalg.norm(expected), rtol=1e-5)
