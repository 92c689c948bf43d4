"""``metadata.csv`` beside pictures, as the imagefolder of Hugging Face ``datasets`` has it.

A file ``metadata.csv``, ``metadata.jsonl`` or ``metadata.parquet`` names pictures of its folder in
the column ``file_name``, by their paths within it, and says the rest in its other columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ravl.data.example import Example, Rejected
from ravl.data.readers.columns import ColumnNames
from ravl.data.readers.source import ReadOptions
from ravl.errors import DataError

NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
COLUMNS = ("file_name", "image_file_name")  # of the pictures


class Metadata:
    """What the metadata files of a folder and its sub-folders say of pictures.

    Args:
        folder: the outermost folder. Files are read when a picture of their folder is asked for.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Path, tuple[Path, ...]] = {}  # by folder, those above it included
        self._said: dict[Path, dict[Path, Example]] = {}  # by metadata file, by picture

    def files(self, folder: Path) -> tuple[Path, ...]:
        """The metadata files of a folder and of the folders above it, the nearest first."""
        unknown: list[Path] = []
        while folder not in self._files and folder not in (self._folder, folder.parent):
            unknown.append(folder)
            folder = folder.parent
        if folder not in self._files:
            self._files[folder] = _own(folder)
        for inner in reversed(unknown):
            self._files[inner] = (*_own(inner), *self._files[inner.parent])
        return self._files[unknown[0] if unknown else folder]

    def about(self, picture: Path) -> Iterator[Example | Rejected]:
        """What each file says of a picture, and what could not be read in files that are new."""
        for file in self.files(picture.parent):
            if file not in self._said:
                self._said[file] = {}
                yield from self._read(file)
            if picture in self._said[file]:
                yield self._said[file][picture]

    def _read(self, file: Path) -> Iterator[Rejected]:
        from ravl.data.readers.table import TableSource

        place = file.relative_to(self._folder).as_posix()
        problem = ""
        for column in COLUMNS:
            try:
                table = TableSource(file, ReadOptions(columns=ColumnNames(image=column)))
            except DataError as error:
                problem = problem or str(error)
                continue
            for found in table:
                if isinstance(found, Rejected):
                    yield Rejected(f"{place}: {found.place}", found.reason)
                elif isinstance(found.picture, Path):
                    self._said[file][found.picture] = found
                else:
                    reason = f"the row names no picture in its column {column!r}"
                    yield Rejected(f"{place}: {found.source}", reason)
            return
        yield Rejected(place, f"{problem} So nothing of it was read.")


def _own(folder: Path) -> tuple[Path, ...]:
    return tuple(path for name in NAMES if (path := folder / name).is_file())
