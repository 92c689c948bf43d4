"""What is broken, on its way into a memory: set aside with a sentence, while nothing good is lost."""

from __future__ import annotations

import json
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ravl.data import ColumnNames, Example, Rejected, pictures
from ravl.data.readers.folder import FolderSource
from ravl.errors import DataError, FilterError
from ravl.memory import IndexReport, Memory
from tests.data.samples import difference, encode, png_chunk, scene
from tests.helpers import ColourEncoder, draw, is_root, make_pictures

GOOD = 10  # more than a batch of the ColourEncoder


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with good pictures, for a bad one to be put among."""
    make_pictures(tmp_path / "photos", GOOD)
    return tmp_path / "photos"


def only(memory: Memory, report: IndexReport) -> Rejected:
    """The one thing that was set aside, as the report and the quarantine agree."""
    assert report.rejected == 1
    (rejected,) = report.reasons
    assert report.dry_run or memory.quarantine() == [rejected]
    assert "\n" not in rejected.reason
    assert 20 < len(rejected.reason) < 300
    return rejected


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def claim(width: int, height: int) -> bytes:
    """A small PNG whose header claims so many pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


BROKEN = {
    "empty.jpg": (b"", "is empty (0 bytes)"),
    "cut.jpg": (encode(scene(), "JPEG")[:700], "is truncated"),
    "cut.png": (encode(scene(), "PNG")[:700], "is truncated"),
    "letter.jpg": (b"Dear all, see the attached picture.", "not a picture of a known format"),
    "page.png": (b"<!doctype html><html>404</html>", "a web page"),
    "huge.png": (claim(60_000, 60_000), "60,000 x 60,000 pixels, more than the 100,000,000"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_picture_is_set_aside_until_it_is_repaired(empty, folder, name):
    data, sentence = BROKEN[name]
    bad = folder / name
    bad.write_bytes(data)
    tried = empty.index(folder, dry_run=True)
    assert (tried.added, len(empty), empty.quarantine()) == (GOOD, 0, [])
    report = empty.index(folder)
    assert report.added == len(empty) == GOOD
    assert only(empty, report) == only(empty, tried)
    assert sentence in report.reasons[0].reason
    assert report.reasons[0].place == str(bad)
    assert empty.index(folder).rejected == len(empty.quarantine()) == 1  # until it is repaired
    draw(77, "blue").save(bad)
    report = empty.index(folder)
    assert (report.added, report.unchanged, report.rejected) == (1, GOOD, 0)
    assert empty.quarantine() == []
    assert empty.search(image=bad, k=1)[0].id == name


def test_a_broken_picture_that_is_removed_leaves_the_quarantine(empty, folder, monkeypatch):
    (folder / "empty.jpg").touch()
    assert empty.index(folder).rejected == 1
    (folder / "empty.jpg").unlink()
    monkeypatch.chdir(folder.parent)
    assert empty.index(folder.name).rejected == 0  # the same folder, written in another way
    assert empty.quarantine() == []


def test_a_good_picture_that_breaks_keeps_its_row(empty, folder):
    empty.index(folder)
    (folder / "red_000.png").write_bytes(b"")
    report = empty.index(folder)
    assert "is empty" in only(empty, report).reason
    assert (report.unchanged, len(empty)) == (GOOD - 1, GOOD)


def test_a_huge_picture_is_not_decoded(empty, folder, monkeypatch):
    (folder / "huge.png").write_bytes(claim(60_000, 60_000))
    (folder / "large.png").write_bytes(claim(100, 100))
    monkeypatch.setattr(pictures, "_load", _refuse_large(pictures._load))
    started = time.monotonic()
    report = empty.index(folder, max_pixels=64 * 48)
    assert time.monotonic() - started < 5
    assert (report.added, report.rejected) == (GOOD, 2)
    assert "60,000 x 60,000 pixels, more than the 3,072" in report.reasons[0].reason
    assert "100 x 100 pixels, more than the 3,072" in report.reasons[1].reason


def _refuse_large(load: Callable[[Image.Image], None]) -> Callable[[Image.Image], None]:
    def guarded(image: Image.Image) -> None:
        assert image.width * image.height <= 64 * 48
        load(image)

    return guarded


def _turned() -> bytes:
    exif = Image.Exif()
    exif[274] = 6  # orientation: a quarter turn
    return encode(scene().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)


def _see_through() -> bytes:
    return encode(scene().quantize(64), "PNG", transparency=255)


def _deep() -> bytes:
    return encode(Image.fromarray(np.asarray(scene().convert("L")).astype(np.uint16) * 257), "PNG")


def _moving() -> bytes:
    others = [scene().transpose(Image.Transpose.FLIP_LEFT_RIGHT) for _ in range(3)]
    return encode(scene(), "GIF", save_all=True, append_images=others, duration=50)


@pytest.mark.parametrize(
    ("name", "make", "seen"),
    [
        ("moving.gif", _moving, scene()),  # the first frame
        ("deep.png", _deep, scene().convert("L").convert("RGB")),
        ("print.jpg", lambda: encode(scene().convert("CMYK"), "JPEG", quality=95), scene()),
        ("see-through.png", _see_through, scene()),
        ("turned.jpg", _turned, scene()),
        ("really-a-png.jpg", lambda: encode(scene(), "PNG"), scene()),
    ],
)
def test_an_unusual_picture_is_taken_in_upright(empty, folder, name, make, seen):
    (folder / name).write_bytes(make())
    report = empty.index(folder)
    assert (report.added, report.rejected, empty.quarantine()) == (GOOD + 1, 0, [])
    row = empty.get(name)
    assert (row.width, row.height) == empty.picture(row).size == (80, 60)
    assert difference(empty.picture(row), seen) < 8
    plain = ColourEncoder().embed_pictures([seen])[0]
    assert empty.vectors().matrix[-1].astype(np.float32) @ plain > 0.98


@pytest.mark.skipif(is_root(), reason="root may read everything")
def test_a_picture_without_rights(empty, folder):
    (folder / "red_000.png").chmod(0)
    report = empty.index(folder)
    assert "may not be read" in only(empty, report).reason
    assert report.added == GOOD - 1


def test_a_picture_that_vanishes_on_the_way(empty, folder, monkeypatch):
    listed = FolderSource.__iter__

    def vanishing(source: FolderSource) -> Iterator[Example | Rejected]:
        for item in listed(source):
            if isinstance(item, Example) and item.id == "red_000.png":
                (folder / item.id).unlink()
            yield item

    monkeypatch.setattr(FolderSource, "__iter__", vanishing)
    report = empty.index(folder)
    assert "red_000.png does not exist" in only(empty, report).reason
    assert report.added == GOOD - 1


def test_a_picture_that_was_away_while_the_memory_was_reembedded(memory, tmp_path):
    path = tmp_path / "pictures" / "red_000.png"
    path.rename(tmp_path / "away.png")
    memory.reembed(ColourEncoder(mirror=True))
    assert memory.info().without_vector == len(memory.quarantine()) == 1
    (tmp_path / "away.png").rename(path)
    assert memory.index(tmp_path / "pictures").updated == 1
    assert memory.info().without_vector == len(memory.quarantine()) == 0
    assert memory.index(tmp_path / "pictures").unchanged == 16


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ("blue_002.png,one,two,three", "has 4 fields where the first line names 2"),
        ('blue_002.png,"never closed', "opened and never closed"),
        ("gone.png,a caption", "'gone.png' is not in"),
        ("../secret.png,a caption", "leads outside"),
        (",", ""),  # an empty row is no row
        ("red_000.png,café", "is not UTF-8; if the file is in another encoding"),
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
        ("image,worte", {"image": "foto"}, "has the columns image, worte, and none is called 'f"),
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


FIELDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "id": lambda s: {"id": s},
    "text": lambda s: {"caption": s},
    "label": lambda s: {"label": s},
    "tag": lambda s: {"tags": [s]},
    "column": lambda s: {"shop": s},
    "column name": lambda s: {s: 1},
}


@pytest.mark.parametrize("way", ["table", "Python"])
@pytest.mark.parametrize("field", FIELDS)
def test_half_a_character(empty, folder, field, way):
    bad = FIELDS[field]("a\ud800b")
    if way == "table":
        rows = [{"image": "red_000.png"} | bad, {"image": "green_001.png"}]
        report = empty.index(table(folder / "t.jsonl", *map(json.dumps, rows)))
    else:
        named = {"caption": "texts", "tags": "tags", "label": "label", "id": "id"}
        told: dict[str, Any] = {"id": "x", "picture": folder / "red_000.png"}
        for name, value in bad.items():
            if name in named:
                told[named[name]] = (value,) if name == "caption" else value
            else:
                told["columns"] = {name: value}
        report = empty.add([Example(**told), Example("y", folder / "green_001.png")])
    assert "lone surrogate" in only(empty, report).reason
    assert report.added == len(empty) == 1


@pytest.mark.parametrize("field", FIELDS)
def test_a_nul_character(empty, folder, field):
    bad = FIELDS[field]("a\0b")
    rows = [{"image": "red_000.png"} | bad, {"image": "green_001.png"}]
    path = table(folder / "t.jsonl", *map(json.dumps, rows))
    report = empty.index(path)
    if field == "id":  # by which SQLite would not find it again
        assert "NUL" in only(empty, report).reason
        assert report.added == 1
    else:
        assert (report.added, report.rejected) == (2, 0)
        assert empty.index(path).unchanged == 2
        assert "a\0b" in json.dumps(empty.get("red_000.png").to_json()).replace("\\u0000", "\0")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32(1), b"bytes"])
def test_a_column_that_json_cannot_say(empty, value):
    good = Example("good", texts=("x",), columns={"price": 3})
    report = empty.add([Example("bad", texts=("x",), columns={"price": value}), good])
    assert "JSON cannot say" in only(empty, report).reason
    assert [row.id for row in empty.rows("price < 4")] == ["good"]
    with pytest.raises(DataError, match="'good' cannot be changed so. A column"):
        empty.update("good", columns={"price": value})


def test_filters_that_sqlite_could_not_read(memory):
    with pytest.raises(FilterError, match="lone surrogate"):
        memory.count('label = "\ud800"')
    assert memory.count("price < 99999999999999999999") == 16


def test_a_folder_without_pictures_and_one_that_is_not_there(empty, tmp_path):
    table(tmp_path / "nothing.txt", "no picture here")
    report = empty.index(tmp_path)
    assert (report.added, report.rejected, empty.history()) == (0, 0, [])
    with pytest.raises(DataError, match=f"There is no file or folder {tmp_path / 'gone'}"):
        empty.index(tmp_path / "gone")


def test_a_name_that_is_not_utf8(empty, folder):
    path = folder / os.fsdecode(b"caf\xe9.png")
    draw(1, "red").save(path)
    report = empty.index(folder)
    assert "not UTF-8" in only(empty, report).reason
    assert report.added == GOOD
    assert empty.add([Example("x", path)]).rejected == 1
