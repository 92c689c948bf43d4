"""What ravl expects of every reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from ravl import plugins
from ravl.data import Example, read
from ravl.data.example import Rejected
from ravl.data.pictures import decode, read_bytes
from ravl.data.readers import Reader, ReadOptions, Source
from ravl.errors import DataError

ODD = ("", ".", "no such file", "hf:", "a" * 200, "红格子.csv", "a:b:c", "x\0y", "*")


class ReaderContract:
    """Subclass this, set ``name``, and make a source in the fixture ``source``.

    >>> class TestToyReader(ReaderContract):
    ...     name = "toy"
    ...
    ...     @pytest.fixture
    ...     def source(self, tmp_path: Path) -> Path:
    ...         path = tmp_path / "a.colours"
    ...         path.write_text("red\\ta red square")
    ...         return path
    """

    name: str  # of the entry point

    @pytest.fixture
    def source(self) -> str | Path:
        """A source with at least one example that can be read."""
        raise NotImplementedError

    @pytest.fixture
    def reader(self) -> Reader:
        """The reader under test."""
        made = plugins.load(plugins.READERS, self.name)
        assert isinstance(made, type)
        reader = made()
        assert isinstance(reader, Reader)
        return reader

    @pytest.fixture
    def opened(self, reader: Reader, source: str | Path) -> Source:
        """The source, opened with the usual options."""
        return reader.open(source, ReadOptions())

    def test_it_accepts_its_source(self, reader: Reader, source: str | Path) -> None:
        assert reader.accepts(source)
        assert reader.accepts(str(source))

    def test_it_accepts_nothing_that_is_missing(self, reader: Reader, tmp_path: Path) -> None:
        for name in (*ODD[2:], "x.csv", "x.json", "x.parquet"):
            if name != "hf:":
                assert not reader.accepts(tmp_path / "missing" / name)

    @pytest.mark.parametrize("name", ODD)
    def test_odd_names_raise_nothing(self, reader: Reader, name: str) -> None:
        assert reader.accepts(name) in (True, False)

    def test_read_finds_it(self, opened: Source, source: str | Path) -> None:
        assert list(read(source)) == list(opened)

    def test_it_can_be_iterated_again(self, opened: Source) -> None:
        assert list(opened) == list(opened)

    def test_its_total_is_what_it_yields(self, opened: Source) -> None:
        found = list(opened)
        assert opened.total in (None, len(found))
        assert opened.name

    def test_examples(self, opened: Source) -> None:
        examples = [item for item in opened if isinstance(item, Example)]
        assert examples
        ids = [example.id for example in examples]
        assert all(ids)
        assert len(set(ids)) == len(ids)
        for example in examples:
            assert example.source
            assert isinstance(example.texts, tuple)
            assert isinstance(example.tags, tuple)
            assert all(isinstance(v, str | int | float | None) for v in example.columns.values())

    def test_pictures_can_be_decoded(self, opened: Source) -> None:
        for item in opened:
            if isinstance(item, Example) and item.picture is not None:
                data = item.picture
                content = data if isinstance(data, bytes) else read_bytes(data)
                assert min(decode(content).size) > 0

    def test_what_is_set_aside_has_a_place_and_a_reason(self, opened: Source) -> None:
        for item in opened:
            if isinstance(item, Rejected):
                assert item.place
                assert item.reason.strip().endswith((".", ":")) or len(item.reason) > 10

    def test_an_option_that_it_does_not_know_is_refused(
        self, reader: Reader, source: str | Path
    ) -> None:
        """No reader takes both: picture_pattern is of VQA, folder_labels of plain folders."""
        with pytest.raises(DataError, match="does not belong to"):
            reader.open(source, ReadOptions(picture_pattern="{image_id}.jpg", folder_labels=True))
