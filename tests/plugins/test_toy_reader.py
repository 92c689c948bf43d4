"""A reader of an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from ravl.data import Example, read
from ravl.errors import DataError
from ravl.testing.reader_contract import ReaderContract
from tests.plugins.install import visible, write_metadata


@pytest.mark.usefixtures("toy")
class TestToyReader(ReaderContract):
    name = "toy"

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        path = tmp_path / "a.colours"
        path.write_text("red\ta red square\nblue\nno colour\tx\n")
        return path


def test_an_installed_reader_comes_before_plain_folders_and_after_tables(tmp_path: Path) -> None:
    (tmp_path / "greedy.py").write_text(
        "class Source:\n"
        "    name, total = 'x', 0\n"
        "    def __iter__(self): return iter(())\n"
        "class Reader:\n"
        "    def accepts(self, source): return True\n"
        "    def open(self, source, options): return Source()\n"
    )
    write_metadata(tmp_path, "greedy", {"ravl.readers": {"greedy": "greedy:Reader"}})
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.csv").write_text("id,text\n1,a dog\n")
    with visible(tmp_path):
        assert list(read(tmp_path / "folder")) == []
        assert [e.id for e in read(tmp_path / "a.csv") if isinstance(e, Example)] == ["1"]


def test_an_entry_that_is_not_a_reader(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("class Reader: pass\n")
    write_metadata(tmp_path, "broken", {"ravl.readers": {"broken": "broken:Reader"}})
    with visible(tmp_path), pytest.raises(DataError, match="with the methods accepts and open"):
        read(tmp_path)
