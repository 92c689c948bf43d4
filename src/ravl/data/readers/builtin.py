"""The builtin readers: how each is recognised, and how it is opened.

What opens a source is imported only then, so that asking all of them costs nothing.
"""

from __future__ import annotations

from pathlib import Path

from ravl.data.readers.source import ReadOptions, Source
from ravl.errors import DataError

HUB = "hf:"
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
TABLE_OPTIONS = ("columns", "encoding")
EXPORTED = ("rows.jsonl", "rows.parquet")  # what a folder that ravl exported holds


class HuggingFaceReader:
    """Datasets of the Hugging Face hub, and folders that ``save_to_disk`` wrote."""

    def accepts(self, source: str | Path) -> bool:
        """A name that begins with ``hf:``, or a folder with the files of a saved dataset."""
        if isinstance(source, str) and source.startswith(HUB):
            return True
        folder = Path(source)
        saved = (folder / "dataset_info.json").is_file() and (folder / "state.json").is_file()
        return saved or (folder / "dataset_dict.json").is_file()

    def open(self, source: str | Path, options: ReadOptions) -> Source:
        """The dataset, streamed where it is on the hub."""
        from ravl.data.readers.hf import HuggingFaceSource

        options.allow_only("a Hugging Face dataset", "root", "columns", "split")
        named = isinstance(source, str) and source.startswith(HUB)
        return HuggingFaceSource(source if named else Path(source), options)


class ExportReader:
    """Folders that ravl exported."""

    def accepts(self, source: str | Path) -> bool:
        """A folder with a table of rows."""
        return any((Path(source) / name).is_file() for name in EXPORTED)

    def open(self, source: str | Path, options: ReadOptions) -> Source:
        """The table of rows in it."""
        table = next(name for name in EXPORTED if (Path(source) / name).is_file())
        return TableReader().open(Path(source) / table, options)


class TableReader:
    """Tables: CSV, TSV, JSON lines, Parquet."""

    def accepts(self, source: str | Path) -> bool:
        """A file with the suffix of a table."""
        return Path(source).suffix.lower() in TABLES and Path(source).is_file()

    def open(self, source: str | Path, options: ReadOptions) -> Source:
        """Its rows."""
        from ravl.data.readers.table import TableSource

        options.allow_only("a table", "root", *TABLE_OPTIONS)
        return TableSource(Path(source), options)


class JsonReader:
    """JSON files of COCO captions or labels, of VQA questions, or a list of objects."""

    def accepts(self, source: str | Path) -> bool:
        """A JSON file whose outermost keys are those of COCO or VQA, or that is a list."""
        if Path(source).suffix.lower() != ".json" or not Path(source).is_file():
            return False
        from ravl.data.readers.json_stream import kind

        return kind(Path(source)) != "unknown"

    def open(self, source: str | Path, options: ReadOptions) -> Source:
        """Its pictures with their captions, labels, or questions; or its objects as rows."""
        from ravl.data.readers.json_stream import kind

        path = Path(source)
        found = kind(path)
        if found == "coco":
            from ravl.data.readers.coco import CocoSource

            options.allow_only("a COCO file", "root")
            return CocoSource(path, options)
        if found == "vqa":
            from ravl.data.readers.vqa import VqaSource

            options.allow_only("a VQA file", "root", "annotations", "picture_pattern")
            return VqaSource(path, options)
        if found == "list":
            from ravl.data.readers.table import TableSource

            options.allow_only("a JSON list", "root", "columns")
            return TableSource(path, options)
        raise DataError(
            f"{path} holds the answers of VQA; read its questions, and name this file with "
            "--annotations."
        )


class FolderReader:
    """Folders of pictures, with a table of captions where one is named."""

    def accepts(self, source: str | Path) -> bool:
        """Any folder."""
        return Path(source).is_dir()

    def open(self, source: str | Path, options: ReadOptions) -> Source:
        """The pictures in it and in its sub-folders."""
        from ravl.data.readers.folder import FolderSource

        path, allowed = Path(source), ("captions", "folder_labels")
        if options.captions is None:
            options.allow_only("a folder without captions", *allowed)
            return FolderSource(path, options)
        options.allow_only("a folder with captions", *allowed, *TABLE_OPTIONS)
        if not options.captions.is_file():
            raise DataError(f"There is no table of captions at {options.captions}.")
        from ravl.data.readers import read

        captioned = read(
            options.captions, columns=options.columns, root=path, encoding=options.encoding
        )
        return FolderSource(path, options, captioned)
