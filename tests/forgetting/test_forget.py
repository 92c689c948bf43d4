"""What was forgotten is in no byte of any file, or the answer names the file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ravl.cache import cache_dir
from ravl.checking.check import check
from ravl.data import Example
from ravl.data.pictures import content_hash
from ravl.errors import DataError, MemoryLockedError, RowNotFoundError
from ravl.files.lock import LOCK, locked
from ravl.files.scratch import PREFIX
from ravl.forgetting import audit, forget
from ravl.forgetting.marks import Mark
from ravl.forgetting.scan import elsewhere, scan
from ravl.memory import Memory
from ravl.memory.compacting import is_cut_off
from ravl.pages.check_page import check_page
from ravl.refitting import refit
from ravl.store.sqlite.feedback import Entry, FeedbackStore, beside
from ravl.store.sqlite.sound import STORED
from tests.helpers import ColourEncoder, draw
from tests.labelled import shades
from tests.refitting.shop import fitted, grow

SECRET = "Zanzibarquixotic"
ID = f"{SECRET}.png"


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    """A memory with one row that says what nobody else says; its picture is copied in."""
    monkeypatch.setenv("RAVL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "shop").mkdir()
    draw(500, "red").save(tmp_path / "secret.png")
    path = tmp_path / "shop" / "shop.ravl"
    wait = 0.2  # any speed: a reader that stands in the way does so for the whole of a test
    with Memory.create(path, ColourEncoder(), timeout=wait) as memory:
        memory.add(shades(tmp_path / "shop" / "pictures"))
        memory.add([example(tmp_path / "secret.png")], copy=True)
        (tmp_path / "secret.png").unlink()
        yield memory


def example(picture: Path) -> Example:
    return Example(
        ID,
        picture,
        (f"{SECRET} told me & others",),
        "red",
        (f"{SECRET}tag",),
        columns={f"{SECRET}column": f"{SECRET}note"},
    )


def traces(memory: Memory, id: str) -> list[bytes]:
    """What the tests look for: made here, not by the code that is tested."""
    row = memory.get(id)
    vectors = memory.vectors()
    vector = vectors.matrix[np.searchsorted(vectors.keys, row.number)].astype(STORED)
    assert row.hash is not None
    return [
        SECRET.encode(),
        SECRET.lower().encode(),
        row.hash.encode(),
        memory.picture_bytes(id)[200:260],
        vector.tobytes(),
        vector.astype("<f4").tobytes(),
    ]


def with_traces(folder: Path, marks: list[bytes]) -> dict[Path, bytes]:
    """All files below a folder that hold one of the marks, and which."""
    found = {}
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        data = file.read_bytes()
        for mark in marks:
            if mark in data:
                found[file] = mark
    return found


def test_every_file_that_is_left_is_named(memory: Memory, tmp_path: Path) -> None:
    run = fitted(memory, memory.folder / "kinds")
    grow(memory, ("red", "purple"), 16, 300)
    refit(run, memory, promote="always")
    memory.export(memory.folder / "rows")
    memory.export(tmp_path / "elsewhere", "parquet")
    (memory.folder / "check.html").write_text(check_page(memory, check(memory), "shop"), "utf-8")
    marks = traces(memory, ID)
    before = with_traces(memory.folder, marks)
    assert {file.name for file in before} >= {"split.json", "shop.ravl-wal", "rows.jsonl"}

    report = forget(memory, [ID], [tmp_path / "elsewhere"])
    assert report.deleted == 1
    left = with_traces(memory.folder, marks)
    assert not [file for file in left if file.name.startswith("shop.ravl")]
    named = {Path(each.file) for each in report.files}
    assert left.keys() <= named, "a copy that nobody counted"
    assert run / "history" / "1" / "split.json" in named
    assert tmp_path / "elsewhere" / "rows.parquet" in named, "Parquet is compressed"
    assert all(each.remedy for each in report.files)
    assert {each.folder for each in report.runs} >= {str(run), str(run / "history" / "1")}

    for each in report.files:  # the user does as is said
        if str(run) not in each.file:
            Path(each.file).unlink()
    refit(run, memory, promote="always")
    for old in ("1", "2"):
        shutil.rmtree(run / "history" / old)
    for page in (run / "refits").iterdir():
        page.unlink()
    assert not with_traces(memory.folder, marks)
    assert audit(memory, [ID], [tmp_path / "elsewhere"]).is_clean


@pytest.mark.parametrize("how", ["id", "hash", "file"])
def test_it_can_be_asked_afterwards(memory: Memory, tmp_path: Path, how: str) -> None:
    run = fitted(memory, memory.folder / "kinds")
    memory.export(tmp_path / "elsewhere")
    data = memory.picture_bytes(ID)
    (tmp_path / "again.png").write_bytes(data)
    name = {"id": ID, "hash": content_hash(data), "file": str(tmp_path / "again.png")}[how]
    places = [tmp_path / "elsewhere"]
    while_there = audit(memory, [name], places)
    assert while_there.deleted == 0 and ID in memory
    assert while_there.rows == ([ID] if how != "id" or while_there.rows else [])
    forget(memory, [ID], places)
    found = audit(memory, [name], places)
    files = {Path(each.file): each.holds for each in found.files}
    assert "id" in files[run / "split.json"] and "hash" in files[run / "split.json"]
    assert "id" in files[tmp_path / "elsewhere" / "rows.jsonl"]
    assert found.rows == []
    assert not any(file.name.startswith("shop.ravl") for file in files)
    copies = [file for file in files if file.parent.name == "pictures"]
    assert bool(copies) is (how == "file"), "its bytes are known if the file is given"
    assert found.runs and all(each.learned or each.judged for each in found.runs)
    shutil.rmtree(run)
    shutil.rmtree(tmp_path / "elsewhere")
    left = audit(memory, [name])
    assert [each.file for each in left.files] == ([name] if how == "file" else [])


def test_a_page_is_found_by_the_pictures_on_it(memory: Memory) -> None:
    memory.update(ID, texts=[], tags=[], columns={f"{SECRET}column": None})
    page = check_page(memory, check(memory), "shop")
    hash = memory.get(ID).hash
    assert hash is not None
    from ravl.pages.render import row_uri

    uri = row_uri(memory, memory.get(ID), 80)
    assert uri is not None and uri.startswith(f"data:image/jpeg;hash={hash};base64,")
    (memory.folder / "page.html").write_text(f'<img src="{uri}">{page[:100]}', "utf-8")
    (trace,) = forget(memory, [ID]).files
    assert (Path(trace.file).name, trace.holds) == ("page.html", ["hash"])


def test_feedback_is_forgotten(memory: Memory) -> None:
    store, picture = FeedbackStore(beside(memory.path)), memory.picture_bytes(ID)
    base = Entry(who="ann", task="classify", run="kinds", answer="red", verdict="accepted")
    store.add(replace(base, row=ID, note=f"{SECRET} in the note"))
    store.add(replace(base, asked=f"is it {SECRET}?"), picture)
    other = store.add(base, b"another picture")
    marks = traces(memory, ID)
    assert forget(memory, [ID]).feedback == 2
    assert [entry.number for entry in store.entries()] == [other.number]
    assert store.picture(other.number) == b"another picture"
    store.add(replace(base, note="a server that has it open goes on"))
    store.close()
    assert not with_traces(memory.folder, marks)


def test_a_reader_keeps_the_bytes_and_the_answer_says_so(memory: Memory) -> None:
    marks = traces(memory, ID)
    with Memory.open(memory.path, ColourEncoder()) as reader, reader.snapshot():
        assert ID in reader
        with pytest.raises(MemoryLockedError, match=r"still in the bytes.*Repeat the command"):
            forget(memory, [ID])
        assert ID not in memory and is_cut_off(memory)
        assert with_traces(memory.folder, marks), "this is why it must say so"
    assert forget(memory, [ID]).deleted == 0
    assert not with_traces(memory.folder, marks)
    assert not is_cut_off(memory)


def test_the_trash_and_the_quarantine_are_reached(memory: Memory, tmp_path: Path) -> None:
    folder = memory.folder / "more"
    folder.mkdir()
    draw(7, "blue").save(folder / f"{SECRET}2.png")
    draw(8, "blue").save(folder / "other.png")
    memory.sync(folder)
    (folder / f"{SECRET}2.png").write_bytes(b"broken")
    memory.sync()
    assert any(SECRET in each.place for each in memory.quarantine())
    (folder / f"{SECRET}2.png").unlink()
    memory.sync()
    (gone,) = [entry.row.id for entry in memory.trashed()]
    marks = traces(memory, ID)
    assert forget(memory, [ID, gone]).deleted == 2
    assert memory.trashed() == []
    assert not with_traces(memory.folder, marks)


def test_a_picture_file_of_its_own_is_named_and_not_found_again(memory: Memory) -> None:
    folder = memory.folder / "followed"
    folder.mkdir()
    for name, seed in ((f"{SECRET}3.png", 11), ("other.png", 12)):
        draw(seed, "green").save(folder / name)
    memory.sync(folder)
    (id,) = [row.id for row in memory if f"{SECRET}3" in row.id]
    trace = forget(memory, [id]).files[0]
    assert trace.file == str(folder / f"{SECRET}3.png") and "Delete the file" in trace.remedy
    memory.sync()
    assert id not in memory, "a sync does not bring back what was forgotten"
    (folder / f"{SECRET}3.png").unlink()
    memory.sync()
    memory.compact()
    assert f"{SECRET}3".encode() not in memory.path.read_bytes()


def test_the_same_picture_in_another_row_is_named(memory: Memory, tmp_path: Path) -> None:
    draw(500, "red").save(tmp_path / "secret.png")
    memory.add([Example("twin", tmp_path / "secret.png", label="red")], copy=True)
    assert forget(memory, [ID]).rows == ["twin"]


def test_questions_in_the_cache_are_forgotten(memory: Memory) -> None:
    file = cache_dir("questions") / "0123.npz"
    file.write_bytes(b"vectors of texts")
    forget(memory, [ID])
    assert not file.exists()


def test_what_was_fitted_to_a_memory_is_forgotten(memory: Memory) -> None:
    file = cache_dir("fitted") / "0123.npz"
    file.write_bytes(b"class means")
    assert str(file) in [str(place) for place, _ in elsewhere(memory.folder)]
    forget(memory, [ID])
    assert not file.exists()


def test_what_killed_processes_have_left_is_named(memory: Memory, tmp_path: Path) -> None:
    copy = memory.folder / f".{memory.path.name}.at-3-0a1b2c3d"
    memory.store.copy_to(copy)
    scratch = tmp_path / "temporary" / "ravl-x1"
    scratch.mkdir()
    (scratch / "data.ravl").write_text(f"{ID} is here", "utf-8")
    found = {each.file: each.remedy for each in forget(memory, [ID]).files}
    assert "--at" in found[str(copy)]
    assert str(scratch) in found[str(scratch / "data.ravl")]


def test_the_copies_of_killed_processes_are_erased(memory: Memory, tmp_path: Path) -> None:
    killed, living = (tmp_path / "temporary" / f"{PREFIX}{name}" for name in "ab")
    for folder in (killed, living):
        folder.mkdir()
        (folder / "copy.ravl").write_text(f"{ID} is here", "utf-8")
        (folder / LOCK).touch()
    with locked(living):
        assert {each.file for each in audit(memory, [ID]).files} >= {str(killed / "copy.ravl")}
        found = [each.file for each in forget(memory, [ID]).files]
    assert not killed.exists()
    assert str(living / "copy.ravl") in found


def test_what_others_say_too_gives_nothing_away(memory: Memory) -> None:
    (memory.folder / "notes.txt").write_text("red is a colour of Zanzibar", "utf-8")
    assert forget(memory, [ID]).files == []


def test_wrong_names(memory: Memory, tmp_path: Path) -> None:
    with pytest.raises(RowNotFoundError, match="--dry-run"):
        forget(memory, ["nobody", ID])
    with pytest.raises(DataError, match="There is nothing at"):
        forget(memory, [ID], [tmp_path / "nowhere"])
    (memory.folder / "bad").mkdir()
    (memory.folder / "bad" / "run.json").write_text("{", "utf-8")
    with pytest.raises(DataError, match="is damaged"):
        forget(memory, [ID], [memory.folder / "bad"])
    assert ID in memory, "nothing was erased"
    assert any("was not asked" in note for note in forget(memory, [ID]).notes)
    assert json.dumps(audit(memory, ["nobody"]).to_json())


def test_what_vanishes_during_the_search_is_no_trace(tmp_path, monkeypatch):
    """Another command ends, and removes its temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("RAVL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "temporary" / "ravl-push-1"
    folder.mkdir(parents=True)
    (folder / "file").write_text(SECRET)
    (listed,) = elsewhere(tmp_path)
    assert [each.holds for each in scan([listed], [Mark("id", SECRET.encode())])] == [["id"]]
    shutil.rmtree(folder)
    assert scan([listed], [Mark("id", SECRET.encode())]) == []
    folder.symlink_to(tmp_path / "gone")  # is listed, and is not there
    assert [*elsewhere(tmp_path)] == []
