"""Rows are joined by id on disk, in order of first appearance."""

import os
import sqlite3
import tracemalloc

import pytest

from ravl.data import QA, Rejected, staging
from ravl.data.readers.disk_map import DiskMap
from ravl.data.staging import Row, Staging
from ravl.errors import DataError


def join(*rows):
    with Staging("t.csv") as stage:
        refused = list(stage.fill(rows))
        return refused, list(stage)


def test_everything_of_a_row_comes_back():
    row = Row(
        "ä",
        "p.jpg",
        "p.jpg",
        ("t",),
        "l",
        ("g",),
        (QA("q", ("a", "b")),),
        {"n": 1, "x": 1.5, "b": True, "s": "007"},
        "line 2",
    )
    assert join(row) == ([], [row])


def test_bytes_come_back():
    assert join(Row("a", b"\x00\xff", "hash"))[1] == [Row("a", b"\x00\xff", "hash")]


def test_order_of_first_appearance():
    _, found = join(*[Row(id, texts=(str(n),)) for n, id in enumerate("cabacb")])
    assert [(row.id, row.texts) for row in found] == [
        ("c", ("0", "4")),
        ("a", ("1", "3")),
        ("b", ("2", "5")),
    ]


def test_joined_without_doubles():
    first = Row("a", texts=("x", "x"), tags=("r",), qa=(QA("q", ("1",)),), columns={"m": 1})
    later = Row(
        "a",
        texts=("x", "y"),
        tags=("s", "r"),
        qa=(QA("q", ("2", "1")), QA("p", ())),
        label="l",
        columns={"n": 2},
    )
    _, (found,) = join(first, later)
    assert found.texts == ("x", "x", "y")  # what one row says twice is its own affair
    assert found.tags == ("r", "s")
    assert found.qa == (QA("q", ("1", "2")), QA("p", ()))
    assert (found.label, found.columns) == ("l", {"m": 1, "n": 2})


def test_contradictions_are_told_once_a_field():
    rows = [
        Row("a", label="x", columns={"n": 1}, place="line 3"),
        Row("a", columns={"n": 2, "m": 5}, place="line 4"),
        Row("a", label="y", columns={"n": 3, "m": 6}, place="line 9"),
    ]
    _, (*told, found) = join(*rows)
    assert (found.label, found.columns) == ("x", {"n": 1, "m": 5})
    assert told == [
        Rejected(
            "t.csv, line 4", "the id 'a' has n 1 in line 3 and 2 in line 4; the first is kept"
        ),
        Rejected(
            "t.csv, line 9",
            "the id 'a' has label 'x' in line 3 and 'y' in line 9; the first is kept",
        ),
        Rejected(
            "t.csv, line 9", "the id 'a' has m 5 in line 4 and 6 in line 9; the first is kept"
        ),
    ]


def test_another_picture_under_the_same_id():
    rows = [
        Row("a", texts=("t",), place="line 2"),
        Row("a", "p.jpg", "p.jpg", place="line 3"),
        Row("a", "q.jpg", "q.jpg", texts=("not joined",), place="line 4"),
        Row("a", "./p.jpg", "p.jpg", texts=("u",), place="line 5"),
    ]
    _, (told, found) = join(*rows)
    assert (found.picture, found.texts) == ("p.jpg", ("t", "u"))
    assert told.place == "t.csv, line 4"
    assert "'p.jpg' in line 3 and 'q.jpg' in line 4" in told.reason


def test_what_was_set_aside_passes_through():
    rejected = Rejected("t.csv, line 1", "broken")
    assert join(rejected, Row("a")) == ([rejected], [Row("a")])


@pytest.mark.parametrize(
    "row", [Row("\ud800"), Row("a", texts=("\udfff",)), Row("a", "\ud800.jpg", "\ud800.jpg")]
)
def test_half_a_character_costs_its_row_only(row):
    row.place = "line 7"
    (rejected,), found = join(Row("b"), row, Row("c"))
    assert rejected.place == "t.csv, line 7"
    assert "lone surrogate" in rejected.reason
    assert [row.id for row in found] == ["b", "c"]


def test_length_is_the_number_of_ids():
    with Staging("t.csv") as stage:
        list(stage.fill([Row("a"), Row("b"), Row("a")]))
        assert len(stage) == 2


def test_many_rows_stay_on_disk():
    count = staging.BATCH * 15
    text = "long text " * 100
    tracemalloc.start()
    with Staging("t.csv") as stage:
        list(stage.fill(Row(f"id {n % (count - 1)}", texts=(text,)) for n in range(count)))
        total = sum(len(row.texts) for row in stage if isinstance(row, Row))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == count - 1  # the last row says the same as the first
    assert peak < 8 * 2**20 < count * len(text)


def open_files():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files as Linux does")
def test_nothing_is_left_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    before = open_files()
    with pytest.raises(KeyboardInterrupt), Staging("t.csv") as stage:
        list(stage.fill(Row(str(n), texts=("x" * 10_000,)) for n in range(6_000)))
        assert open_files() > before  # it has grown out of memory
        assert list(tmp_path.iterdir()) == []  # and is gone even if the process is killed
        raise KeyboardInterrupt
    assert open_files() == before


def test_full_disk_is_explained(monkeypatch):
    def small():
        database = sqlite3.connect("", isolation_level=None)
        database.execute("PRAGMA max_page_count = 10")
        return database

    monkeypatch.setattr(staging, "temporary_database", small)
    with pytest.raises(DataError, match=r"disk is full.*TMPDIR"):
        join(Row("a", b"x" * 100_000))


def test_disk_map():
    with DiskMap() as numbers:
        numbers["one"] = "1"
        numbers["one"] = "eins"
        numbers["caf\udce9"] = "2"
        assert "one" in numbers
        assert "two" not in numbers
        assert list(numbers) == ["caf\udce9", "one"]
        assert numbers.pop("one") == "eins"
        assert numbers.pop("one") is None
        assert "one" not in numbers
