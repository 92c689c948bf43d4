"""Renamed files while a folder is indexed again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ravl.data import Example
from ravl.memory import Memory
from tests.helpers import ColourEncoder, draw

COLOURS = ("red", "green", "blue", "yellow")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, 1.png to 3.png."""
    made = tmp_path / "p"
    made.mkdir()
    for i in (1, 2, 3):
        draw(i, COLOURS[i]).save(made / f"{i}.png")
    return made


@pytest.fixture
def memory(tmp_path: Path, folder: Path):
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as made:
        made.index(folder, progress=False)
        for i in (1, 2, 3):
            made.update(f"{i}.png", label=f"kind {i}", texts=[f"words about {i}"])
        yield made


def said(memory: Memory) -> dict[str | None, object]:
    return {row.hash: (row.number, row.label, row.texts) for row in memory}


def test_rows_follow_renumbered_pictures(memory: Memory, folder: Path) -> None:
    before = said(memory)
    for i in (3, 2, 1):
        (folder / f"{i}.png").rename(folder / f"{i + 1}.png")
    dry = memory.index(folder, progress=False, dry_run=True)
    report = memory.index(folder, progress=False)
    assert sorted(dry.renamed) == sorted(report.renamed)
    assert sorted(report.renamed) == [("1.png", "2.png"), ("2.png", "3.png"), ("3.png", "4.png")]
    assert (report.added, report.encoded, report.trashed) == (0, 0, [])
    assert said(memory) == before
    assert all(memory.picture(row) for row in memory)
    assert memory.index(folder, progress=False).unchanged == 3


def test_a_new_picture_under_an_old_name_is_a_new_row(memory: Memory, folder: Path) -> None:
    before = said(memory)
    (folder / "1.png").rename(folder / "first.png")
    draw(9, "yellow").save(folder / "1.png")
    report = memory.index(folder, progress=False)
    assert (report.renamed, report.added) == ([("1.png", "first.png")], 1)
    assert memory.get("1.png").texts == () and memory.get("1.png").label is None
    assert said(memory).items() >= before.items()


def test_a_row_whose_name_another_picture_took_goes_to_the_trash(
    memory: Memory, folder: Path
) -> None:
    (folder / "1.png").unlink()
    (folder / "2.png").rename(folder / "1.png")
    report = memory.index(folder, progress=False)
    assert (report.renamed, report.trashed) == ([("2.png", "1.png")], ["1.png"])
    assert memory.get("1.png").texts == ("words about 2",)
    assert [entry.row.texts for entry in memory.trashed()] == [("words about 1",)]


def test_an_edited_picture_keeps_its_row_and_a_copy_is_another(
    memory: Memory, folder: Path
) -> None:
    number = memory.get("1.png").number
    draw(8, "yellow").save(folder / "1.png")
    shutil.copy(folder / "2.png", folder / "copy.png")
    report = memory.index(folder, progress=False)
    assert (report.updated, report.added, report.renamed) == (1, 1, [])
    row = memory.get("1.png")
    assert (row.number, row.texts) == (number, ("words about 1",))
    assert memory.get("copy.png").texts == ()


def test_another_card_with_the_same_names_takes_no_row(
    memory: Memory, folder: Path, tmp_path: Path
) -> None:
    before = said(memory)
    shutil.move(folder, tmp_path / "in the drawer")
    other = tmp_path / "card 2"
    other.mkdir()
    draw(7, "yellow").save(other / "1.png")
    report = memory.index(other, progress=False)
    assert (report.added, report.updated, report.rejected) == (0, 0, 1)
    assert "--prefix" in report.reasons[0].reason
    assert said(memory) == before
    assert memory.index(other, prefix="card 2/", progress=False).added == 1
    # The first card, in its new place, is known.
    memory.index(tmp_path / "in the drawer", progress=False)
    assert memory.get("1.png").path == tmp_path / "in the drawer" / "1.png"


def test_ids_of_a_table_stay_with_its_words(memory: Memory, folder: Path) -> None:
    path = folder / "1.png"
    memory.add([Example("hat", path, ("a hat",))])
    (folder / "2.png").rename(path)
    memory.add([Example("hat", path, ("a hat",))])
    assert memory.get("hat").hash == memory.get("2.png").hash
    assert "2.png" in memory


def test_a_path_that_holds_another_picture_now_is_given_up(
    memory: Memory, folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    draw(6, "yellow").save(folder / "1.png")
    memory.index(copy, progress=False)
    assert memory.get("1.png").path == copy / "1.png"
    assert memory.get("2.png").path == folder / "2.png"


def test_a_disk_that_is_away_keeps_its_rows(memory: Memory, folder: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    shutil.copy(folder / "1.png", backup / "one.png")
    folder.rename(tmp_path / "away")
    report = memory.index(backup, progress=False)
    assert (report.added, report.renamed) == (1, [])
    (tmp_path / "away").rename(folder)
    assert memory.index(folder, progress=False).unchanged == 3
