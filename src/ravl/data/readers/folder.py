"""A folder of pictures, with sub-folders, side-car texts and maybe a table of captions."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from ravl.data.example import Example, Rejected
from ravl.data.readers.disk_map import DiskMap
from ravl.data.readers.folder_files import (
    SUFFIXES,
    is_hidden,
    is_picture,
    kind_of,
    left_out,
    texts_beside,
)
from ravl.data.readers.metadata import NAMES, Metadata
from ravl.data.readers.sidecars import TextError, is_boxes, leads_outside, read_sidecar, sidecars
from ravl.data.readers.source import ReadOptions, Source
from ravl.data.text import nfc
from ravl.errors import DataError

SPLITS = frozenset(("train", "training", "test", "testing", "val", "valid", "validation", "dev"))
# Names of a folder that holds pictures of all kinds, and is no class.
CONTAINERS = frozenset(
    (
        *("images", "image", "imgs", "img", "pictures", "picture", "pics", "photos", "photo"),
        *("files", "data", "dataset", "media", "frames", "originals", "raw", "all", "dcim"),
        *("jpegimages", "jpegs", "jpeg", "jpgs", "jpg", "pngs", "png"),
    )
)


class FolderSource:
    """Pictures of a folder and its sub-folders, sorted by path.

    Hidden files and folders are skipped; thumbnails of storage devices and recycle bins are left
    out and counted. Links to other places within the folder are not followed, because their
    pictures are read at their own place. Texts beside pictures and metadata files (see
    :mod:`ravl.data.readers.metadata`) belong to their pictures; metadata files give way to
    ``captioned``.

    Args:
        folder: the folder.
        options: ``folder_labels``: whether the first sub-folder of a picture's path is its label.
            None: yes if at least two sub-folders contain pictures, or one whose name is not one
            such as "images"; pictures that lie beside these have no label. If the sub-folders have
            names such as train, test or validation, they are the column "split" and the next
            sub-folder is the label.
        captioned: a table about pictures of this folder; its examples come first.

    Attributes:
        skipped: how many files of each kind the last pass found that are no pictures, or were left
            out; see :mod:`ravl.data.readers.folder_files`.
    """

    def __init__(self, folder: Path, options: ReadOptions, captioned: Source | None = None) -> None:
        self.name = str(folder)
        self._folder = folder.resolve()
        self._called = folder.name or self._folder.name
        self._labelled = options.folder_labels
        self._captioned = captioned
        self._metadata = Metadata(self._folder) if captioned is None else None
        self.skipped: Counter[str] = Counter()

    @cached_property
    def total(self) -> int:
        """The number of pictures."""
        return sum(isinstance(found, Path) for found in self._walk(self._folder))

    def __iter__(self) -> Iterator[Example | Rejected]:
        if self._captioned is None:
            for found in self.pictures():
                yield from self._read(found)
            return
        with DiskMap() as told:
            yield from self._tell(self._captioned, told)
            for found in self.pictures():
                if isinstance(found, Rejected) or str(found) not in told:
                    yield from self._read(found)

    def _tell(self, captioned: Source, told: DiskMap) -> Iterator[Example | Rejected]:
        """The examples of the table, together with the folder's data about their pictures.

        Raises:
            DataError: no row of the table names a picture of the folder.
        """
        problem: Rejected | None = None
        matched = False
        for example in captioned:
            if isinstance(example, Rejected):
                refused = example
            elif isinstance(example.picture, Path):
                matched = True
                told[str(example.picture)] = ""
                for own in self._read(example.picture):
                    yield own if isinstance(own, Rejected) else _merged(example, own)
                continue
            else:
                reason = f"the row {example.id!r} names no picture of the folder"
                refused = Rejected(example.source, reason)
            problem = problem or refused
            yield refused
        if problem is not None and not matched:
            columns = ", ".join(getattr(captioned, "header", ()))
            raise DataError(
                f"No row of {captioned.name} names a picture of {self._folder}; for example, "
                f"{problem}." + (f" Its columns are {columns}." if columns else "")
            )

    def metadata_files(self, picture: Path) -> tuple[Path, ...]:
        """Files that may say something of a picture, beside the text of its own."""
        return self._metadata.files(picture.parent) if self._metadata is not None else ()

    def pictures(self) -> Iterator[Path | Rejected]:
        """Paths of the pictures in order, and files that cannot be read."""
        self.skipped = Counter()
        return self._walk(self._folder, self.skipped)

    def about(self, picture: Path) -> Iterator[Example | Rejected]:
        """The folder's data about one of its pictures."""
        return self._read(picture)

    def label_of(self, inner: str) -> str | None:
        """The label in the sub-folders of a path; None if they have no label.

        Args:
            inner: the path in this folder, with slashes.
        """
        *folders, _ = inner.split("/")
        depth = self._label_depth
        return nfc(folders[depth - 1]).strip() if 0 < depth <= len(folders) else None

    def _read(self, found: Path | Rejected) -> Iterator[Example | Rejected]:
        if isinstance(found, Rejected):
            yield found
            return
        id = found.relative_to(self._folder).as_posix()
        texts: list[str] = []
        for sidecar in sidecars(found):
            if not sidecar.is_file():
                continue
            try:
                text = read_sidecar(sidecar, self._folder)
            except TextError as error:
                yield Rejected(self._place(sidecar), str(error))
                continue
            if is_boxes(text):
                self.skipped["file of boxes"] += 1
            elif text:
                texts.append(text)
        label, columns = self.label_of(id), self._columns(id)
        source = f"{self._called}/{id}"
        example = Example(id, found, tuple(texts), label, columns=columns, source=source)
        for item in self._metadata.about(found) if self._metadata is not None else ():
            if isinstance(item, Rejected):
                yield item
            else:
                example = replace(_merged(item, example), id=id, source=source)
        yield example

    def _columns(self, id: str) -> dict[str, str]:
        return {"split": id.split("/")[0]} if self._splits and "/" in id else {}

    @cached_property
    def _label_depth(self) -> int:
        """Which sub-folder of a path is the label: 1 the first, 2 the second, 0 no sub-folder."""
        if self._labelled is not None:
            return int(self._labelled)
        holding = self._holding
        if self._splits:
            return 0 if any(self._holds_picture(f, deep=False) for f in holding) else 2
        if len(holding) == 1:
            (folder,) = holding
            is_class = folder.name.lower() not in CONTAINERS
            return int(is_class and self._holds_picture(folder, deep=False))
        return int(bool(holding))

    @cached_property
    def _holding(self) -> list[Path]:
        """The sub-folders that hold pictures."""
        found = []
        for entry in _entries(self._folder):
            folder = entry.is_dir(follow_symlinks=False) and not left_out(entry.name)
            if folder and self._holds_picture(Path(entry.path)):
                found.append(Path(entry.path))
        return found

    @cached_property
    def _splits(self) -> bool:
        """True if the sub-folders are train, validation and test, and nobody says otherwise."""
        if self._labelled is not None:
            return False
        return bool(self._holding) and all(f.name.lower() in SPLITS for f in self._holding)

    def _holds_picture(self, folder: Path, *, deep: bool = True) -> bool:
        if not deep:
            return any(is_picture(e.name) and os.path.isfile(e) for e in _entries(folder))  # noqa: PTH113
        return any(isinstance(found, Path) for found in self._walk(folder))

    def _walk(self, folder: Path, skipped: Counter[str] | None = None) -> Iterator[Path | Rejected]:
        """Paths of pictures in order; files that cannot be read are set aside.

        Args:
            folder: to walk.
            skipped: where other files are counted.
        """
        # a stack, because folders can be nested deeply
        waiting: list[Path | os.DirEntry[str]] = [folder]
        while waiting:
            entry = waiting.pop()
            if isinstance(entry, Path) or entry.is_dir(follow_symlinks=False):
                reason = left_out(entry.name) if isinstance(entry, os.DirEntry) else None
                try:
                    if reason is None:
                        waiting += reversed(self._listed(entry, skipped))
                    elif skipped is not None:
                        skipped[reason] += _count(Path(entry))
                except OSError as error:
                    why = f"the folder cannot be read: {error.strerror}"
                    yield Rejected(self._place(Path(entry)), why)
            elif entry.is_symlink():
                yield from self._follow(Path(entry))
            else:
                yield self._checked(Path(entry), entry.is_file())

    def _listed(
        self, folder: Path | os.DirEntry[str], skipped: Counter[str] | None
    ) -> list[os.DirEntry[str]]:
        """Pictures, links and sub-folders of a folder; its other files are counted."""
        entries = _entries(folder)
        kept = [e for e in entries if is_picture(e.name) or e.is_symlink() or e.is_dir()]
        if skipped is not None:
            kept_names = {entry.name for entry in kept}
            beside = texts_beside(kept_names)
            others = {entry.name for entry in entries} - kept_names - beside
            if self._metadata is not None:
                others.difference_update(NAMES)
            skipped.update(kind_of(name) for name in others)
        return kept

    def _follow(self, link: Path) -> Iterator[Path | Rejected]:
        try:
            target = link.resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError: a loop
            if link.suffix.lower() in SUFFIXES:
                yield Rejected(
                    self._place(link),
                    "the target of this link does not exist; correct or remove the link",
                )
            return
        is_folder = target.is_dir()
        if not is_folder and link.suffix.lower() not in SUFFIXES:
            return
        if not target.is_relative_to(self._folder):
            yield Rejected(self._place(link), leads_outside(self._folder))
        elif not is_folder:
            yield self._checked(link, target.is_file())

    def _checked(self, path: Path, is_file: bool) -> Path | Rejected:
        if not is_file:
            return Rejected(self._place(path), "this is a pipe or a device, not a file")
        try:
            str(path).encode()
        except UnicodeEncodeError:
            return Rejected(self._place(path), "the file's name is not UTF-8; rename the file")
        return path

    def _place(self, path: Path) -> str:
        """The place in printable characters, for any file name."""
        name = path.relative_to(self._folder).as_posix()
        return f"{self._called}/{name.encode(errors='backslashreplace').decode()}"


def _entries(folder: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        kept = [e for e in found if not is_hidden(e.name) or left_out(e.name)]
    return sorted(kept, key=lambda entry: entry.name)


def _count(folder: Path) -> int:
    """How many pictures there are in a folder that is left out."""
    found = (name for _, _, names in os.walk(folder) for name in names)
    return sum(is_picture(name) and not is_hidden(name) for name in found)


def _merged(example: Example, own: Example) -> Example:
    """What a table says of a picture, and what the folder says in addition."""
    texts = example.texts + tuple(text for text in own.texts if text not in example.texts)
    columns = {**own.columns, **example.columns}
    label = example.label if example.label is not None else own.label
    tags = example.tags + tuple(tag for tag in own.tags if tag not in example.tags)
    qa = example.qa + tuple(each for each in own.qa if each not in example.qa)
    return replace(example, texts=texts, label=label, tags=tags, qa=qa, columns=columns)
