"""Memories that follow folders."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from ravl.data import Example
from ravl.errors import DataError
from ravl.memory import Memory
from tests.helpers import ColourEncoder, draw

COLOURS = ("red", "green", "blue", "yellow")


@pytest.fixture
def counting() -> ColourEncoder:
    return ColourEncoder()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with twelve pictures in two sub-folders."""
    folder = tmp_path / "shop"
    for i in range(12):
        path = folder / ("hats" if i % 2 else "shirts") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(i, COLOURS[i % 4]).save(path)
    return folder


@pytest.fixture
def memory(tmp_path, counting):
    with Memory.create(tmp_path / "m.ravl", counting) as made:
        yield made


def vectors(memory: Memory) -> dict[str, np.ndarray]:
    found = memory.vectors()
    by_number = dict(zip(found.keys.tolist(), found.matrix, strict=True))
    return {row.id: by_number[row.number] for row in memory if row.number in by_number}


def test_a_folder_comes_in_and_is_not_opened_again(memory, shop, counting, monkeypatch):
    report = memory.sync(shop)
    assert (len(report.new), report.unchanged, report.encoded) == (12, 0, 12)
    assert {row.label for row in memory} == {"hats", "shirts"}
    assert memory.get("hats/1.png").path == shop / "hats" / "1.png"
    monkeypatch.setattr("ravl.data.pictures.read_bytes", None)  # whoever opens a file fails
    again = memory.sync()
    assert (again.quiet, again.unchanged, again.encoded) == (True, 12, 0)
    assert len(memory.history()) == 1


def test_what_was_indexed_before_is_known(memory, shop, counting):
    memory.index(shop)
    counting.looked = 0
    report = memory.sync(shop)
    assert report.quiet and report.unchanged == 12 and counting.looked == 0


def test_changed_pictures_and_texts(memory, shop, counting):
    memory.sync(shop)
    memory.update("hats/1.png", label="caps", texts=["a green hat"])
    before = vectors(memory)
    draw(1, "blue").save(shop / "hats" / "1.png")
    os.utime(shop / "shirts" / "0.png", ns=(1, 1))  # touched alone
    (shop / "shirts" / "2.txt").write_text("a shirt that is described")
    counting.looked = 0
    report = memory.sync()
    assert sorted(report.changed) == ["hats/1.png", "shirts/2.png"]
    assert (report.new, report.removed, report.unchanged) == ([], [], 10)
    assert counting.looked == 1
    changed = memory.get("hats/1.png")
    assert (changed.label, changed.texts) == ("caps", ("a green hat",))  # what people said stays
    assert memory.get("shirts/2.png").texts == ("a shirt that is described",)
    after = vectors(memory)
    assert not np.allclose(before["hats/1.png"], after["hats/1.png"])
    np.testing.assert_array_equal(before["hats/3.png"], after["hats/3.png"])


def test_renamed_pictures_are_not_looked_at_again(memory, shop, counting):
    memory.sync(shop)
    memory.update("hats/1.png", texts=["my hat"], columns={"price": 3})
    number, before = memory.get("hats/1.png").number, vectors(memory)["hats/1.png"]
    (shop / "shirts" / "new").mkdir()
    (shop / "hats" / "1.png").rename(shop / "shirts" / "new" / "first.png")
    counting.looked = 0
    report = memory.sync()
    assert report.renamed == [("hats/1.png", "shirts/new/first.png")]
    assert (report.new, report.changed, report.removed) == ([], ["shirts/new/first.png"], [])
    assert report.unchanged == 11
    assert counting.looked == 0
    row = memory.get("shirts/new/first.png")
    assert (row.number, row.texts, row.columns["price"]) == (number, ("my hat",), 3)
    assert (row.label, row.path) == ("shirts", shop / "shirts" / "new" / "first.png")
    np.testing.assert_array_equal(vectors(memory)[row.id], before)
    assert memory.search("my hat", k=1, mode="keyword")[0].id == row.id
    assert "hats/1.png" not in memory
    assert memory.sync().quiet


def test_pictures_that_change_places_keep_what_was_said_of_them(memory, shop, counting):
    """Also if they have the same size and time, as burst shots copied by a tool have."""
    memory.sync(shop)
    a, b = shop / "hats" / "1.png", shop / "hats" / "3.png"
    length = max(a.stat().st_size, b.stat().st_size)
    for path in (a, b):
        with path.open("ab") as file:  # bytes behind the end of a PNG are no part of it
            file.write(b"x" * (length - path.stat().st_size))
        os.utime(path, ns=(10**18, 10**18))
    memory.sync()
    memory.update("hats/1.png", texts=["the first"], label="caps")
    said = {row.hash: (row.number, row.texts, row.label) for row in memory}
    counting.looked = 0
    a.rename(shop / "x.png")
    b.rename(a)
    (shop / "x.png").rename(b)
    report = memory.sync()
    assert sorted(report.renamed) == [("hats/1.png", "hats/3.png"), ("hats/3.png", "hats/1.png")]
    assert (report.changed, report.removed, report.unchanged, counting.looked) == ([], [], 10, 0)
    assert {row.hash: (row.number, row.texts, row.label) for row in memory} == said
    assert memory.get("hats/3.png").texts == ("the first",)
    assert memory.sync().quiet


@pytest.mark.parametrize("first_is_deleted", [False, True])
def test_renumbered_pictures_keep_their_rows(memory, tmp_path, first_is_deleted):
    """1 becomes 2, 2 becomes 3; or 1 is deleted, 2 becomes 1, 3 becomes 2."""
    folder = tmp_path / "p"
    folder.mkdir()
    for i in range(1, 5):
        draw(i, COLOURS[i % 4]).save(folder / f"{i}.png")
    memory.sync(folder)
    for i in range(1, 5):
        memory.update(f"{i}.png", texts=[f"words about {i}"], label=f"kind {i}")
    said = {row.hash: (row.number, row.texts, row.label) for row in memory}
    version = memory.version
    if first_is_deleted:
        (folder / "1.png").unlink()
    for i in (2, 3, 4) if first_is_deleted else (4, 3, 2, 1):
        (folder / f"{i}.png").rename(folder / f"{i - 1 if first_is_deleted else i + 1}.png")
    report = memory.sync()
    assert (len(report.renamed), report.new, report.changed) == (3 + (not first_is_deleted), [], [])
    assert report.removed == (["1.png"] if first_is_deleted else [])
    for row in memory:
        assert (row.number, row.texts, row.label) == said[row.hash]
        assert memory.picture(row)
    assert memory.sync().quiet
    # Back to the version before: the pictures are under their new names, and so are the rows.
    memory.revert(version)
    for row in memory:
        assert (row.texts, row.label) == said[row.hash][1:]


def test_a_revert_gives_rows_their_old_names_with_their_pictures(memory, tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    for i in (1, 2, 3):
        draw(i, COLOURS[i]).save(folder / f"{i}.png")
    memory.sync(folder)
    was, version = {row.id: row.hash for row in memory}, memory.version
    for i in (3, 2, 1):
        (folder / f"{i}.png").rename(folder / f"{i + 1}.png")
    memory.sync()
    for i in (2, 3, 4):
        (folder / f"{i}.png").rename(folder / f"{i - 1}.png")
    memory.revert(version)
    assert {row.id: row.hash for row in memory} == was
    assert all(memory.picture(row) for row in memory)


def test_all_rows_of_a_file_move_with_it(memory, tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    draw(1, "red").save(folder / "a.png")
    memory.add([Example(id, folder / "a.png", (id,)) for id in ("a.png", "front", "back")])
    memory.sync(folder)
    (folder / "a.png").rename(folder / "b.png")
    report = memory.sync()
    assert sorted(report.renamed) == [("a.png", "b.png"), ("back", "back"), ("front", "front")]
    assert {row.path for row in memory} == {folder / "b.png"}
    assert not report.removed and not report.new


def test_a_copied_picture_is_renamed_too(memory, shop, counting):
    memory.index(shop, copy=True)
    memory.sync(shop)
    (shop / "hats" / "1.png").rename(shop / "hats" / "one.png")
    report = memory.sync()
    assert report.renamed == [("hats/1.png", "hats/one.png")] and len(memory) == 12


def test_a_folder_that_has_moved(memory, shop, tmp_path, counting):
    memory.sync(shop, ignore=["*_tmp.png"])
    memory.update("hats/1.png", label="caps", texts=["my hat"])
    numbers = {row.id: row.number for row in memory}
    place = tmp_path / "archive" / "boutique"
    place.parent.mkdir()
    shop.rename(place)
    (place / "hats" / "3.png").unlink()
    draw(80, "red").save(place / "hats" / "80.png")
    draw(81, "red").save(place / "hats" / "81_tmp.png")
    counting.looked = 0
    report = memory.sync(place)
    assert report.moved == [(str(shop), str(place))]
    assert (report.new, report.removed) == (["hats/80.png"], ["hats/3.png"])
    assert (report.renamed, report.changed) == ([], [])
    assert (report.unchanged, counting.looked) == (11, 1)
    row = memory.get("hats/1.png")
    assert (row.label, row.texts, row.path) == ("caps", ("my hat",), place / "hats" / "1.png")
    assert {row.id: row.number for row in memory if row.id in numbers}.items() <= numbers.items()
    assert memory.sync().quiet  # the old place is asked for no more


def test_a_folder_that_is_away_does_not_stop_the_others(memory, shop, tmp_path, counting):
    other = tmp_path / "museum"
    other.mkdir()
    draw(1, "yellow").save(other / "1.png")
    memory.sync(shop)
    memory.sync(other)
    shop.rename(tmp_path / "elsewhere")
    draw(2, "yellow").save(other / "2.png")
    report = memory.sync()
    assert (report.new, report.missing, report.removed) == (["museum/2.png"], [str(shop)], [])
    assert len(memory) == 14
    # Another folder is not taken for the one that is away.
    third = tmp_path / "third"
    third.mkdir()
    draw(3, "yellow").save(third / "1.png")
    assert memory.sync(third).moved == []


@pytest.mark.parametrize("late", [False, True])
def test_a_text_is_read_whatever_its_time(memory, shop, late):
    """Files out of archives are older than their pictures, or keep the time of the file before."""
    memory.sync(shop)
    text = shop / "hats" / "1.txt"
    text.write_text("added later")
    os.utime(text, (1.6e9, 1.6e9))
    assert memory.sync().changed == ["hats/1.png"]
    text.write_text("put right!!")
    os.utime(text, (1.6e9 + 60 * late, 1.6e9 + 60 * late))
    assert memory.sync().changed == ["hats/1.png"]
    assert memory.get("hats/1.png").texts == ("put right!!",)


def test_removed_pictures_go_to_the_bin_and_come_back(memory, shop, counting):
    memory.sync(shop)
    memory.update("hats/1.png", texts=["my hat"])
    before = vectors(memory)["hats/1.png"]
    shutil.move(shop / "hats" / "1.png", shop.parent / "away.png")
    report = memory.sync()
    assert (report.removed, len(memory)) == (["hats/1.png"], 11)
    assert [b.row.id for b in memory.trashed()] == ["hats/1.png"]
    assert "hats/1.png" not in [hit.id for hit in memory.search("my hat", k=12)]
    counting.looked = 0
    shutil.move(shop.parent / "away.png", shop / "hats" / "again.png")
    report = memory.sync()
    assert (report.restored, report.new, counting.looked) == (["hats/again.png"], [], 0)
    row = memory.get("hats/again.png")
    assert (row.texts, memory.trashed()) == (("my hat",), [])
    np.testing.assert_array_equal(vectors(memory)["hats/again.png"], before)


def test_a_row_can_be_restored_without_its_file(memory, shop, counting):
    memory.sync(shop)
    (shop / "hats" / "1.png").unlink()
    (shop / "hats" / "3.png").unlink()
    memory.sync()
    assert memory.restore(["hats/1.png"]) == ["hats/1.png"]
    report = memory.sync()
    assert report.quiet and len(memory) == 11  # and is not thrown away again
    assert memory.empty_trash() == 1
    assert (memory.trashed(), memory.restore()) == ([], [])
    with pytest.raises(Exception, match="There is no row 'x' in the trash"):
        memory.restore(["x"])


def test_a_row_that_comes_back_replaces_no_other(memory, shop, counting):
    """Two pictures that had one id, one after the other, and are both back under other names."""
    first, second = shop / "hats" / "1.png", shop / "hats" / "3.png"
    memory.add([Example("hat", first)])
    memory.sync(shop)
    first.rename(shop.parent / "first.png")
    memory.sync()
    memory.delete(["hats/3.png"])
    memory.add([Example("hat", second)])
    second.rename(shop.parent / "second.png")
    memory.sync()
    assert [b.row.id for b in memory.trashed()] == ["hat", "hat"]
    (shop.parent / "first.png").rename(shop / "x.png")
    (shop.parent / "second.png").rename(shop / "y.png")
    report = memory.sync()
    assert report.restored == ["hat"] and len(report.new) == 1
    assert len({memory.get("hat").path, shop / "x.png", shop / "y.png"}) == 2
    assert len(memory) == 12


def test_a_row_whose_id_was_taken_stays_in_the_bin(memory, shop, counting):
    memory.sync(shop)
    (shop / "hats" / "1.png").unlink()
    memory.sync()
    draw(77, "red").save(shop / "hats" / "1.png")
    assert memory.sync().new == ["hats/1.png"]
    assert memory.restore() == []
    assert len(memory.trashed()) == 1


def test_what_the_bin_has_of_another_encoder_is_computed_anew(memory, shop, counting):
    memory.sync(shop)
    memory.update("hats/1.png", texts=["my hat"])
    away = shop.parent / "away.png"
    (shop / "hats" / "1.png").rename(away)
    memory.sync()
    memory.reembed(ColourEncoder(turn=1), progress=False)
    assert memory.restore() == [], "its picture cannot be encoded, so it would not be found"
    away.rename(shop / "hats" / "1.png")
    assert memory.sync().restored == ["hats/1.png"]
    assert memory.get("hats/1.png").texts == ("my hat",)
    assert "hats/1.png" in vectors(memory)


def test_a_dry_run_changes_nothing(memory, shop, counting):
    memory.sync(shop)
    (shop / "hats" / "1.png").rename(shop / "hats" / "one.png")
    (shop / "hats" / "3.png").unlink()
    draw(99, "red").save(shop / "hats" / "99.png")
    draw(98, "red").save(shop / "hats" / "5.png")
    report = memory.sync(dry_run=True)
    assert report.renamed == [("hats/1.png", "hats/one.png")]
    assert (report.removed, report.new, report.changed) == (
        ["hats/3.png"],
        ["hats/99.png"],
        ["hats/5.png"],
    )
    assert len(memory.history()) == 1 and "hats/3.png" in memory and not memory.trashed()
    done = memory.sync()
    assert (done.renamed, done.removed, done.new, done.changed) == (
        report.renamed,
        report.removed,
        report.new,
        report.changed,
    )


def test_a_disk_that_is_away_empties_nothing(memory, shop, counting):
    memory.sync(shop)
    shop.rename(shop.with_name("elsewhere"))
    with pytest.raises(DataError, match="nothing was removed"):
        memory.sync()
    shop.mkdir()
    with pytest.raises(DataError, match="12 rows of .* are of pictures there"):
        memory.sync()
    assert len(memory) == 12
    assert len(memory.sync(remove_all=True).removed) == 12
    assert len(memory) == 0 and len(memory.trashed()) == 12


def test_patterns_are_kept(memory, shop, counting):
    (shop / ".ravlignore").write_text("drafts/\n")
    (shop / "drafts").mkdir()
    draw(50, "red").save(shop / "drafts" / "a.png")
    draw(51, "red").save(shop / "hats" / "b_tmp.png")
    assert len(memory.sync(shop, ignore=["*_tmp.png"]).new) == 12
    assert memory.sync().quiet
    (shop / "hats" / "1.png").rename(shop / "hats" / "1_tmp.png")
    assert memory.sync().removed == ["hats/1.png"]


def test_several_folders(memory, shop, tmp_path, counting):
    other = tmp_path / "museum"
    (other / "hats").mkdir(parents=True)
    draw(1, "yellow").save(other / "hats" / "1.png")
    memory.sync(shop)
    assert memory.sync(other).new == ["museum/hats/1.png"]
    (shop / "hats" / "1.png").rename(other / "moved.png")
    report = memory.sync()
    assert report.renamed == [("hats/1.png", "museum/moved.png")]
    assert report.unchanged == 12
    with pytest.raises(DataError, match="lie within each other"):
        memory.sync(shop / "hats")


def test_nothing_to_follow(memory, tmp_path, counting):
    with pytest.raises(DataError, match="follows no folder yet"):
        memory.sync()
    with pytest.raises(DataError, match="There is no folder"):
        memory.sync(tmp_path / "nowhere")


def test_broken_pictures_are_looked_at_each_time(memory, shop, counting):
    (shop / "hats" / "bad.png").write_bytes(b"no picture")
    assert len(memory.sync(shop).rejected) == 1
    again = memory.sync()
    assert (len(again.rejected), again.unchanged) == (1, 12)
    assert len(memory.quarantine()) == 1
    draw(60, "red").save(shop / "hats" / "bad.png")
    assert memory.sync().new == ["hats/bad.png"]
    assert memory.quarantine() == []


def test_rows_of_a_table_keep_their_ids(memory, shop, counting):
    path = shop / "hats" / "1.png"
    memory.add([Example("hat-1", path, ("from a table",), "cap")])
    report = memory.sync(shop)
    assert len(report.new) == 11 and "hats/1.png" not in memory
    draw(70, "red").save(path)
    assert memory.sync().changed == ["hat-1"]
    assert memory.get("hat-1").label == "cap"
    path.rename(shop / "hats" / "other.png")
    assert memory.sync().renamed == [("hat-1", "hat-1")]
    assert memory.get("hat-1").path == shop / "hats" / "other.png"


def test_deleted_rows_stay_deleted_until_their_file_changes(memory, shop, counting):
    memory.sync(shop)
    memory.delete(["hats/1.png"])
    assert memory.sync().quiet and len(memory) == 11
    draw(71, "red").save(shop / "hats" / "1.png")
    assert memory.sync().new == ["hats/1.png"]


def test_copied_pictures_need_no_file(memory, shop, counting):
    memory.index(shop, copy=True)
    (shop / "hats" / "1.png").unlink()
    report = memory.sync(shop)
    assert report.quiet and len(memory) == 12
