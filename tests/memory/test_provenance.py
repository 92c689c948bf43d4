"""What a source says now is what the memory says; what a person said stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ravl.data import QA, Example
from ravl.memory import Memory
from ravl.memory.provenance import Claim, merged
from ravl.store.row import Row
from tests.helpers import draw

SAID = Example(
    "a",
    texts=("one", "two"),
    label="cat",
    tags=("x", "y"),
    qa=(QA("q?", ("1", "2")),),
    columns={"price": 3, "shop": "north"},
)
NOTHING = Example("a")


def pictures(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(number, "red").save(path)
    return folder


def read(memory: Memory, source: Path, **options: Any) -> tuple[int, int, int, int]:
    """Index it; how many rows were added, updated, unchanged, set aside."""
    report = memory.index(source, progress=False, **options)
    return report.added, report.updated, report.unchanged, report.rejected


def table(folder: Path, *lines: str, name: str = "t.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("\n".join((*lines, "")), "utf-8")
    return path


def row_of(example: Example, **changes: Any) -> Row:
    fields = {n: getattr(example, n) for n in ("texts", "label", "tags", "qa", "columns", "source")}
    return Row(1, "a", **{**fields, **changes})


def test_a_claim_comes_back_from_its_text() -> None:
    claim = Claim.of(SAID)
    assert Claim.from_json(claim.to_json()) == claim
    assert "one" not in claim.to_json()
    assert "north" not in claim.to_json()
    assert Claim.from_json(Claim.of(NOTHING).to_json()) == Claim() == Claim.of(NOTHING)


def test_the_first_time_what_is_said_replaces_and_the_rest_stays() -> None:
    old = row_of(SAID)
    assert merged(old, NOTHING) == old
    new = merged(old, Example("a", texts=("three",), label="dog", columns={"price": 4}))
    assert (new.texts, new.label, new.tags) == (("three",), "dog", ("x", "y"))
    assert new.columns == {"price": 4, "shop": "north"}
    assert merged(old, Example("a", label="dog"), label_stays=True).label == "cat"
    assert merged(None, Example("a", label="dog"), label_stays=True).label == "dog"


def test_what_a_source_takes_back_goes() -> None:
    assert merged(row_of(SAID), NOTHING, Claim.of(SAID)) == row_of(NOTHING)


def test_what_a_source_says_anew_comes() -> None:
    new = Example("a", texts=("two", "three"), label="dog", qa=(QA("q?", ("3",)),))
    assert merged(row_of(SAID), new, Claim.of(SAID)) == row_of(new)
    assert merged(row_of(NOTHING), SAID, Claim.of(NOTHING)) == row_of(SAID)


def test_a_source_that_says_the_same_changes_nothing() -> None:
    edited = Row(1, "a", texts=("mine",), label="dog", columns={"price": 5})
    assert merged(edited, SAID, Claim.of(SAID)) == edited
    assert merged(row_of(NOTHING), SAID, Claim.of(SAID)) == row_of(NOTHING)  # a person erased it


@pytest.mark.parametrize("now", [NOTHING, Example("a", label="lion", columns={"price": 9})])
def test_what_a_person_set_stays(now: Example) -> None:
    edited = row_of(SAID, label="dog", columns={"price": 5, "shop": "north", "own": True})
    row = merged(edited, now, Claim.of(SAID))
    assert row.label == "dog"
    assert row.columns == {"price": 5, "own": True}  # but the source took its shop back


def test_lists_lose_and_gain_what_the_source_says() -> None:
    edited = row_of(SAID, texts=("two", "mine", "one"), tags=("y", "z"))
    now = Example("a", texts=("two", "three"), tags=("x", "w"))
    row = merged(edited, now, Claim.of(SAID))
    assert row.texts == ("two", "mine", "three")
    assert row.tags == ("z", "w")  # a person took x out, the source y


def test_questions_that_somebody_answered_keep_the_answer() -> None:
    edited = row_of(SAID, qa=(QA("q?", ("mine",)), QA("own?", ("yes",))))
    now = Example("a", qa=(QA("q?", ("3",)), QA("r?", ("4",))))
    row = merged(edited, now, Claim.of(SAID))
    assert row.qa == (QA("q?", ("mine",)), QA("own?", ("yes",)), QA("r?", ("4",)))


def test_a_whole_number_is_the_same_in_both_forms() -> None:
    said = Example("a", columns={"price": 3.0})
    assert Claim.of(said) == Claim.of(Example("a", columns={"price": 3}))
    assert Claim.of(Example("a", columns={"n": True})) != Claim.of(Example("a", columns={"n": 1}))


def test_a_cell_that_is_cleared_clears_what_it_said(empty: Memory, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "a.png", "b.png")
    head = "image,label,caption,tags,price"
    source = table(folder, head, "a.png,cat,one,x;y,3", "b.png,dog,two,z,4")
    assert read(empty, source) == (2, 0, 0, 0)
    empty.update("b.png", label="wolf", tags=["z", "mine"], columns={"price": 5})
    table(folder, head, "a.png,,,,", "b.png,,,,")
    assert read(empty, source) == (0, 2, 0, 0)
    assert empty.get("a.png").to_json().keys() == {"id", "picture", "source"}
    row = empty.get("b.png")
    assert (row.label, row.texts, row.tags, row.columns) == ("wolf", (), ("mine",), {"price": 5})
    assert read(empty, source) == (0, 0, 2, 0)
    assert not list(empty.search("one", mode="keyword"))


def test_a_column_that_is_gone_takes_its_values_along(empty: Memory, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "a.png")
    source = table(folder, "image,label,price", "a.png,cat,3")
    read(empty, source)
    table(folder, "image,label", "a.png,cat")
    read(empty, source)
    assert empty.get("a.png").columns == {}


def test_an_edit_stays_while_the_source_says_the_same(empty: Memory, tmp_path: Path) -> None:
    source = table(pictures(tmp_path / "p", "a.png"), "image,label,caption", "a.png,cat,one")
    read(empty, source)
    empty.update("a.png", label="lion", texts=["mine"])
    assert read(empty, source) == (0, 0, 1, 0)
    assert (empty.get("a.png").label, empty.get("a.png").texts) == ("lion", ("mine",))
    version = empty.version
    empty.update("a.png", label="")
    assert read(empty, source) == (0, 0, 1, 0)
    assert empty.get("a.png").label is None
    assert empty.version == version + 1


def test_two_sources_of_one_row_stay_apart(empty: Memory, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "cat/a.png", "dog/b.png")
    prices = table(folder, "image,price,caption", "cat/a.png,3,one", name="prices.csv")
    read(empty, folder)
    read(empty, prices)
    assert read(empty, folder) == (0, 0, 2, 0)
    row = empty.get("cat/a.png")
    assert (row.label, row.texts, row.columns) == ("cat", ("one",), {"price": 3})
    table(folder, "image,price,caption", "cat/a.png,4,", name="prices.csv")
    read(empty, prices)
    row = empty.get("cat/a.png")
    assert (row.label, row.texts, row.columns) == ("cat", (), {"price": 4})


def test_a_folder_alone_takes_nothing_back_that_a_table_about_it_said(
    empty: Memory, tmp_path: Path
) -> None:
    folder = pictures(tmp_path / "p", "a.png")
    about = table(tmp_path, "image,label,caption", "a.png,cat,one")
    read(empty, folder, captions=about)
    assert read(empty, folder) == (0, 0, 1, 0)
    assert (empty.get("a.png").label, empty.get("a.png").texts) == ("cat", ("one",))
    table(tmp_path, "image,label,caption", "a.png,,two")
    read(empty, folder, captions=about)
    assert (empty.get("a.png").label, empty.get("a.png").texts) == (None, ("two",))


def test_a_text_beside_a_picture_that_is_gone(empty: Memory, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "a.png", "b.png")
    (folder / "a.txt").write_text("of another picture")
    empty.sync(folder)
    assert empty.get("a.png").texts == ("of another picture",)
    empty.update("a.png", texts=["of another picture", "mine"])
    (folder / "a.txt").unlink()
    assert empty.sync(folder).changed == ["a.png"]
    assert empty.get("a.png").texts == ("mine",)
    assert read(empty, folder) == (0, 0, 2, 0)  # the same source


def test_a_label_that_a_person_set_stays_in_a_sync(empty: Memory, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "cat/a.png", "dog/b.png")
    empty.sync(folder)
    empty.update("cat/a.png", label="lion")
    (folder / "cat/a.txt").write_text("one")
    empty.sync(folder)
    assert (empty.get("cat/a.png").label, empty.get("cat/a.png").texts) == ("lion", ("one",))


def test_a_memory_of_an_older_version_learns_what_its_sources_say(
    empty: Memory, tmp_path: Path
) -> None:
    source = table(pictures(tmp_path / "p", "a.png"), "image,label", "a.png,cat")
    read(empty, source)
    connection = empty.store.database.connection  # type: ignore[attr-defined]
    connection.execute("DROP TABLE claims")
    version = empty.version
    assert read(empty, source) == (0, 0, 1, 0)
    assert empty.version == version
    table(source.parent, "image,label", "a.png,")
    assert read(empty, source) == (0, 1, 0, 0)
    assert empty.get("a.png").label is None


def test_what_a_source_said_moves_with_its_folder(empty: Memory, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", *(f"{n}.png" for n in range(4)))
    (folder / "1.txt").write_text("one")
    empty.sync(folder)
    new = folder.rename(tmp_path / "q")
    (new / "1.txt").unlink()
    empty.sync(new)
    assert [row.texts for row in empty.rows()] == [()] * 4


def test_nothing_of_a_text_is_kept_when_its_row_goes(empty: Memory, tmp_path: Path) -> None:
    source = table(pictures(tmp_path / "p", "a.png"), "image,caption", "a.png,a secret")
    read(empty, source)
    number = empty.get("a.png").number
    assert empty.store.claims.sources([number]) == {number: {str(source)}}
    empty.delete(["a.png"])
    assert empty.store.claims.sources([number]) == {}


def test_two_tables_of_one_name_keep_their_rows(empty: Memory, tmp_path: Path) -> None:
    english = table(tmp_path / "en", '{"text": "one"}', '{"text": "two"}', name="notes.jsonl")
    german = table(tmp_path / "de", '{"text": "eins"}', name="notes.jsonl")
    assert read(empty, english) == (2, 0, 0, 0)
    assert read(empty, german) == (0, 0, 0, 1)
    (reason,) = empty.quarantine()
    assert f"already that of a row of {english}. Index this file with --prefix" in reason.reason
    assert read(empty, german, prefix="de/") == (1, 0, 0, 0)
    assert sorted(row.texts[0] for row in empty.rows()) == ["eins", "one", "two"]
    table(tmp_path / "en", '{"text": "three"}', '{"text": "two"}', name="notes.jsonl")
    assert read(empty, english) == (0, 1, 1, 0)


def test_a_table_that_was_moved_is_the_same_table(empty: Memory, tmp_path: Path) -> None:
    old = table(tmp_path / "old", '{"text": "one"}', name="notes.jsonl")
    read(empty, old)
    (tmp_path / "new").mkdir()
    assert read(empty, old.rename(tmp_path / "new/notes.jsonl")) == (0, 0, 1, 0)


def test_a_metadata_file_that_changes_and_goes(empty: Memory, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "a.png", "sub/b.png")
    empty.sync(folder, folder_labels=False)
    about = table(folder, "file_name,text", "a.png,one", "sub/b.png,two", name="metadata.csv")
    assert empty.sync().changed == ["a.png", "sub/b.png"]
    assert empty.sync().quiet
    table(folder, "file_name,text", "a.png,one", "sub/b.png,three", name="metadata.csv")
    assert empty.sync().changed == ["sub/b.png"]
    about.unlink()
    empty.sync()
    assert [row.texts for row in empty.rows()] == [(), ()]
    assert empty.sync().quiet


def test_a_report_counts_rows_that_keep_what_a_person_said(empty: Memory, tmp_path: Path) -> None:
    head = "id,caption,label,price"
    source = table(tmp_path / "t", head, "a,one,cat,0", "b,two,dog,4", "c,three,,5")
    assert empty.index(source, progress=False).kept == 0
    empty.update("a", columns={"price": 1})
    empty.update("b", label="wolf")
    empty.update("c", label="mine")  # the source says nothing of it
    assert empty.index(source, progress=False).kept == 2
    empty.update("c", texts=["another"])
    report = empty.index(source, progress=False)
    assert (report.kept, report.unchanged, report.to_json()["kept"]) == (3, 3, 3)
    source = table(tmp_path / "t", head, "a,one,cat,1", "b,two,wolf,4", "c,another,,5")
    assert empty.index(source, progress=False).kept == 0


def test_a_sync_counts_them_too(empty: Memory, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "cat/1.png", "dog/2.png")
    assert empty.sync(folder, progress=False, folder_labels=True).kept == 0
    empty.update(sorted(row.id for row in empty.rows())[0], label="wolf")
    for path in folder.rglob("*.png"):
        path.touch()
    assert empty.sync(progress=False).kept == 1
