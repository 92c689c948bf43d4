"""Each kind of fault is planted once, and found; a sound memory has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

import ravl
from ravl.checking import beliefs
from ravl.checking.check import DECODED
from ravl.checking.check_data import CheckData, excess
from ravl.checking.hubs import K, hubs
from ravl.checking.issue import KINDS
from ravl.checking.pictures import measured
from ravl.checking.texts import ranks
from ravl.data import Example
from ravl.errors import DataError, FilterError, QueryError
from ravl.memory import Memory
from ravl.retrieval.datastore import Neighbours
from tests.checking.planted import BLURRED, FLIPPED, MISTOLD, POISON, encoded, spoiled
from tests.helpers import ColourEncoder
from tests.labelled import bank_of, shades


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    with spoiled(tmp_path_factory.mktemp("spoiled")) as memory:
        yield memory


@pytest.fixture(scope="module")
def found(memory):
    return ravl.check(memory, progress=False)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    with Memory.create(folder / "sound.ravl", ColourEncoder()) as memory:
        memory.add(shades(folder / "pictures", 60))
        yield ravl.check(memory, progress=False)


def ids(check, kind):
    return [finding.ids[0] for finding in check.of(kind)]


def test_mislabels(found):
    first = found.of("mislabel")[:3]
    assert {f.ids[0] for f in first} == {*FLIPPED, POISON}
    assert {f.ids[0]: f.label for f in first} == {
        FLIPPED[0]: "red",
        FLIPPED[1]: "green",
        POISON: "red",
    }
    assert first[0].fix == "relabel" and first[0].score > 0.9
    assert "Labelled 'blue', but" in first[0].why
    assert FLIPPED[0] not in first[0].neighbours and len(first[0].neighbours) == 6


@pytest.mark.parametrize("limit", ["MUCH", "TOO_MUCH"])
def test_mislabels_of_a_large_memory(memory, monkeypatch, limit):
    monkeypatch.setattr(beliefs, limit, 0)
    found = ravl.check(memory, kinds=["mislabel"], progress=False)
    assert {*FLIPPED, POISON} <= set(ids(found, "mislabel"))


def test_duplicates(found):
    (twins,) = [f for f in found.of("duplicate") if "again.png" in f.ids]
    assert twins.ids == ("green_013.png", "again.png")  # the larger one stays
    assert twins.fix == "merge" and twins.score > 0.9


def test_two_of_a_series_are_not_merged_unasked(tmp_path):
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(shades(tmp_path / "p", 20))
        copy = encoded(memory.picture("red_004.png").resize((40, 27)))
        memory.add([Example("other.png", copy, texts=("a scarlet thing",))], copy=True)
        (one,) = ravl.check(memory, kinds=["duplicate"], progress=False).findings
    assert one.score < 0.75 and "their texts differ" in one.why


def test_texts(found):
    assert ids(found, "text")[0] == MISTOLD
    assert found.of("text")[0].fix is None and "a blue thing over there" in found.of("text")[0].why


def test_outliers(found):
    assert ids(found, "outlier")[0] == "foreign.png"


def test_pictures(found):
    assert sorted(ids(found, "broken")) == ["cut.png", "gone.png"]
    assert {f.fix for f in found.of("broken")} == {"drop"}
    why = {f.ids[0]: f.why for f in found.of("broken")}
    assert "does not exist" in why["gone.png"] and "cut.png is" in why["cut.png"]
    assert ids(found, "blank") == ["blank.png"]
    assert ids(found, "blurred")[0] == BLURRED


def test_a_sound_memory_has_no_fault(sound):
    wrong = {kind: count for kind, count in sound.counts.items() if count and kind != "outlier"}
    assert not wrong, sound.findings
    assert all(finding.score < 0.9 for finding in sound.findings)


def test_a_file_that_is_another_one_now_is_not_to_be_dropped(tmp_path):
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(shades(tmp_path, 8))
        (tmp_path / "red_000.png").write_bytes((tmp_path / "red_004.png").read_bytes())
        (one,) = ravl.check(memory, kinds=["broken"], progress=False).findings
    assert one.ids == ("red_000.png",) and one.fix is None and "not the picture" in one.why


def test_conflicts(tmp_path):
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(shades(tmp_path / "p", 40))
        copy = encoded(memory.picture("red_004.png").resize((40, 27)))
        memory.add([Example("copy.png", copy, label="blue")], copy=True)
        found = ravl.check(memory, fast=True, progress=False)
    (one,) = found.of("conflict")
    assert set(one.ids) == {"red_004.png", "copy.png"} and one.label == "red"
    assert [f.fix for f in found.of("duplicate")] == [None]  # the labels come first


def test_imbalance(tmp_path):
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(shades(tmp_path / "p", 40))
        memory.add(shades(tmp_path / "p", 1, ("purple",), 900))
        (one,) = ravl.check(memory, kinds=["imbalance"], progress=False).findings
    assert one.ids == ("purple_900.png",) and one.score == pytest.approx(0.9)
    assert "'purple' has 1 rows; usual are 10" in one.why


def test_rows_without_vectors_are_found_and_indexing_encodes_them(tmp_path):
    """Older versions of ravl could leave them, if two processes wrote at the same time."""
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(shades(tmp_path / "p", 8))
        memory.index(tmp_path / "p", progress=False)
        copy = encoded(memory.picture("red_000.png"))
        memory.add([Example("copy", copy, texts=("a red copy",))], copy=True)
        assert ravl.check(memory, kinds=["unencoded"], progress=False).findings == []
        store = memory.store
        space = store.spaces.current().number
        named = store.rows.find(["red_000.png", "copy"])
        with store.transaction():
            store.vectors.delete(named["red_000.png"].number, space)
            store.vectors.write_texts(named["copy"].number, np.zeros((0, 48), np.float32))
        found = ravl.check(memory, kinds=["unencoded"], progress=False).findings
        assert [each.ids for each in found] == [("red_000.png",), ("copy",)]
        assert "no vector of its picture. Index its source" in found[0].why
        assert "no vector of a text." in found[1].why
        memory.index(tmp_path / "p", progress=False)
        memory.add([Example("copy", copy)], copy=True)
        assert ravl.check(memory, kinds=["unencoded"], progress=False).findings == []
        hits = memory.search(image=memory.picture("red_000.png"), k=2)
        assert {hit.id for hit in hits} == {"red_000.png", "copy"}


def test_hubs():
    """One row is near to all others, whose label is another."""
    random = np.random.default_rng(0)
    labels = ["a"] * 100 + ["b"] * 100
    datastore = bank_of(random.normal(size=(200, 8)).astype(np.float32), labels)
    half = np.where(np.arange(200)[:, None] < 100, 0, 100)
    near = half + (np.arange(200)[:, None] % 100 + np.arange(1, K + 1)) % 100
    data = CheckData(None, datastore, np.ones(200, bool), Neighbours(near, np.ones(near.shape)))  # type: ignore[arg-type]
    assert hubs(data) == []
    near[:40, 0] = 150  # a row of b among the nearest of forty of a
    (one,) = hubs(data)
    assert one.ids == ("r150",) and one.fix == "drop"
    assert "of 50 rows; usual is 10; 80% of them have another label than its 'b'" in one.why


def test_ranks_of_texts():
    pictures = np.eye(4, dtype=np.float32)
    texts = np.eye(4, dtype=np.float32)[[0, 1, 3]]
    assert ranks(texts, np.array([0, 1, 2]), pictures).tolist() == [0, 0, 0.25]
    pictures[0] = 0  # nothing is known of it
    assert ranks(texts, np.array([0, 1, 2]), pictures)[0] == 0.5


def test_sharpness_does_not_depend_on_contrast():
    random = np.random.default_rng(0)
    pixels = random.integers(0, 200, (64, 64), np.uint8)
    strong, weak = (measured(Image.fromarray(p)) for p in (pixels, pixels // 4 + 100))
    assert weak.sharpness == pytest.approx(strong.sharpness, rel=0.05)
    assert weak.spread < strong.spread / 3


def test_excess_is_not_fooled_by_outliers():
    values = np.array([*np.random.default_rng(0).normal(size=1000), 50, 50], np.float32)
    assert excess(values)[-1] == pytest.approx(50, rel=0.1)


def test_what_is_looked_for(memory, found):
    assert set(found.counts) == set(KINDS)
    fast = ravl.check(memory, fast=True, progress=False)
    assert not set(DECODED) & set(fast.counts)
    only = ravl.check(memory, kinds=["mislabel"], where='label = "red"', progress=False)
    assert set(only.counts) == {"mislabel"} and not set(FLIPPED) & set(ids(only, "mislabel"))
    assert only.rows == memory.count('label = "red"')
    kept = found.to_json()
    assert kept["counts"]["blank"] == 1 and kept["findings"][0]["kind"] == "mislabel"


def test_what_cannot_be_checked(memory, empty):
    unknown: Any = "mislabels"
    with pytest.raises(QueryError, match="There is no kind 'mislabels'; there are: mislabel,"):
        ravl.check(memory, kinds=[unknown])
    with pytest.raises(FilterError):
        ravl.check(memory, where="prise < 4")
    with pytest.raises(DataError, match="holds no picture"):
        ravl.check(empty)


def test_pictures_without_labels_or_texts(tmp_path):
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(Example(e.id, e.picture) for e in shades(tmp_path / "p", 3))
        assert ravl.check(memory, progress=False).of("mislabel") == []
