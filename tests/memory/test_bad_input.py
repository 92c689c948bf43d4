"""Broken and unusual pictures on their way into a memory: nothing good is lost with the bad."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ravl.cli import main
from ravl.data import Example, Rejected, pictures
from ravl.data.readers.folder import FolderSource
from ravl.errors import DataError
from tests.data.samples import difference, encode, png_chunk, scene
from tests.helpers import ColourEncoder, draw, is_root
from tests.memory.aside import GOOD, good_folder, only


@pytest.fixture
def folder(tmp_path) -> Path:
    return good_folder(tmp_path / "photos")


def claim(width: int, height: int) -> bytes:
    """A small PNG whose header claims so many pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


BROKEN = {
    "empty.jpg": (b"", "is empty (0 bytes)"),
    "cut.jpg": (encode(scene(), "JPEG")[:700], "is truncated"),
    "cut.png": (encode(draw(3, "red"), "PNG")[:150], "is truncated"),
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
    report = empty.index(folder, max_pixels=64 * 48)
    assert (report.added, report.rejected) == (GOOD, 2)
    assert "60,000 x 60,000 pixels, more than the 3,072" in report.reasons[0].reason
    assert "100 x 100 pixels, more than the 3,072" in report.reasons[1].reason


def _refuse_large(load: Callable[[Image.Image], None]) -> Callable[[Image.Image], None]:
    def guarded(image: Image.Image) -> None:
        assert image.width * image.height <= 64 * 48
        load(image)

    return guarded


def test_the_limit_of_the_command_line(folder, capsys):
    draw(1, "red", (65, 48)).save(folder / "large.png")
    with pytest.raises(SystemExit):
        main(["index", str(folder), "-m", f"{folder}.ravl", "--max-pixels", "3072", "--dry-run"])
    out, err = capsys.readouterr()
    assert f"Would have added {GOOD}, updated 0, unchanged 0, set aside 1" in out
    assert "65 x 48 pixels, more than the 3,072" in err


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
    assert empty.search(image=seen, k=1)[0].id == name


@pytest.mark.skipif(is_root(), reason="root may read everything")
def test_a_picture_without_rights(empty, folder):
    (folder / "red_000.png").chmod(0)
    report = empty.index(folder)
    assert "cannot be read" in only(empty, report).reason
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


def test_a_picture_that_was_away_while_the_memory_was_reembedded(empty, folder, tmp_path):
    empty.index(folder)
    (folder / "red_000.png").rename(tmp_path / "away.png")
    empty.reembed(ColourEncoder(mirror=True))
    assert empty.info().without_vector == len(empty.quarantine()) == 1
    (tmp_path / "away.png").rename(folder / "red_000.png")
    report = empty.index(folder)
    assert (report.updated, report.unchanged) == (1, GOOD - 1)
    assert empty.info().without_vector == len(empty.quarantine()) == 0
    assert empty.index(folder).unchanged == GOOD


def test_a_folder_without_pictures_and_one_that_is_not_there(empty, tmp_path):
    (tmp_path / "letter.txt").write_text("no picture here")
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
