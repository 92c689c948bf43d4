"""Differences between versions, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravl.data import QA, Example
from ravl.errors import PictureError, QueryError
from ravl.memory import Memory
from tests.helpers import ColourEncoder, draw


def told(memory: Memory) -> dict[str, Any]:
    return {row.id: row.to_json() for row in memory}


def test_what_became_of_rows(memory: Memory):
    memory.update("red_000.png", label="crimson")
    memory.delete(["green_001.png"])
    memory.add([Example("note", texts=("a note",))])
    memory.update("red_000.png", tags=["new"])
    found = {d.id: d for d in memory.diff(1)}
    assert set(found) == {"red_000.png", "green_001.png", "note"}
    assert found["red_000.png"].fields == ["label", "tags"]
    assert (found["green_001.png"].after, found["note"].before) == (None, None)
    assert [d.fields for d in memory.diff(4, 5)] == [["tags"]]
    assert {d.id for d in memory.diff(0, 1)} == {row.id for row in memory} - {"note"} | {
        "green_001.png"
    }
    assert memory.diff(5, 5) == memory.diff(5) == []
    back = {d.id: d for d in memory.diff(5, 1)}
    assert back["note"].after is None and back["green_001.png"].before is None
    with pytest.raises(QueryError, match="has no version 9; it has 0 to 5"):
        memory.diff(9)


def test_back_to_a_version(memory: Memory):
    before, vectors = told(memory), memory.vectors().matrix.copy()
    memory.update("red_000.png", label="crimson", texts=["other words"], qa=[QA("why?", ("so",))])
    memory.delete(["green_001.png"])
    memory.add([Example("note", texts=("a note",))])
    report = memory.revert(1)
    assert (report.updated, report.deleted, report.restored, report.rejected) == (
        ["red_000.png"],
        ["note"],
        ["green_001.png"],
        [],
    )
    assert told(memory) == before
    np.testing.assert_allclose(
        np.sort(memory.vectors().matrix, axis=0), np.sort(vectors, axis=0), atol=1e-3
    )
    assert not memory.search("other words", k=1, mode="keyword")
    assert memory.revert(1).to_json() == {
        "version": 1,
        "updated": [],
        "deleted": [],
        "restored": [],
        "reasons": [],
    }
    memory.revert(4)  # and forth again
    assert memory.get("red_000.png").label == "crimson" and "note" in memory


def test_a_row_whose_file_has_gone_comes_back_without_it(memory: Memory):
    path, before = memory.get("green_001.png").path, told(memory)
    assert path is not None
    memory.delete(["green_001.png", "red_000.png"])
    path.unlink()
    report = memory.revert(1)
    assert sorted(report.restored) == ["green_001.png", "red_000.png"]
    assert report.rejected == [] and told(memory) == before
    assert memory.search(image=draw(1, "green"), k=1)[0].id == "green_001.png"
    with pytest.raises(PictureError, match="green_001"):
        memory.picture("green_001.png")


def test_what_cannot_be_had_back_is_reported(memory: Memory):
    path = memory.get("green_001.png").path
    assert path is not None
    memory.delete(["green_001.png", "red_000.png", "blue_002.png"])
    memory.add([Example("blue_002.png", texts=("another row has its id",))])
    memory.reembed(ColourEncoder(turn=1), progress=False)  # so the pictures are encoded again
    path.unlink()
    report = memory.revert(1)
    assert report.restored == ["red_000.png"] and report.updated == ["blue_002.png"]
    assert [(r.place, "green_001.png" in r.reason) for r in report.rejected] == [
        ("green_001.png", True)
    ]
    assert "green_001.png" not in memory


@pytest.mark.parametrize("again", [False, True], ids=["same encoder", "another encoder"])
def test_a_picture_that_the_memory_keeps_comes_back(
    empty: Memory, tmp_path: Path, encoder: ColourEncoder, again: bool
):
    """From Parquet, a data set, bytes or HTTP: there is no file to look at again."""
    data = {}
    for i, colour in enumerate(("red", "green", "blue")):
        draw(i, colour).save(tmp_path / "p.png")
        data[f"{i}"] = (tmp_path / "p.png").read_bytes()
    empty.add(Example(id, picture, texts=(f"number {id}",)) for id, picture in data.items())
    (tmp_path / "p.png").unlink()
    before = told(empty)
    empty.delete(["0"])
    assert not [hit for hit in empty.search(image=draw(0, "red"), k=3) if hit.id == "0"]
    with empty.at(1) as then:
        assert then.search(image=draw(0, "red"), k=1)[0].id == "0"
        assert then.picture_bytes("0") == data["0"]
    if again:
        empty.reembed(ColourEncoder(turn=1), progress=False)
    encoder.looked = encoder.read = 0
    report = empty.revert(1)
    assert (report.restored, report.rejected) == (["0"], [])
    assert encoder.looked == 0, "the old encoder looks at nothing again"
    assert told(empty) == before and empty.picture_bytes("0") == data["0"]
    assert empty.search(image=draw(0, "red"), k=1)[0].id == "0"
    assert empty.search("number 0", k=1)[0].id == "0"
    empty.delete(["0"])
    empty.compact()
    report = empty.revert(1)
    assert report.restored == [] and "0" not in empty, "now it is forgotten"


def test_out_of_the_bin(empty: Memory, tmp_path: Path, encoder: Any):
    folder = tmp_path / "shop"
    folder.mkdir()
    for i, colour in enumerate(("red", "green", "blue")):
        draw(i, colour).save(folder / f"{i}.png")
    empty.sync(folder)
    empty.update("0.png", texts=["mine"])
    version = empty.history()[0].number
    (folder / "0.png").unlink()
    (folder / "1.png").rename(folder / "one.png")
    empty.sync()
    encoder.looked = 0
    report = empty.revert(version)
    assert report.restored == ["0.png"] and encoder.looked == 0
    assert empty.get("0.png").texts == ("mine",)
    assert "one.png" in empty  # whose file has this name now
    assert empty.trashed() == []


def test_as_it_was(memory: Memory):
    query, before = draw(0, "red"), {row.id for row in memory}
    answer = memory.search(image=query, k=16)
    memory.delete(where='label = "red"')
    memory.update("green_001.png", texts=["other words"])
    with memory.at(1) as then:
        again = then.search(image=query, k=16)
        assert {row.id for row in then} == before
        assert [(h.id, round(h.score, 3)) for h in again] == [
            (h.id, round(h.score, 3)) for h in answer
        ]
        assert then.picture("green_001.png").size  # by its relative path
    assert "red_000.png" not in memory
    assert [f.name for f in memory.folder.iterdir() if "at-" in f.name] == []
    with pytest.raises(QueryError, match="has no version 9"), memory.at(9):
        pass
