"""Folders of pictures: what is found, labels, side-car texts, links, tables of captions."""

import os
import sys

import pytest

from ravl.data import Example, read
from ravl.data.readers.folder import FolderSource
from ravl.data.readers.folder_files import listed
from ravl.data.readers.source import ReadOptions
from ravl.errors import DataError
from tests.data.reading import ids, pictures, read_all, read_good, write


def test_sorted_recursive_and_by_suffix(tmp_path):
    pictures(tmp_path, "b.JPG", "a/z.png", "a/y.webp", "c.jfif", "d.avif", "e.tiff", "f.pgm")
    write(tmp_path / "notes.md", "x")
    write(tmp_path / "movie.mp4", "x")
    examples = read_good(tmp_path)
    assert ids(examples) == ["a/y.webp", "a/z.png", "b.JPG", "c.jfif", "d.avif", "e.tiff", "f.pgm"]
    assert examples[0].picture == tmp_path.resolve() / "a/y.webp"
    assert examples[0].source == f"{tmp_path.name}/a/y.webp"


def test_total_is_known_before_reading(tmp_path):
    assert read(pictures(tmp_path, "a.jpg", "b/c.jpg")).total == 2


def test_hidden_files_and_leftovers_are_left_out(tmp_path):
    pictures(tmp_path, "a.jpg", ".hidden.jpg", "._a.jpg", ".git/b.jpg", "__MACOSX/c.jpg")
    write(tmp_path / "Thumbs.db", "x")
    assert ids(read_good(tmp_path)) == ["a.jpg"]


def good(source):
    return [item for item in source if isinstance(item, Example)]


def test_what_is_no_picture_is_counted_by_kind(tmp_path):
    names = ["a.jpg", "b/c.HEIC", "clip.MP4", "b/d.mov", "x.pdf", "y.PDF", "z.jxl", "raw.NEF", "n"]
    pictures(tmp_path, *names, ".hidden.pdf", ".DS_Store")
    write(tmp_path / "a.txt", "a text of its picture")
    write(tmp_path / "a.jpg.txt", "another")
    write(tmp_path / "lonely.txt", "of no picture")
    source = FolderSource(tmp_path, ReadOptions())
    assert ids(good(source)) == ["a.jpg", "b/c.HEIC"]
    assert source.skipped == {
        **{"video": 2, "PDF": 2, "JPEG XL": 1, "camera raw": 1, "other file": 1, "TXT": 1}
    }
    list(source)
    assert source.skipped["video"] == 2  # of one pass
    assert listed(source.skipped).startswith("2 PDF, 2 videos, 1 camera raw, 1 JPEG XL, ")


def test_small_copies_and_recycle_bins_are_left_out_and_counted(tmp_path):
    pictures(tmp_path, "a/1.jpg", "b/2.jpg", "a/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg")
    pictures(tmp_path, "@eaDir/x.jpg", ".thumbnails/y.jpg", "a/.@__thumb/z.jpg")
    pictures(tmp_path, "#recycle/p.jpg", "$RECYCLE.BIN/q.jpg", ".Trash-1000/files/r.jpg")
    pictures(tmp_path, ".Trashes/501/s.jpg", "@Recycle/t.jpg", "#snapshot/day/u.jpg")
    source = FolderSource(tmp_path, ReadOptions())
    examples = good(source)
    assert ids(examples) == ["a/1.jpg", "b/2.jpg"]
    assert [e.label for e in examples] == ["a", "b"]  # such folders are no classes
    assert source.skipped == {"thumbnail": 4, "recycled picture": 5, "snapshot": 1}
    assert listed(source.skipped) == "5 recycled pictures, 4 thumbnails, 1 snapshot"
    # One that is named is read.
    assert ids(read_good(tmp_path / "#recycle")) == ["p.jpg"]


def test_empty_folder(tmp_path):
    assert read_good(tmp_path) == []
    assert read(tmp_path).total == 0


def test_links_in_a_loop_end(tmp_path):
    pictures(tmp_path, "a/b.jpg")
    (tmp_path / "a/again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "x.jpg").symlink_to(tmp_path / "y.jpg")
    (tmp_path / "y.jpg").symlink_to(tmp_path / "x.jpg")
    examples, rejected = read_all(tmp_path)
    assert ids(examples) == ["a/b.jpg"]
    assert [r.place for r in rejected] == [f"{tmp_path.name}/x.jpg", f"{tmp_path.name}/y.jpg"]
    assert all("target of this link does not exist" in r.reason for r in rejected)


@pytest.mark.parametrize("target", ["outside", "outside/secret.jpg", "."])
def test_links_that_lead_outside(tmp_path, target):
    pictures(tmp_path, "outside/secret.jpg", "shop/a.jpg")
    (tmp_path / "shop/link.jpg").symlink_to(tmp_path / target)
    examples, rejected = read_all(tmp_path / "shop")
    assert ids(examples) == ["a.jpg"]
    assert [r.place for r in rejected] == ["shop/link.jpg"]
    assert "leads outside" in rejected[0].reason


def test_link_to_a_picture_within(tmp_path):
    pictures(tmp_path, "a.jpg")
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    assert ids(read_good(tmp_path)) == ["a.jpg", "b.jpg"]


def test_pipe_with_a_picture_name_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    _, (rejected,) = read_all(tmp_path)
    assert "pipe or a device" in rejected.reason


def test_name_that_is_not_utf8(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    examples, (rejected,) = read_all(pictures(tmp_path, "a.jpg"))
    assert ids(examples) == ["a.jpg"]
    assert "not UTF-8" in rejected.reason
    assert rejected.place.encode().endswith(b"caf\\udce9.jpg")


def test_folder_without_permission(tmp_path, monkeypatch):
    pictures(tmp_path, "a.jpg", "locked/b.jpg")
    scandir = os.scandir

    def guarded(folder):
        if "locked" in os.fspath(folder):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    examples, (rejected,) = read_all(tmp_path)
    assert ids(examples) == ["a.jpg"]
    assert rejected.place == f"{tmp_path.name}/locked"
    assert "cannot be read: Permission denied" in rejected.reason


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["cat/a.jpg", "dog/x/b.jpg"], ["cat", "dog"]),
        (["cat/a.jpg", "cat/b.jpg"], ["cat", "cat"]),
        (["images/a.jpg", "images/b.jpg"], [None, None]),
        (["animals/cat/a.jpg"], [None]),
        (["cat/a.jpg", "dog/b.jpg", "z.jpg"], ["cat", "dog", None]),
        (["cat/a.jpg", "y.jpg", "z.jpg"], ["cat", None, None]),
        (["train/cat/a.jpg", "train/dog/b.jpg", "val/cat/c.jpg"], ["cat", "dog", "cat"]),
        (["train/cat/a.jpg"], ["cat"]),
        (["train/a.jpg", "test/b.jpg"], [None, None]),
    ],
)
def test_labels_of_sub_folders_where_it_looks_so(tmp_path, names, labels):
    assert [example.label for example in read_good(pictures(tmp_path, *names))] == labels


@pytest.mark.parametrize(
    "names", [("train/cat/a.jpg", "test/b.jpg"), ("train/a.jpg", "test/b.jpg")]
)
def test_splits_become_a_column(tmp_path, names):
    pictures(tmp_path, *names, "z.jpg")
    columns = [dict(e.columns) for e in read_good(tmp_path)]
    assert columns == [{"split": "test"}, {"split": "train"}, {}]


def test_labels_of_sub_folders_as_told(tmp_path):
    pictures(tmp_path, "cat/a.jpg", "dog/b.jpg")
    assert [e.label for e in read_good(tmp_path, folder_labels=False)] == [None, None]
    pictures(tmp_path, "z.jpg")
    assert [e.label for e in read_good(tmp_path, folder_labels=True)] == ["cat", "dog", None]


def test_texts_beside_pictures(tmp_path):
    pictures(tmp_path, "cat.jpg", "dog.jpg", "cow.jpg")
    write(tmp_path / "cat.txt", b"\xef\xbb\xbfeine Katze\n")
    write(tmp_path / "dog.jpg.txt", "ein Hund")
    write(tmp_path / "cow.txt", "  \n")
    assert [e.texts for e in read_good(tmp_path)] == [("eine Katze",), (), ("ein Hund",)]


def test_text_beside_a_picture_that_is_not_utf8(tmp_path):
    write(pictures(tmp_path, "cat.jpg") / "cat.txt", "café".encode("cp1252"))
    (example,), (rejected,) = read_all(tmp_path)
    assert example.texts == ()
    assert rejected.place == f"{tmp_path.name}/cat.txt"
    assert "byte 0xE9 at position 4" in rejected.reason


def test_text_beside_a_picture_that_leads_outside(tmp_path):
    write(tmp_path / "secret.txt", "secret")
    pictures(tmp_path, "shop/cat.jpg")
    (tmp_path / "shop/cat.txt").symlink_to(tmp_path / "secret.txt")
    (example,), (rejected,) = read_all(tmp_path / "shop")
    assert example.texts == ()
    assert "leads outside" in rejected.reason


def test_text_beside_a_picture_that_is_too_long(tmp_path):
    write(pictures(tmp_path, "cat.jpg") / "cat.txt", "x" * 2_000_000)
    (example,), (rejected,) = read_all(tmp_path)
    assert example.texts == ()
    assert "1,048,576 bytes" in rejected.reason


@pytest.mark.parametrize(
    "text",
    [
        "0 0.5 0.5 0.25 0.4\n3 0.1 0.2 0.1 0.1\n",
        "0 0.5 0.5 0.25 0.4 0.97",
        "1 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8",  # a polygon
        "Car 0.00 0 -1.58 587.01 173.33 614.12 200.12 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59",
        "684,8,273,116,0,0,0,0\n406,119,265,70,0,0,0,0",
    ],
)
def test_boxes_beside_pictures_are_no_captions(tmp_path, text):
    write(pictures(tmp_path, "a.jpg", "b.jpg") / "a.txt", text)
    write(tmp_path / "b.txt", "4 dogs, 3.5 years old, on 2 chairs and 1 sofa")
    source = read(tmp_path)
    assert [getattr(example, "texts", None) for example in source] == [
        (),
        ("4 dogs, 3.5 years old, on 2 chairs and 1 sofa",),
    ]
    assert getattr(source, "skipped", None) == {"file of boxes": 1}


@pytest.mark.parametrize("text", ["1234", "12 34 56 78", "route 66", "1.5 2.5 3.5"])
def test_numbers_that_may_be_a_text_are_one(tmp_path, text):
    write(pictures(tmp_path, "a.jpg") / "a.txt", text)
    assert [e.texts for e in read_good(tmp_path)] == [(text,)]


def test_a_table_that_names_no_picture_is_refused_with_its_columns(tmp_path):
    shop = pictures(tmp_path / "shop", "a.jpg")
    table = write(tmp_path / "about.csv", "picture name,caption\na.jpg,one\n")
    with pytest.raises(
        DataError, match=r"names a picture .* Its columns are picture name, caption"
    ):
        read_all(shop, captions=table)
    table = write(tmp_path / "about.csv", "image,caption\nno.jpg,one\n,two\n")
    with pytest.raises(DataError, match="'no.jpg' is not in .* Its columns are image, caption"):
        read_all(shop, captions=table)
    table = write(tmp_path / "about.csv", "file name,caption\na.jpg,one\n,two\n")
    (example,), (rejected,) = read_all(shop, captions=table)
    assert example.texts == ("one",)
    assert "names no picture of the folder" in rejected.reason


def test_captions_come_first_then_the_other_pictures(tmp_path):
    shop = pictures(tmp_path / "shop", "a.jpg", "b.jpg", "c.jpg")
    table = write(tmp_path / "captions.csv", "image,caption\nb.jpg,a bee\n./b.jpg,a bug\nx.jpg,y\n")
    examples, (rejected,) = read_all(shop, captions=table)
    assert [(e.id, e.texts) for e in examples] == [
        ("b.jpg", ("a bee", "a bug")),
        ("a.jpg", ()),
        ("c.jpg", ()),
    ]
    assert "'x.jpg' is not in" in rejected.reason


def test_captions_with_ids_of_their_own(tmp_path):
    shop = pictures(tmp_path / "shop", "cat/a.jpg", "dog/b.jpg")
    write(shop / "cat/a.txt", "from the text beside")
    table = write(tmp_path / "c.csv", "id,image,caption\nno 1,cat/a.jpg,from the table\n")
    first, second = read_good(shop, captions=table)
    assert (first.id, first.label) == ("no 1", "cat")
    assert first.texts == ("from the table", "from the text beside")
    assert (second.id, second.label) == ("dog/b.jpg", "dog")


def test_captions_that_are_missing(tmp_path):
    with pytest.raises(DataError, match="no table of captions"):
        read(tmp_path, captions=tmp_path / "captions.csv")


def test_folders_nested_deeper_than_python_calls(tmp_path):
    pictures(tmp_path, "d/" * 300 + "a.jpg")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(250)
    try:
        found = read_good(tmp_path)
    finally:
        sys.setrecursionlimit(limit)
    assert len(found) == 1
