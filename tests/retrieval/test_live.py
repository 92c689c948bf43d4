"""The live view: after any edits it is what one read anew would be, and readers keep theirs."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from ravl.memory import Memory, Row
from ravl.retrieval.datastore import read_datastore
from ravl.retrieval.key_projection import KeyProjection
from ravl.retrieval.live import Stored, View
from ravl.retrieval.live_datastore import MemoryProjection, keys_of
from ravl.store import blocks, duplicates
from ravl.store.blocks import Blocks
from ravl.store.sqlite.rows import RowTable
from tests.edits import Edits
from tests.helpers import ColourEncoder
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "SIZE", 4)


@pytest.fixture
def edits(empty: Memory, tmp_path: Path) -> Edits:
    made = Edits(empty, tmp_path / "drawn", 0)
    for _ in range(6):
        made.add()
    return made


def stored(view: View) -> Blocks:
    """The features of a view as they lie there."""
    assert isinstance(view.features, Stored)
    return view.features.blocks


def same(view: View, other: View) -> None:
    """Compare two views but for their stamps."""
    assert view.ids.tolist() == other.ids.tolist()
    assert list(view.rows) == list(other.rows)
    assert view.twins.tolist() == other.twins.tolist()
    assert view.groups.tolist() == other.groups.tolist()
    assert list(view.others) == list(other.others)
    every = np.arange(len(view))
    np.testing.assert_array_equal(view.features[every], other.features[every])


@pytest.mark.parametrize("seed", range(8))
def test_after_any_edits_the_view_is_what_one_read_anew_is(edits, seed):
    memory = edits.memory
    edits.random = np.random.default_rng(seed)
    projection = KeyProjection.of(read_datastore(memory).features)
    keys, views = keys_of(memory.live, projection), []
    for _ in edits.all(20):
        view = memory.live.view()
        views.append((view, list(view.rows), view.features[np.arange(len(view))]))
        with Memory.open(memory.path, memory.encoder) as other:
            same(view, other.live.view())
            anew = read_datastore(other, projection)
        datastore = keys.at(view)
        assert [list(datastore.rows), datastore.groups.tolist()] == [
            anew.rows,
            anew.groups.tolist(),
        ]
        np.testing.assert_allclose(datastore.keys, anew.keys, atol=1e-6)
        np.testing.assert_array_equal(datastore.features, anew.features)
        found, expected = datastore.neighbours(anew.keys, 3), anew.neighbours(anew.keys, 3)
        np.testing.assert_allclose(found.similarity, expected.similarity, atol=1e-6)
    for view, there, features in views:  # those that were given out before are as they were
        assert list(view.rows) == there
        np.testing.assert_array_equal(view.features[np.arange(len(view))], features)


def test_a_label_touches_no_features_and_no_keys(edits):
    memory = edits.memory
    keys = keys_of(memory.live, KeyProjection.of(read_datastore(memory).features))
    before = keys.at(memory.live.view())
    memory.update(before.rows[5].id, label="other")
    after = keys.at(memory.live.view())
    assert after.rows[5].label == "other" != before.rows[5].label
    assert after.blocks is before.blocks
    assert stored(after.view) is stored(before.view)
    parts = zip(after.view.rows.blocks.parts, before.view.rows.blocks.parts, strict=True)
    assert [a is b for a, b in parts].count(False) == 1


def test_an_answer_reads_only_what_changed(edits, monkeypatch):
    memory = edits.memory
    memory.live.view()
    read: list[int] = []
    get_rows = RowTable.get

    def counted(table: RowTable, numbers: Iterable[int]) -> dict[int, Row]:
        read.extend(wanted := list(numbers))
        return get_rows(table, wanted)

    monkeypatch.setattr(RowTable, "get", counted)
    monkeypatch.setattr(RowTable, "iterate", None)
    row = memory.live.view().rows[3]
    memory.update(row.id, label="other")
    assert memory.live.view().rows[3].label == "other"
    assert set(read) == {row.number}
    assert memory.live.view() is memory.live.view()


def test_near_duplicates_are_noted_after_the_rows(edits):
    memory = edits.memory
    memory.live.view()
    with memory.store.transaction():
        first, second = memory.live.view().ids[:2].tolist()
        memory.store.rows.group({first: first, second: first})
        memory.store.notes.set(duplicates.NOTE, "999")
    view = memory.live.view()
    assert view.groups[:3].tolist() == [first, first, view.ids[2]]
    assert [row.duplicate_of for row in view.rows[:3]] == [first, first, None]


def test_the_projection_of_a_memory_is_measured_again_when_a_fifth_has_changed(edits):
    memory, projection = edits.memory, MemoryProjection()
    first = projection.at(memory.live.view())
    there = list(memory.live.view().rows)
    for row in there[: len(there) // 6]:
        memory.delete(row.id)
        assert projection.at(memory.live.view()) is first
    memory.update(there[-1].id, label="other")
    assert projection.at(memory.live.view()) is first
    for row in there[len(there) // 6 : len(there) // 3]:
        memory.delete(row.id)
    second = projection.at(memory.live.view())
    anew = KeyProjection.of(read_datastore(memory).features)
    assert second is not first
    np.testing.assert_array_equal(second.mean, anew.mean)
    np.testing.assert_array_equal(second.directions, anew.directions)


def test_a_reader_keeps_its_view_while_another_thread_writes(edits, tmp_path):
    memory = edits.memory
    keys = keys_of(memory.live, KeyProjection.of(read_datastore(memory).features))
    stop, wrong = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            datastore = keys.at(memory.live.view())
            rows, whole = list(datastore.rows), datastore.blocks.whole().copy()
            found = datastore.neighbours(whole[:2], 2).positions
            if len(rows) != len(whole) or list(datastore.rows) != rows or found.max() >= len(rows):
                wrong.append(len(rows))
            if not np.array_equal(datastore.blocks.whole(), whole):
                wrong.append(-1)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    edits.random = np.random.default_rng(3)
    for _ in range(12):
        (edits.add, edits.update, edits.delete)[edits.random.integers(3)]()
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    same(memory.live.view(), Memory.open(memory.path, ColourEncoder()).live.view())


def test_what_is_shared_may_be_made_of_what_is_shared(edits: Edits) -> None:
    """A lock that is taken twice would wait for itself for ever."""
    live = edits.memory.live
    found: list[Thing] = []

    def ask() -> None:
        found.append(live.shared("outer", lambda: live.shared("inner", Thing)))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    wait_until(lambda: found, "what is shared")
    assert live.shared("inner", Thing) is found[0]


class Thing:
    """Something that can be shared."""
