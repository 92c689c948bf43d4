"""Which row belongs to which file."""

from __future__ import annotations

from pathlib import Path

from ravl.memory.moves import Arrival, find_moves, settle_ids
from ravl.store.row import Row


def row(number: int, id: str, hash: str, path: str = "") -> Row:
    return Row(number, id, path=Path("/p") / (path or id), hash=hash)


def arrival(name: str, hash: str) -> Arrival:
    return Arrival(Path("/p") / name, hash, name)


def test_a_file_takes_the_row_of_its_name_first() -> None:
    lost = [row(1, "a/x.png", "H"), row(2, "b/y.png", "H")]
    moves = find_moves([arrival("c/y.png", "H"), arrival("c/x.png", "H")], lost)
    assert {m.row.number: m.id for m in moves} == {1: "c/x.png", 2: "c/y.png"}


def test_a_lost_row_goes_before_one_of_the_trash() -> None:
    moves = find_moves([arrival("z.png", "H")], [row(1, "a.png", "H")], [row(2, "z.png", "H")])
    assert [(m.row.number, m.trashed) for m in moves] == [(1, False)]


def test_of_rows_with_one_id_in_the_trash_the_newest_comes_back() -> None:
    trashed = [row(9, "a.png", "H"), row(3, "a.png", "H")]
    assert [m.row.number for m in find_moves([arrival("a.png", "H")], [], trashed)] == [9]


def test_ids_that_were_not_made_from_names_stay() -> None:
    moves = find_moves([arrival("b.png", "H")], [row(1, "hat-1", "H", "a.png")])
    assert [(m.id, m.path) for m in moves] == [("hat-1", Path("/p/b.png"))]


def test_an_id_that_is_taken_leaves_the_row_its_own() -> None:
    """And whoever wanted that one keeps its own, too."""
    lost = [row(1, "1.png", "A"), row(2, "2.png", "B"), row(3, "3.png", "C")]
    found = find_moves([arrival("2.png", "A"), arrival("3.png", "B"), arrival("4.png", "C")], lost)
    settled = settle_ids(found, taken={"4.png"})
    assert {m.row.number: m.id for m in settled} == {1: "1.png", 2: "2.png", 3: "3.png"}
    assert {m.row.number: str(m.path) for m in settled} == {
        1: "/p/2.png",
        2: "/p/3.png",
        3: "/p/4.png",
    }


def test_a_row_of_the_trash_replaces_no_other() -> None:
    found = find_moves([arrival("a.png", "H")], [], [row(1, "a.png", "H")])
    assert settle_ids(found, taken={"a.png"}) == []
