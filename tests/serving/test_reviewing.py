"""Feedback becomes rows of the memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ravl.errors import DataError
from ravl.memory import Memory
from ravl.serving.reviewing import disputed, from_table, open_entries, remember
from ravl.store.sqlite.feedback import Entry, FeedbackStore
from tests.helpers import ColourEncoder, draw
from tests.serving.helpers import png


@pytest.fixture
def store(tmp_path: Path) -> Any:
    made = FeedbackStore(tmp_path / "m.ravl.feedback")
    yield made
    made.close()


def said(task: str, answer: Any, right: Any = None, **more: Any) -> Entry:
    verdict: Any = "accepted" if right is None else "corrected"
    return Entry(
        who=more.pop("who", "ann"),
        task=task,
        run="",
        answer=answer,
        verdict=verdict,
        correction=right,
        **more,
    )


def test_a_correction_of_an_upload_becomes_a_row(memory: Memory, store: FeedbackStore):
    entry = store.add(said("classify", "hat", "shirt"), png("red"))
    row = remember(memory, store, entry)
    assert (row.label, row.path, len(memory)) == ("shirt", None, 17)
    assert memory.search(image=png("red"), k=1)[0].id == row.id
    assert store.get(entry.number).state == "used"
    again = store.add(said("caption", "a shirt"), png("red"))  # about the same picture
    assert remember(memory, store, again).texts == ("a shirt",)
    assert (len(memory), memory.get(row.id).label) == (17, "shirt")


def test_what_is_said_about_a_row_comes_to_it(memory: Memory, store: FeedbackStore):
    id = "red_000.png"
    for entry in (
        said("classify", "hat", "shirt", row=id),
        said("tag", ["a"], ["b", "c"], row=id),
        said("caption", "a red thing", "a crimson thing", row=id),
        said("ask", "blue", "red", row=id, asked="what colour is it?"),
        said("ask", "3", "2", row=id, asked="how many?"),
        said("match", True, row=id, asked="it is red"),
    ):
        remember(memory, store, store.add(entry))
    row = memory.get(id)
    assert (row.label, row.tags) == ("shirt", ("b", "c"))
    assert row.texts[-2:] == ("a crimson thing", "it is red")
    assert [(q.question, q.answers) for q in row.qa][-2:] == [
        ("what colour is it?", ("red",)),
        ("how many?", ("2",)),
    ]


@pytest.mark.parametrize(
    "entry",
    [
        said("match", True, False, row="red_000.png", asked="it is blue"),
        said("search", ["a"], row="red_000.png"),
        Entry(
            who="ann", task="classify", run="", answer="hat", verdict="rejected", row="red_000.png"
        ),
    ],
)
def test_what_no_row_could_hold_stays_open(memory: Memory, store: FeedbackStore, entry: Entry):
    kept = store.add(entry)
    with pytest.raises(DataError, match="says nothing that a row could hold"):
        remember(memory, store, kept)
    assert store.get(kept.number).state == "open"


def test_people_who_disagree(store: FeedbackStore):
    one = store.add(said("classify", "hat", "shirt", row="a"))
    other = store.add(said("classify", "hat", who="bob", row="a"))
    store.add(said("classify", "hat", "shirt", row="b"))
    store.add(said("classify", "hat", "shirt", row="b", who="bob"))
    assert disputed(open_entries(store)) == {one.number, other.number}
    store.settle(other.number, "dismissed")
    assert disputed(open_entries(store)) == set()


def test_more_than_a_page(store: FeedbackStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ravl.serving.reviewing.PAGE", 3)
    for i in range(7):
        store.add(said("classify", "hat", "shirt", row=str(i)))
    assert len(open_entries(store)) == 7


def test_what_a_table_says(memory: Memory, store: FeedbackStore, tmp_path: Path):
    (tmp_path / "new.png").write_bytes(png("red"))
    known = memory.get("red_000.png").path
    (tmp_path / "right.csv").write_text(
        "image,label,tags,question,answer\n"
        f"{known},crimson,new; red,what colour is it?,red\nnew.png,scarlet,,,\ngone.png,x,,,\n"
    )
    count, rejected = from_table(memory, store, tmp_path / "right.csv", "ann")
    assert (count, len(rejected)) == (4, 1)
    entries = open_entries(store)
    assert [(e.task, e.answer, e.row) for e in entries] == [
        ("classify", "crimson", "red_000.png"),
        ("tag", ["new", "red"], "red_000.png"),
        ("ask", "red", "red_000.png"),
        ("classify", "scarlet", None),
    ]
    for entry in entries:
        remember(memory, store, entry)
    assert memory.get("red_000.png").label == "crimson"
    assert {row.label for row in memory} >= {"crimson", "scarlet"}


def test_from_the_shell(tmp_path: Path, by_name: None, capsys: pytest.CaptureFixture[str]):
    from ravl.cli import main

    def run(*words: object) -> tuple[str, str]:
        with pytest.raises(SystemExit):
            main(["inbox", *map(str, words)])
        out, err = capsys.readouterr()
        return out, err

    file = tmp_path / "m.ravl"
    with Memory.create(file, ColourEncoder()):
        pass
    assert "There is no feedback in" in run(file)[1]
    store = FeedbackStore(tmp_path / "m.ravl.feedback")
    draw(1, "red")
    store.add(said("classify", "hat", "shirt"), png("red"))
    store.add(said("classify", "hat", who="bob"), png("red"))
    store.add(said("caption", "a blue thing"), png("blue"))
    store.close()
    assert run(file)[0].count("disputed") == 2
    assert run(file, "--use-all")[0].endswith("a blue thing\n2 open.\n")
    assert "0 open" in run(file, "--use", 1, "--dismiss", 2)[0]
    (tmp_path / "p.png").write_bytes(png("green"))
    (tmp_path / "t.csv").write_text("image,label\np.png,grass\nq.png,x\n")
    out, err = run(file, "--add", tmp_path / "t.csv", "--use-all")
    assert "1 were read from" in out and "q.png" in err
    with Memory.open(file, ColourEncoder()) as memory:
        assert sorted(row.label or row.caption for row in memory) == [
            "a blue thing",
            "grass",
            "shirt",
        ]
