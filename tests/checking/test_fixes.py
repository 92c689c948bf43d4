"""Fixes do what they say, as one version, and can be taken back."""

from __future__ import annotations

from typing import Any

import pytest

import ravl
from ravl.checking.fixes import fix, union
from ravl.data import QA
from ravl.errors import QueryError, RowNotFoundError
from ravl.memory import Memory, Row
from tests.checking.planted import FLIPPED, spoiled
from tests.helpers import ColourEncoder
from tests.labelled import shades


@pytest.fixture
def memory(tmp_path):
    with spoiled(tmp_path) as memory:
        yield memory


def state(memory):
    return {row.id: row.to_json() for row in memory.rows()}


def newest(memory):
    return memory.history(limit=1)[0].number


def test_relabel(memory):
    before, version = state(memory), newest(memory)
    found = ravl.check(memory, kinds=["mislabel"], progress=False).findings
    dry = fix(memory, found, "relabel", least=0.7, dry_run=True)
    assert state(memory) == before and dry.version is None
    report = fix(memory, found, "relabel", least=0.7)
    assert report.relabelled == dry.relabelled and report.version == version + 1
    assert {id: memory.get(id).label for id in FLIPPED} == {FLIPPED[0]: "red", FLIPPED[1]: "green"}
    assert memory.history(FLIPPED[0])[0].what.startswith("check: relabel")
    memory.revert(version)
    assert state(memory) == before


def test_drop(memory):
    before, version = state(memory), newest(memory)
    found = ravl.check(memory, kinds=["broken", "blank", "blurred"], progress=False).findings
    report = fix(memory, found, "drop")
    assert set(report.dropped) == {"cut.png", "gone.png", "blank.png"}  # a blur is not so sure
    assert set(before) - set(state(memory)) == set(report.dropped)
    assert {binned.row.id for binned in memory.trashed()} == set(report.dropped)
    assert memory.restore(["blank.png"]) == ["blank.png"]
    memory.revert(version)
    assert state(memory) == before


def test_merge(memory):
    before, version = state(memory), newest(memory)
    found = ravl.check(memory, kinds=["duplicate"], progress=False).findings
    report = fix(memory, found, "merge", ids=["again.png"])
    assert report.merged == {"green_013.png": ["again.png"]}
    row = memory.get("green_013.png")
    assert row.texts == ("a green thing", "a green thing, smaller") and "again" in row.tags
    assert len(memory.vectors("text_vectors").positions([row.number])) == 2
    assert "again.png" not in memory and memory.trashed()[0].row.id == "again.png"
    memory.revert(version)
    assert state(memory) == before


def test_ids_and_scores(memory):
    found = ravl.check(memory, kinds=["mislabel"], progress=False).findings
    assert fix(memory, found, "relabel", least=1.0).version is None
    report = fix(memory, found, "relabel", least=1.0, ids=[FLIPPED[1]])
    assert [id for id, _, _ in report.relabelled] == [FLIPPED[1]]
    with pytest.raises(RowNotFoundError, match=r"about the row 'red_004.png' that 'relabel'"):
        fix(memory, found, "relabel", ids=["red_004.png"])
    unknown: Any = "mend"
    with pytest.raises(QueryError, match="There is no fix 'mend'; there are: relabel, drop, merge"):
        fix(memory, found, unknown)


def test_sync_leaves_alone_what_was_dropped(tmp_path):
    folder = tmp_path / "pictures"
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        shades(folder, 8)
        memory.index(folder, progress=False)
        found = ravl.check(memory, kinds=["broken"], progress=False).findings
        assert not found
        from ravl.memory.editing import edit

        edit(memory, "drop one", trashed=["red_000.png"])
        assert memory.sync(folder, progress=False).restored == []
        assert "red_000.png" not in memory and len(memory) == 7
        (folder / "red_000.png").touch()
        assert memory.sync(progress=False).restored == ["red_000.png"]  # somebody cared for it


def test_union():
    a = Row(1, "a", texts=("x", "y"), tags=("t",), qa=(QA("q", ("1",)),), columns={"price": 3})
    b = Row(
        2,
        "b",
        texts=("y", "z"),
        label="shirt",
        tags=("t", "u"),
        columns={"price": 4, "n": 1},
        qa=(QA("q", ("1", "2")), QA("r", ("3",))),
    )
    merged = union([a, b])
    assert merged.id == "a" and merged.texts == ("x", "y", "z") and merged.label == "shirt"
    assert merged.tags == ("t", "u") and merged.columns == {"price": 3, "n": 1}
    assert merged.qa == (QA("q", ("1", "2")), QA("r", ("3",)))
