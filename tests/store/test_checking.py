"""A memory that somebody else made: its tables are those of a memory, and nothing runs."""

from __future__ import annotations

import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from ravl.data import Example
from ravl.errors import MemoryFileError
from ravl.memory import Memory
from ravl.store.sqlite.checking import check_file
from tests.helpers import ColourEncoder, make_examples

TRICKS = {
    "trigger": "CREATE TRIGGER t AFTER INSERT ON rows BEGIN DELETE FROM rows; END",
    "view": "CREATE VIEW v AS SELECT load_extension('x')",
    "index": "CREATE INDEX i ON rows (abs(row))",
    "table": "CREATE TABLE more (a)",
    "virtual table": "CREATE VIRTUAL TABLE more USING fts5 (a)",
    "table of a space that is not there": "CREATE TABLE vectors_7 (key INTEGER PRIMARY KEY)",
    "generated column": "ALTER TABLE notes ADD COLUMN more TEXT AS (hex(value))",
    "column with a default": "ALTER TABLE notes ADD COLUMN more TEXT DEFAULT 'x'",
    "check": "ALTER TABLE notes ADD COLUMN more TEXT CHECK (length(more) > 1)",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "m.ravl"
    with Memory.create(file, ColourEncoder()) as memory:
        memory.add(make_examples(tmp_path / "pictures", 4))
    return file


@pytest.mark.parametrize("trick", TRICKS)
def test_a_schema_of_their_own(file: Path, trick: str) -> None:
    check_file(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(TRICKS[trick])
        connection.commit()
    with pytest.raises(MemoryFileError, match="is not one of a memory of this ravl"):
        check_file(file)


def test_a_table_is_missing(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE pictures")
    with pytest.raises(MemoryFileError, match="is not a ravl memory: it has no table 'pictures'"):
        check_file(file)


def test_whatever_ravl_makes_passes(file: Path, tmp_path: Path) -> None:
    with Memory.open(file, ColourEncoder()) as memory:
        memory.index(tmp_path / "pictures", progress=False)
        memory.sync(tmp_path / "pictures", progress=False)
        memory.delete(["red_000.png"])
        memory.reembed(ColourEncoder(turn=1), progress=False)  # which renames tables
        check_file(file)
        memory.reembed(ColourEncoder(mirror=True), progress=False)
        memory.add([Example("a", texts=("b",))])
        memory.compact()
        memory.store.copy_to(tmp_path / "copy.ravl")
    check_file(file)
    check_file(tmp_path / "copy.ravl")


def test_a_memory_of_an_older_ravl_passes(tmp_path: Path) -> None:
    with zipfile.ZipFile(Path(__file__).parents[1] / "formats" / "format1.zip") as archive:
        archive.extractall(tmp_path)
    for memory in tmp_path.rglob("*.ravl"):
        shutil.copy(memory, tmp_path / "old.ravl")
        check_file(tmp_path / "old.ravl")


def test_functions_of_a_schema_do_not_run(file: Path) -> None:
    """A view may call no function that ravl adds, even where nobody has checked the file."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE VIEW v AS SELECT writefile('x', 'y')")
        connection.commit()
    with Memory.open(file, ColourEncoder()) as memory:
        connection = memory.store.database.connection  # type: ignore[attr-defined]
        assert connection.execute("PRAGMA trusted_schema").fetchone() == (0,)
        assert memory.search("red", k=1, mode="keyword")
