"""Broken tables, ids and characters on their way into a memory: nothing good is lost with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravl.data import ColumnNames, Example
from ravl.errors import DataError, FilterError
from tests.helpers import draw
from tests.memory.aside import GOOD, good_folder, only, table


@pytest.fixture
def folder(tmp_path) -> Path:
    return good_folder(tmp_path / "photos")


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ("blue_002.png,one,two,three", "has 4 fields, but the first line names 2"),
        ('blue_002.png,"never closed', "opened and never closed"),
        ("gone.png,a caption", "'gone.png' is not in"),
        ("../secret.png,a caption", "leads outside"),
        (",", ""),  # an empty row is no row
        ("red_000.png,café", "is not UTF-8; if the file has another encoding"),
    ],
)
def test_a_broken_row_of_a_table(empty, folder, bad, sentence):
    lines = ["image,caption", "red_000.png,a red one", bad, "green_001.png,一件红格子衬衫"]
    path = folder / "captions.csv"
    path.write_bytes("\n".join(lines).encode("latin-1" if "café" in bad else "utf-8", "ignore"))
    report = empty.index(path)
    assert (report.added, len(empty)) == (2, 2)
    if sentence:
        rejected = only(empty, report)
        assert sentence in rejected.reason
        assert rejected.place.startswith("captions.csv, line 3")
    table(path, *lines[:2], "blue_002.png,mended", lines[3])
    assert empty.index(path).added == 1
    assert empty.quarantine() == []
    assert empty.search("格子衬衫", k=1, mode="keyword")[0].id == "green_001.png"


@pytest.mark.parametrize(
    ("header", "options", "sentence"),
    [
        ("foto,worte", {}, "has the columns foto, worte. A table needs a column of pictures"),
        ("image,worte", {"image": "foto"}, "has the columns image, worte, but no column 'f"),
        ("image,image", {}, "more than one column called 'image'"),
    ],
)
def test_a_table_without_its_column_is_refused_as_a_whole(empty, folder, header, options, sentence):
    path = table(folder / "captions.csv", header, "red_000.png,x")
    with pytest.raises(DataError, match=sentence):
        empty.index(path, columns=ColumnNames(**options))
    assert (len(empty), empty.history()) == (0, [])


def test_an_id_that_a_table_gives_to_two_pictures(empty, folder):
    path = table(folder / "t.csv", "id,image", "a,red_000.png", "a,green_001.png", "b,blue_002.png")
    rejected = only(empty, empty.index(path))
    assert "stands for two pictures, 'red_000.png' in line 2" in rejected.reason
    assert [row.id for row in empty] == ["a", "b"]
    path = table(folder / "t.csv", "id,image", "a,red_000.png", "c,green_001.png")
    assert empty.index(path).added == 1
    assert empty.quarantine() == []


def test_an_id_that_comes_twice_in_one_run(empty, folder):
    # The table takes the name of another picture of its folder as an id.
    path = table(folder.parent / "t.csv", "image,id,caption", "red_000.png,green_001.png,taken")
    report = empty.index(folder, captions=path)
    assert "'green_001.png' is already that of" in only(empty, report).reason
    assert empty.get("green_001.png").path == folder / "red_000.png"
    assert report.added == len(empty) == GOOD - 1


def test_a_text_that_is_told_twice_in_one_run(empty):
    report = empty.add([Example("a", texts=("first",)), Example("a", texts=("second",))])
    assert (report.added, report.updated, empty.get("a").texts) == (1, 1, ("second",))


def test_two_folders_with_equal_names(empty, folder, tmp_path):
    empty.index(folder)
    (tmp_path / "other").mkdir()
    draw(50, "black").save(tmp_path / "other" / "red_000.png")
    assert "--prefix NAME" in only(empty, empty.index(tmp_path / "other")).reason
    report = empty.index(tmp_path / "other", prefix="other/")
    assert (report.added, report.rejected, len(empty)) == (1, 0, GOOD + 1)
    assert "other/red_000.png" in empty
    assert empty.quarantine() == []


def test_two_tables_with_equal_names_keep_their_quarantines(empty, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        empty.index(table(tmp_path / name / "t.csv", "image,caption", "gone.png,x"))
    assert [r.place for r in empty.quarantine()] == ["t.csv, line 2"] * 2


@pytest.mark.parametrize("codec", ["gb18030", "utf-16", "cp1252"])
def test_a_table_in_another_encoding(empty, folder, codec):
    text = "café" if codec == "cp1252" else "一件红格子衬衫"
    rows = f"image,caption\nred_000.png,{text}\ngreen_001.png,plain\n"
    (folder / "t.csv").write_bytes(rows.encode(codec))
    report = empty.index(folder / "t.csv")
    if codec != "utf-16":  # which says what it is
        assert "--encoding" in only(empty, report).reason
        assert report.added == 1
    empty.index(folder / "t.csv", encoding=codec)
    assert empty.get("red_000.png").texts == (text,)
    assert empty.quarantine() == []


def test_a_very_long_caption(empty, folder):
    text = "a red shirt, 红格子衬衫 " * 5_000
    (folder / "red_000.txt").write_text(text, encoding="utf-8")
    table(folder / "t.jsonl", json.dumps({"image": "green_001.png", "caption": text[:100_000]}))
    assert empty.index(folder).rejected == empty.index(folder / "t.jsonl").rejected == 0
    assert len(empty.get("red_000.png").texts[0]) == len(text.strip())
    assert {h.id for h in empty.search("格子", mode="keyword")} == {"red_000.png", "green_001.png"}


def fields(bad: str) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Every place for a text: in a line of JSON, and in an example."""
    return {
        "id": ({"id": bad}, {"id": bad}),
        "text": ({"caption": bad}, {"texts": (bad,)}),
        "label": ({"label": bad}, {"label": bad}),
        "tag": ({"tags": [bad]}, {"tags": (bad,)}),
        "column": ({"shop": bad}, {"columns": {"shop": bad}}),
        "column name": ({bad: 1}, {"columns": {bad: 1}}),
    }


@pytest.mark.parametrize("field", fields(""))
def test_half_a_character(empty, folder, field):
    in_json, in_python = fields("a\ud800b")[field]
    lines = [{"image": "red_000.png"} | in_json, {"image": "green_001.png"}]
    report = empty.index(table(folder / "t.jsonl", *map(json.dumps, lines)))
    assert "lone surrogate" in only(empty, report).reason
    bad = Example(**({"id": "x", "picture": folder / "red_000.png"} | in_python))
    more = empty.add([bad, Example("y", folder / "blue_002.png")])
    assert "lone surrogate" in more.reasons[0].reason
    assert [row.id for row in empty] == ["green_001.png", "y"]


@pytest.mark.parametrize("field", fields(""))
def test_a_nul_character(empty, folder, field):
    lines = [{"image": "red_000.png"} | fields("a\0b")[field][0], {"image": "green_001.png"}]
    path = table(folder / "t.jsonl", *map(json.dumps, lines))
    report = empty.index(path)
    if field == "id":  # by which SQLite would not find it again
        assert "NUL" in only(empty, report).reason
        assert report.added == 1
    else:
        assert (report.added, report.rejected) == (2, 0)
        assert empty.index(path).unchanged == 2
        assert "a\\u0000b" in json.dumps(empty.get("red_000.png").to_json())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32(1), b"bytes"])
def test_a_column_that_json_cannot_say(empty, value):
    good = Example("good", texts=("x",), columns={"price": 3})
    report = empty.add([Example("bad", texts=("x",), columns={"price": value}), good])
    assert "JSON cannot keep" in only(empty, report).reason
    assert [row.id for row in empty.rows("price < 4")] == ["good"]
    with pytest.raises(DataError, match="'good' cannot be changed so"):
        empty.update("good", columns={"price": value})


def test_filters_that_sqlite_could_not_read(memory):
    with pytest.raises(FilterError, match="lone surrogate"):
        memory.count('label = "\ud800"')
    assert memory.count("price < 99999999999999999999") == 16
