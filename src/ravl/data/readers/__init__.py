"""Readers: one for each kind of source, all used by :func:`read`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ravl import plugins
from ravl.data.readers.columns import ColumnNames
from ravl.data.readers.source import Reader, ReadOptions, Source
from ravl.errors import DataError, PluginError

__all__ = ["ColumnNames", "ReadOptions", "Reader", "Source", "read"]

FOLDER = "folder"  # the reader that is asked last
ALLOWED = (
    "Allowed are a folder of pictures, a table (.csv, .tsv, .jsonl, .ndjson, .parquet), a .json "
    "of COCO captions or VQA questions, a dataset saved with save_to_disk, or hf:name"
)


def read(
    source: str | Path,
    *,
    columns: ColumnNames | None = None,
    root: str | Path | None = None,
    encoding: str | None = None,
    captions: str | Path | None = None,
    folder_labels: bool | None = None,
    annotations: str | Path | None = None,
    picture_pattern: str | None = None,
    split: str | None = None,
) -> Source:
    """Open a source of examples of any kind.

    Args:
        source: a folder of pictures; a table (CSV, TSV, JSON lines, Parquet); a JSON file of COCO
            captions, of VQA questions, or a list of objects; a folder that ravl exported; a
            Hugging Face dataset, saved to a folder or by name as ``hf:name``, ``hf:name:split``
            or ``hf:name:configuration:split``; or what a reader of an installed package accepts.
        columns: the names of a table's columns. Default: the usual names, see :class:`ColumnNames`.
        root: the folder that pictures' paths are relative to; they must stay inside it. Default:
            the table's own folder; for COCO and VQA also its neighbours, see their readers.
        encoding: of CSV, TSV and JSON lines. Default: UTF-8.
        captions: for a folder: a table about its pictures; ``columns`` and ``encoding`` apply to
            it.
        folder_labels: for a folder: whether the first sub-folder is a picture's label. Default: a
            guess, see :class:`ravl.data.readers.folder.FolderSource`.
        annotations: for VQA: the file of answers. Default: the file beside the questions.
        picture_pattern: for VQA: file names, as ``COCO_val2014_{image_id:012d}.jpg``. Default:
            COCO's usual ones.
        split: for Hugging Face datasets: the split to read. Default: all splits.

    Returns:
        Examples and rejected items; you can iterate over them several times.

    Raises:
        DataError: the source is missing, no reader accepts it, it lacks what it needs, or an
            option does not belong to it.
    """
    options = ReadOptions(
        columns=columns or ColumnNames(),
        root=_path(root),
        encoding=encoding,
        captions=_path(captions),
        folder_labels=folder_labels,
        annotations=_path(annotations),
        picture_pattern=picture_pattern,
        split=split,
    )
    if options.root is not None and not options.root.is_dir():
        raise DataError(
            f"There is no folder {options.root}, which was given as the root of the pictures."
        )
    for name in _in_turn():
        reader = _reader(name)
        if reader.accepts(source):
            return reader.open(source, options)
    raise DataError(_unknown(Path(source)))


def _in_turn() -> Iterator[str]:
    """Names of readers, in the order in which they are asked.

    Installed ones come before plain folders: a folder of theirs may be more than its pictures.
    They are looked up only for what no builtin reader knows.
    """
    builtin = plugins.BUILTIN[plugins.READERS]
    yield from (name for name in builtin if name != FOLDER)
    yield from (name for name in plugins.names(plugins.READERS) if name not in builtin)
    yield FOLDER


def _reader(name: str) -> Reader:
    try:
        found = plugins.load(plugins.READERS, name)
    except PluginError as error:
        raise DataError(str(error)) from error
    reader = found() if isinstance(found, type) else None
    if not isinstance(reader, Reader):
        raise DataError(
            f"The plug-in for readers named {name!r} is {found!r}; it must be a class with the "
            "methods accepts and open. Ask its author to correct the entry point."
        )
    return reader


def _unknown(path: Path) -> str:
    """Why nothing reads a path, as a sentence."""
    if not path.exists():
        return f"There is no file or folder {path}. {ALLOWED}."
    if path.suffix.lower() == ".json":
        return (
            f'{path} has neither "images" with "annotations" (COCO) nor "questions" (VQA), nor is '
            "it a list of objects. A table may also be JSON lines (.jsonl)."
        )
    from ravl.data.readers.folder_files import SUFFIXES

    picture = path.suffix.lower() in SUFFIXES
    hint = f" It is a picture: give its folder, {path.parent}." if picture else ""
    return f"ravl cannot read examples from {path}.{hint} {ALLOWED}."


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)
