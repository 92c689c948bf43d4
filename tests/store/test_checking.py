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


@pytest.mark.parametrize(
    "trick",
    [
        "DROP INDEX rows_by_label",
        "CREATE TRIGGER t AFTER INSERT ON rows BEGIN DELETE FROM rows; END",
        "DROP TABLE notes; CREATE VIEW notes AS SELECT 'a' AS key, 'b' AS value",
        "ALTER TABLE notes ADD COLUMN more TEXT AS (hex(value))",
    ],
)
def test_a_file_that_nobody_has_checked_is_compared_when_it_is_opened(
    file: Path, trick: str
) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(trick)
    with pytest.raises(MemoryFileError, match=r"is not a ravl memory|is not one of a memory"):
        Memory.open(file)


def test_what_a_newer_ravl_may_add_is_no_obstacle(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript("CREATE TABLE more (a); CREATE INDEX i ON rows (source)")
    with Memory.open(file, ColourEncoder()) as memory:
        assert len(memory) == 4


def test_every_error_of_sqlite_is_a_sentence(file: Path) -> None:
    with Memory.open(file, ColourEncoder()) as memory:
        connection = memory.store.database.connection  # type: ignore[attr-defined]
        for sql in ("SELECT nothing FROM rows", "INSERT INTO notes VALUES (NULL, 1)"):
            with pytest.raises(MemoryFileError, match=r"m\.ravl is damaged, or another program"):
                connection.execute(sql)
        with pytest.raises(MemoryFileError, match="is damaged"):
            connection.execute("SELECT CAST(x'ff' AS TEXT)").fetchone()
        with pytest.raises(MemoryFileError, match="is damaged"):
            list(connection.execute("SELECT 1 UNION ALL SELECT json('{') FROM rows"))
        with pytest.raises(MemoryFileError, match="is damaged"):
            connection.executemany("INSERT INTO notes VALUES (?, ?)", [("a", None)])
        with pytest.raises(sqlite3.ProgrammingError):  # a mistake of ravl is no damage
            connection.execute("SELECT ?", (1, 2))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("texts", '["a", 1]'),
        ("texts", "[" * 900 + "]" * 900),
        ("tags", '{"a": 1}'),
        ("qa", '[["asked"]]'),
        ("columns", '{"a": {"b": 1}}'),
        ("columns", '{"a": 1, "a": 2}'),
        ("columns", '["\\ud800"]'),
        ("path", "x" * 300),
    ],
)
def test_a_row_that_ravl_does_not_write(file: Path, column: str, value: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"UPDATE rows SET {column} = ? WHERE row = 2", (value,))
        connection.commit()
    with (
        Memory.open(file, ColourEncoder()) as memory,
        pytest.raises(MemoryFileError, match="Row 2 of the memory in .* is damaged"),
    ):
        list(memory.rows())


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"spec": "colour"}', '{"spec": "a", "features": "!", "picture": "", "text": ""}'],
)
def test_a_fingerprint_that_is_none(file: Path, text: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE spaces SET fingerprint = ?", (text,))
        connection.commit()
    with pytest.raises(MemoryFileError, match="fingerprint of an encoder is damaged"):
        Memory.open(file, ColourEncoder())


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


def test_names_that_are_no_text(file: Path) -> None:
    data = file.read_bytes()
    at = data.index(b"CREATE INDEX rows_by_label")
    file.write_bytes(data[:at] + b"CREATE IND\xc5X" + data[at + 12 :])
    with pytest.raises(MemoryFileError, match="m.ravl is"):
        Memory.open(file)


def test_columns_whose_names_are_no_texts(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        sql = "SELECT sql FROM sqlite_master WHERE name = 'column_names'"
        (whole,) = connection.execute(sql).fetchone()
        change = "UPDATE sqlite_master SET sql = ? WHERE name = 'column_names'"
        connection.execute(change, (whole.replace(" STRICT", ""),))
        connection.execute("PRAGMA writable_schema = RESET")
        connection.execute("INSERT INTO column_names VALUES (x'ff')")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(change, (whole,))
        connection.commit()
    with Memory.open(file, ColourEncoder()) as memory:
        assert memory.info().columns == ("price", "shop")
