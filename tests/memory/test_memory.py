from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from ravl.data import QA, Example
from ravl.errors import (
    DataError,
    EncoderMismatchError,
    MemoryFileError,
    PictureError,
    QueryError,
    RowNotFoundError,
)
from ravl.memory import Memory
from tests.helpers import ColourEncoder, database_of, draw, make_examples, make_pictures


def test_keeps_all_that_an_example_says(empty, tmp_path):
    path = tmp_path / "sub" / "one.png"
    path.parent.mkdir()
    draw(1, "red").save(path)
    example = Example(
        id="one",
        picture=path,
        texts=("a picture", "一张图片"),
        label="red",
        tags=("a", "b"),
        qa=(QA("what?", ("red", "crimson")),),
        columns={"price": 3.5, "name": "x", "ok": True},
        source="here",
    )
    empty.add([example])
    row = empty.get("one")
    assert row.example() == example
    assert (row.width, row.height) == (64, 48)
    assert row.added.endswith("+00:00")
    assert empty.picture("one").size == (64, 48)


def test_survives_closing(memory):
    before = list(memory)
    memory.close()
    with Memory.open(memory.path, ColourEncoder()) as again:
        assert list(again) == before
        assert again.search("a red picture", k=1)[0].row.label == "red"


def test_moves_together_with_its_pictures(memory, tmp_path):
    memory.close()
    moved = tmp_path.with_name(tmp_path.name + "-moved")
    tmp_path.rename(moved)
    with Memory.open(moved / "test.ravl", ColourEncoder()) as again:
        for row in again:
            assert again.picture(row).size == (64, 48)


def test_counts_and_iterates(memory):
    assert len(memory) == memory.count() == len(list(memory)) == 16
    assert memory.count('label = "red"') == 2
    assert [row.label for row in memory.rows("price < 2")] == ["red", "green"]
    assert "red_000.png" in memory
    assert "nothing" not in memory


def test_iterates_while_it_is_written_to(memory):
    seen: list[str] = []
    for row in memory:
        if not seen:
            memory.delete(["green_001.png"])
        seen.append(row.id)
    assert len(memory) == 15
    assert len(seen) in (15, 16)


def test_add_again_changes_nothing(memory, tmp_path, encoder):
    looked, read = encoder.looked, encoder.read
    report = memory.add(make_examples(tmp_path / "pictures"))
    assert (report.added, report.updated, report.unchanged) == (0, 0, 16)
    assert (encoder.looked, encoder.read) == (looked, read)
    assert memory.info().version == 1


def test_add_keeps_what_the_new_example_does_not_say(memory, tmp_path):
    path = tmp_path / "pictures" / "red_000.png"
    report = memory.add([Example("red_000.png", path, columns={"stock": 7})])
    assert report.updated == 1
    row = memory.get("red_000.png")
    assert row.texts == ("a red picture", "number 0")
    assert row.columns == {"price": 0, "shop": "north", "stock": 7}


def test_a_changed_picture_is_encoded_again(memory, tmp_path, encoder):
    path = tmp_path / "pictures" / "red_000.png"
    draw(99, "blue").save(path)
    looked, read = encoder.looked, encoder.read
    report = memory.add([Example("red_000.png", path)])
    assert (report.updated, report.encoded) == (1, 1)
    assert encoder.looked == looked + 1
    assert encoder.read == read  # its texts did not change
    nearest = memory.search(like="red_000.png", k=2, mode="dense")
    assert {hit.row.label for hit in nearest} == {"blue"}


def test_update(memory, encoder):
    looked = encoder.looked
    row = memory.update("red_000.png", texts=["a purple picture"], columns={"price": None, "n": 1})
    assert row.texts == ("a purple picture",)
    assert row.columns == {"shop": "north", "n": 1}
    assert row.label == "red"
    assert encoder.looked == looked
    texts = memory.search("a purple picture", k=3, target="texts", mode="dense")
    assert "red_000.png" in [hit.id for hit in texts]
    assert memory.update("red_000.png", label="", tags=[], texts=[]).label is None
    assert memory.get("red_000.png").tags == memory.get("red_000.png").texts == ()
    version = memory.info().version
    memory.update("red_000.png", label="")  # changes nothing
    assert memory.info().version == version


def test_update_refuses(memory):
    with pytest.raises(RowNotFoundError, match="no row 'nothing'"):
        memory.update("nothing", label="x")
    with pytest.raises(DataError, match="list of texts"):
        memory.update("red_000.png", texts="a string")


def test_delete(memory):
    assert memory.delete(["red_000.png", "blue_002.png"]) == 2
    assert memory.delete(where='label = "green"') == 2
    assert len(memory) == 12
    with pytest.raises(RowNotFoundError):
        memory.get("red_000.png")
    found = memory.search("a red picture", k=16)
    assert {"red_000.png", "blue_002.png"}.isdisjoint(hit.id for hit in found)
    assert len(found) == 12


def test_delete_all_or_nothing(memory):
    with pytest.raises(RowNotFoundError, match="nothing"):
        memory.delete(["red_000.png", "nothing"])
    with pytest.raises(QueryError, match="which rows"):
        memory.delete()
    assert len(memory) == 16


def test_a_deleted_id_can_come_back(memory, tmp_path):
    memory.delete(["red_000.png"])
    memory.add(make_examples(tmp_path / "pictures")[:1])
    assert memory.search(like="red_008.png", k=1)[0].id == "red_000.png"


def test_history(memory):
    memory.update("red_000.png", label="crimson")
    memory.delete(["red_000.png"])
    last, middle, first = memory.history()
    assert (first.what, first.added) == ("index Python", 16)
    assert (middle.what, middle.updated) == ("update red_000.png", 1)
    assert (last.what, last.deleted) == ("delete red_000.png", 1)
    assert [v.number for v in memory.history("red_000.png")] == [3, 2, 1]
    assert [v.number for v in memory.history("blue_002.png")] == [1]
    assert len(memory.history(limit=2)) == 2


def test_info(memory, tmp_path):
    memory.add([Example("text only", texts=("knowledge",))])
    memory.update("red_000.png", texts=[], label="")
    info = memory.info()
    assert (info.rows, info.pictures, info.copied) == (17, 16, 0)
    assert (info.without_text, info.without_label, info.without_vector) == (1, 1, 0)
    assert info.labels["green"] == 2
    assert info.labels["red"] == 1
    assert info.columns == ("price", "shop")
    assert info.tags == 5
    assert (info.encoder, info.dimension) == ("colour", 48)
    assert info.bytes > 0


def test_copied_pictures_outlive_their_files(empty, tmp_path):
    examples = make_examples(tmp_path / "pictures", 3)
    empty.add(examples, copy=True)
    pixels = Image.open(tmp_path / "pictures" / examples[0].id).convert("RGB").tobytes()
    shutil.rmtree(tmp_path / "pictures")
    assert empty.picture(examples[0].id).tobytes() == pixels
    assert empty.info().copied == 3


def test_pictures_can_be_copied_later(empty, tmp_path, encoder):
    examples = make_examples(tmp_path / "pictures", 3)
    empty.add(examples)
    looked = encoder.looked
    assert empty.add(examples, copy=True).updated == 3
    assert empty.info().copied == 3
    assert encoder.looked == looked
    assert empty.add(examples, copy=True).unchanged == 3


def test_pictures_as_bytes_are_always_copied(empty, tmp_path):
    path = make_pictures(tmp_path / "pictures", 1)[0]
    empty.add([Example("bytes", path.read_bytes())])
    assert empty.picture("bytes").size == (64, 48)


def test_a_missing_picture_is_a_sentence(memory, tmp_path):
    (tmp_path / "pictures" / "red_000.png").unlink()
    with pytest.raises(PictureError, match="red_000.png"):
        memory.picture("red_000.png")
    memory.add([Example("text only", texts=("knowledge",))])
    with pytest.raises(PictureError, match="'text only' has no picture"):
        memory.picture("text only")
    assert memory.search("a red picture", k=3)  # the row still is found


def test_opening_refuses(tmp_path, memory):
    with pytest.raises(MemoryFileError, match="There is no memory at"):
        Memory.open(tmp_path / "nothing.ravl")
    text = tmp_path / "text.ravl"
    text.write_text("this is not a database, but long enough to look like one " * 20)
    with pytest.raises(MemoryFileError, match="not a ravl memory"):
        Memory.open(text)
    empty_file = tmp_path / "empty.ravl"
    empty_file.touch()
    with pytest.raises(MemoryFileError, match="not a ravl memory"):
        Memory.open(empty_file)
    with pytest.raises(MemoryFileError, match="a folder"):
        Memory.open(tmp_path)
    with pytest.raises(MemoryFileError, match="exists already"):
        Memory.create(memory.path, ColourEncoder())


def test_a_memory_of_a_newer_ravl(memory):
    database_of(memory).connection.execute("PRAGMA user_version = 99")
    memory.close()
    with pytest.raises(MemoryFileError, match=r"newer ravl \(format 99; this one reads up to 1\)"):
        Memory.open(memory.path)


def test_another_encoder_is_refused(memory):
    with pytest.raises(EncoderMismatchError, match="ravl reembed"):
        Memory.open(memory.path, ColourEncoder(turn=5))
    with pytest.raises(EncoderMismatchError, match="other preprocessing"):
        Memory.open(memory.path, ColourEncoder(mirror=True))


def test_creating_with_a_broken_encoder_leaves_no_file(tmp_path):
    class Broken(ColourEncoder):
        def features(self, prepared):
            raise RuntimeError("no network")

    with pytest.raises(RuntimeError, match="no network"):
        Memory.create(tmp_path / "new.ravl", Broken())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MemoryFileError, match="cannot be made"):
        Memory.create(tmp_path / "file" / "new.ravl", ColourEncoder())


def test_repr_and_path(memory: Memory):
    assert repr(memory).endswith("test.ravl', 16 rows)")
    assert isinstance(memory.path, Path)


def test_a_file_that_is_another_one_now_is_not_shown(memory, tmp_path):
    row = memory.get("red_000.png")
    draw(999, "green").save(row.path)
    with pytest.raises(PictureError, match="is not the picture that was indexed as 'red_000.png'"):
        memory.picture(row)
