from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from ravl.models.fusion import with_language
from ravl.models.reader import BATCH, Reader, gather
from ravl.models.silence_transformers import silence_transformers
from tests.labelled import near_of
from tests.models.test_fusion import C, D, F, K, config

ROWS = 12


@dataclass
class Arrays:
    """Evidence of a dozen rows, of which some have no label or text."""

    features: Any = field(default_factory=lambda: numbers(ROWS, F))
    labels: Any = field(default_factory=lambda: numbers(ROWS, D, seed=1))
    texts: Any = field(default_factory=lambda: numbers(ROWS, D, seed=2))
    has_label: Any = field(default_factory=lambda: np.arange(ROWS) % 3 > 0)
    has_text: Any = field(default_factory=lambda: np.arange(ROWS) % 2 > 0)


def numbers(*shape: int, seed: int = 0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.fixture
def reader(language) -> Reader:
    torch.manual_seed(0)
    with silence_transformers():
        model: Any = with_language(config(), str(language))
    with torch.no_grad():
        model.out.weight.normal_()
    return Reader(model)


def some_near(n: int, k: int = K, seed: int = 4):
    random = np.random.default_rng(seed)
    positions = random.integers(-1, ROWS, (n, k))
    return near_of(positions.tolist(), random.random((n, k)).tolist())


def test_what_is_gathered():
    near = near_of([[1, 3, -1]], [[0.9, 0.5, 0.7]])
    arrays = Arrays()
    found = gather(arrays, near.positions, near.similarity)
    np.testing.assert_array_equal(found["features"][0, :2], arrays.features[[1, 3]])
    np.testing.assert_array_equal(found["labels"][0, 0], arrays.labels[1])
    np.testing.assert_array_equal(found["texts"][0, 1], arrays.texts[3])
    assert found["picture"].tolist() == [[True, True, False]]
    assert found["label"].tolist() == [[True, False, False]]
    assert found["text"].tolist() == [[True, True, False]]
    torch.testing.assert_close(found["likeness"], torch.tensor([[0.9, 0.5, 0]]))


def test_batches_answer_as_single_queries(reader):
    n = BATCH + 5
    x, near = numbers(n, F), some_near(n)
    together = reader(x, near, Arrays())
    assert together.shape == (n, C)
    for i in (0, 1, 2, BATCH, n - 1):
        one = np.array([i])
        alone = reader(x[one], near.take(one), Arrays())
        np.testing.assert_allclose(alone, together[one], atol=1e-4)


def test_it_reads_as_many_neighbours_as_it_was_made_for(reader):
    x, near = numbers(4, F), some_near(4, 3 * K)
    np.testing.assert_allclose(
        reader(x, near, Arrays()), reader(x, near.first(K), Arrays()), atol=1e-5
    )
    assert np.abs(reader(x, near, Arrays()) - reader(x)).max() > 1e-4
    few = near.first(1)
    assert np.isfinite(reader(x, few, Arrays())).all()


def test_no_query_is_answered_with_nothing(reader):
    assert reader(np.zeros((0, F), np.float32)).shape == (0, C)


def test_saved_and_loaded(reader, tmp_path):
    reader.save(tmp_path / "fusion")
    again = Reader.load(tmp_path / "fusion")
    assert again.evidence == K
    x, near = numbers(5, F), some_near(5)
    np.testing.assert_allclose(again(x, near, Arrays()), reader(x, near, Arrays()), atol=1e-5)
    assert {p.suffix for p in (tmp_path / "fusion").iterdir()} == {".json", ".safetensors"}


def test_a_model_made_without_evidence_looks_at_none(language):
    with silence_transformers():
        reader = Reader(with_language(config(evidence=0), str(language)))
    with torch.no_grad():
        reader.model.out.weight.normal_()
    x = numbers(4, F)
    np.testing.assert_array_equal(reader(x, some_near(4), Arrays()), reader(x))


def test_answering_switches_dropout_off(language):
    with silence_transformers():
        reader = Reader(with_language(config(dropout=0.5), str(language)))
    with torch.no_grad():
        reader.model.out.weight.normal_()
    reader.model.train()
    x = numbers(4, F)
    np.testing.assert_array_equal(reader(x), reader(x))
