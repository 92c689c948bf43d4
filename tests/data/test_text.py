"""One form of a text, whatever wrote it: macOS writes another one than people type."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Literal

import pytest

from ravl.data import QA, Example
from ravl.data.text import nfc, spellings
from ravl.memory import Memory
from ravl.store.row import Row
from tests.data.reading import ids, pictures, read_good, write


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def test_forms() -> None:
    assert nfc(nfd("Grün")) == nfc("Grün") == "Grün"
    assert spellings("a") == ("a",)
    assert spellings(nfd("ü")) == (nfd("ü"), "ü")


def test_an_example_has_one_form() -> None:
    made = Example(
        nfd("ü"),
        texts=(nfd("ü"),),
        label=f" {nfd('ü')} ",
        tags=(nfd("ü"), " x "),
        qa=(QA(nfd("ü"), (nfd("ü"),)),),
        columns={nfd("ü"): nfd("ü"), "n": 1},
    )
    assert made == Example(
        "ü",
        texts=("ü",),
        label="ü",
        tags=("ü", "x"),
        qa=(QA("ü", ("ü",)),),
        columns={"ü": "ü", "n": 1},
    )


def test_a_folder_from_macos_with_a_table_as_people_type(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", f"{nfd('Grün')}/é.jpg", f"{nfd('Grün')}/2.jpg", "Rot/3.jpg")
    table = write(tmp_path / "t.csv", "image,label\nGrün/é.jpg,Grün\n")
    found = read_good(folder, captions=table)
    assert ids(found) == ["Grün/é.jpg", "Grün/2.jpg", "Rot/3.jpg"]
    assert [example.label for example in found] == ["Grün", "Grün", "Rot"]
    assert all(isinstance(e.picture, Path) and e.picture.is_file() for e in found)


def test_two_forms_in_one_table_are_one(tmp_path: Path) -> None:
    pictures(tmp_path, "ü.jpg")
    text = f"image,label,caption\nü.jpg,Grün,x\n{nfd('ü')}.jpg,{nfd('Grün')},y\n"
    (example,) = read_good(write(tmp_path / "t.csv", text))
    assert (example.id, example.label, example.texts) == ("ü.jpg", "Grün", ("x", "y"))


@pytest.fixture
def old(empty: Memory) -> Memory:
    """A memory in which an older version left a row in another form."""
    with empty.store.transaction():
        version = empty.store.history.begin("index")
        empty.store.rows.put(version, Row(0, nfd("ü"), label="y"))
    connection = empty.store.database.connection  # type: ignore[attr-defined]
    connection.execute("UPDATE rows SET label = ?, tags = ?", (nfd("Grün"), f'["{nfd("é")}"]'))
    return empty


def test_a_row_of_an_older_memory_keeps_its_id_and_is_found(old: Memory) -> None:
    assert old.get("ü").id == old.get(nfd("ü")).id == nfd("ü")
    assert "ü" in old
    old.add([Example("ü", columns={"n": 1})])
    (row,) = old.rows()
    assert (row.id, row.columns) == (nfd("ü"), {"n": 1})
    assert old.delete(["ü"]) == 1


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_filters_find_both_forms(old: Memory, form: Literal["NFC", "NFD"]) -> None:
    old.add([Example("new", texts=("x",), label="Grün", tags=("é",))])
    for where in (
        'label = "Grün"',
        'tags has "é"',
        'label contains "GRÜ"',
        'label in ("a", "Grün")',
    ):
        assert old.count(unicodedata.normalize(form, where)) == 2


def test_what_a_person_writes_has_one_form(memory: Memory) -> None:
    row = memory.update("red_000.png", label=f" {nfd('Grün')} ", columns={nfd("ö"): nfd("ä")})
    assert (row.label, row.columns["ö"]) == ("Grün", "ä")
    assert memory.count("`ö` = 'ä'") == 1
