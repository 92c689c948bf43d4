from __future__ import annotations

import numpy as np
import pytest

from ravl.data import Example
from ravl.errors import QueryError
from ravl.memory import Memory
from ravl.store import hubness
from ravl.store.blocks import Blocks
from ravl.store.hubness import hubs, nearest_of, sample
from ravl.store.space import TEXT_BITS
from ravl.store.vectors import Vectors
from tests.planted import HUB, PlantedEncoder, meaning, picture, plant


@pytest.fixture
def planted(tmp_path):
    with Memory.create(tmp_path / "planted.ravl", PlantedEncoder()) as memory:
        plant(memory)
        yield memory


def make(rows, seed=0, bits=0, dtype=np.float32) -> Vectors:
    """Random vectors of these rows; a row that occurs twice has two texts."""
    rows = np.asarray(rows, np.int64)
    matrix = np.random.default_rng(seed).normal(size=(len(rows), 8)).astype(dtype)
    nth = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return Vectors((rows << bits) + nth, Blocks.of(matrix, len(matrix)), bits, 1, 1)


def brute_force(items: Vectors, bank: Vectors) -> np.ndarray:
    scores = items.matrix.astype(np.float32) @ bank.matrix.astype(np.float32).T
    scores[items.rows[:, None] == bank.rows] = np.nan
    m = nearest_of(len(bank.rows))
    return np.array([np.sort(s[~np.isnan(s)])[-m:].mean() for s in scores])


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("texts_each", [1, 3])
def test_is_the_mean_of_the_nearest(monkeypatch, dtype, texts_each):
    monkeypatch.setattr(hubness, "ITEMS", 30)  # so that there are several blocks
    pictures = make(range(100), 1, dtype=dtype)
    texts = make(np.repeat(np.arange(20, 130), texts_each), 2, TEXT_BITS, dtype)
    for items, bank in (pictures, texts), (texts, pictures):
        found = hubs(items, bank)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, brute_force(items, bank), rtol=1e-5)


def test_own_texts_do_not_count():
    pictures, texts = make(range(100)), make(range(100), 1, TEXT_BITS)
    before = hubs(pictures, texts)
    texts.matrix[7] = 100 * pictures.matrix[7]
    np.testing.assert_allclose(hubs(pictures, texts)[7], before[7], rtol=1e-5)
    texts.matrix[7] = 100 * pictures.matrix[8]
    assert hubs(pictures, texts)[8] > before[8] + 10


def test_a_row_that_owns_the_bank_is_no_hub():
    assert hubs(make([3]), make([3] * 100, 1, TEXT_BITS)).tolist() == [0]


@pytest.mark.parametrize("count", [0, 1, hubness.LEAST - 1])
def test_too_few_tell_nothing(count):
    found = hubs(make(range(10)), make(range(count), 1, TEXT_BITS))
    assert found.tolist() == [0] * 10
    assert hubs(make([]), make(range(count), 1, TEXT_BITS)).shape == (0,)


def test_zero_vectors_are_not_in_the_bank():
    texts = make(range(200), 1, TEXT_BITS)
    texts.matrix[::2] = 0
    assert sample(texts).rows.tolist() == list(range(1, 200, 2))
    texts.matrix[100:] = 0
    assert not hubs(make(range(10)), texts).any()


def test_the_bank_is_even_and_stays(monkeypatch):
    monkeypatch.setattr(hubness, "BANK", 100)
    texts = make(range(2000), 1, TEXT_BITS)
    texts.matrix[500:1000] = 0
    bank = sample(texts)
    assert len(bank.rows) == 100
    assert (np.diff(bank.rows) > 0).all()
    counts = np.histogram(bank.rows, [0, 500, 1000, 1500, 2000])[0]
    assert counts[1] == 0
    assert all(25 < n < 42 for n in counts[[0, 2, 3]])
    more = sample(make(range(2040), 1, TEXT_BITS))
    assert len(set(sample(make(range(2000), 1, TEXT_BITS)).rows) - set(more.rows)) <= 5


def test_finds_the_planted_hub(planted):
    place = planted.vectors().keys.tolist().index(planted.get(HUB).number)
    scores = planted.hub_scores()
    assert int(scores.argmax()) == place
    assert scores[place] > 2 * np.median(scores)
    assert len(planted.hub_scores("text_vectors")) == 100


def test_follows_the_memory_and_computes_little(planted, monkeypatch):
    monkeypatch.setattr(hubness, "BANK", 70)
    computed: list[int] = []
    original = hubness._hubs

    def counted(matrix, rows, bank):
        computed.append(len(rows))
        return original(matrix, rows, bank)

    monkeypatch.setattr(hubness, "_hubs", counted)

    def check():
        pictures, texts = planted.vectors(), planted.vectors("text_vectors")
        expected = original(pictures.matrix, pictures.rows, sample(texts))
        np.testing.assert_allclose(planted.hub_scores(), expected, atol=1e-6)
        assert planted.hub_scores() is planted.hub_scores()

    check()
    assert computed == [101]
    planted.update("r3", label="x")
    check()
    assert computed == [101, 1]
    planted.add([Example("new", picture(meaning("new")))])
    planted.add([Example("r5", picture(meaning("other")), texts=("text 5",))])
    check()
    assert computed[2:] in ([2], [102])  # all only if the bank has changed
    planted.delete(["r9"])
    planted.update("r11", texts=["something else"])
    check()
    planted.reembed(PlantedEncoder(turn=5))
    check()
    assert computed[-1] == 101


def test_other_processes_find_the_hubs_in_the_file(planted, monkeypatch):
    planted.set_hubness(0.5)
    expected = planted.hub_scores(), planted.hub_scores("text_vectors")
    computed: list[int] = []
    original = hubness._hubs

    def counted(matrix, rows, bank):
        computed.append(len(rows))
        return original(matrix, rows, bank)

    monkeypatch.setattr(hubness, "_hubs", counted)
    with Memory.open(planted.path) as other:
        np.testing.assert_allclose(other.hub_scores(), expected[0], atol=1e-6)
        np.testing.assert_allclose(other.hub_scores("text_vectors"), expected[1], atol=1e-6)
    assert computed == [0, 0]
    planted.delete(["r1"])  # a text of the bank goes with it: all that was kept is void
    with Memory.open(planted.path) as other:
        assert len(other.hub_scores()) == len(planted.vectors().keys)
    assert computed[2:] == [100]


def test_the_strength_is_remembered(planted):
    with Memory.open(planted.path, PlantedEncoder()) as other:
        assert planted.hubness == other.hubness == 0
        planted.set_hubness(0.75)
        assert planted.hubness == other.hubness == 0.75
        other.set_hubness(0)
        assert planted.hubness == 0
    planted.set_hubness(np.float32(1.5))
    with Memory.open(planted.path) as again:
        assert again.hubness == 1.5
    assert planted.history()[0].what == "hubness 1.5"


def test_the_strength_belongs_to_its_encoder(planted):
    planted.set_hubness(0.75)
    planted.reembed(PlantedEncoder())
    assert planted.hubness == 0.75
    planted.reembed(PlantedEncoder(turn=3))
    assert planted.hubness == 0
    planted.set_hubness(0.5)
    assert planted.hubness == 0.5


@pytest.mark.parametrize("strength", [-0.1, 2.5, float("nan")])
def test_the_strength_has_bounds(planted, strength):
    with pytest.raises(QueryError, match="between 0 and 2"):
        planted.set_hubness(strength)
    assert planted.hubness == 0


def test_of_a_small_bank_more_than_the_nearest_counts() -> None:
    assert [nearest_of(n) for n in (1, 64, 256, 1024, 4096)] == [1, 2, 8, 8, 32]
