"""Readers: one for each kind of source, all behind :func:`read`."""

from __future__ import annotations

from pathlib import Path

from ravl.data.readers.columns import ColumnNames
from ravl.data.readers.source import ReadOptions, Source
from ravl.errors import DataError

__all__ = ["ColumnNames", "ReadOptions", "Source", "read"]

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
EXPORTED = ("rows.jsonl", "rows.parquet")  # what an export of ravl is known by
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
    """Opens a source of examples, whatever it is.

    Args:
        source: a folder of pictures; a table (CSV, TSV, JSON lines, Parquet); a JSON file of COCO
            captions, of VQA questions, or a list of objects; a folder that ravl exported; a
            Hugging Face dataset, saved to a folder or by name as ``hf:name``, ``hf:name:split``
            or ``hf:name:configuration:split``.
        columns: what a table's columns are called. Default: the usual names, see
            :class:`ColumnNames`.
        root: the folder that pictures' paths are relative to and may not leave. Default: the
            table's own folder; for COCO and VQA also its neighbours, see their readers.
        encoding: of CSV, TSV and JSON lines. Default: UTF-8.
        captions: for a folder: a table that tells of its pictures; ``columns`` and ``encoding``
            apply to it.
        folder_labels: for a folder: whether the first sub-folder is a picture's label. Default:
            where it looks so, see :class:`ravl.data.readers.folder.FolderSource`.
        annotations: for VQA: the file of answers. Default: the one beside the questions.
        picture_pattern: for VQA: file names, as ``COCO_val2014_{image_id:012d}.jpg``. Default:
            COCO's usual ones.
        split: for Hugging Face datasets: the one to read. Default: all.

    Returns:
        Examples and what was set aside, iterable as often as wanted.

    Raises:
        DataError: where the source is missing, is none of these, or lacks what it needs; and for
            an option that does not belong to it.
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
        raise DataError(f"There is no folder {options.root}, named as the root of the pictures.")
    if isinstance(source, str) and source.startswith("hf:"):
        return _hugging_face(source, options)
    path = Path(source)
    if path.is_dir():
        return _directory(path, options)
    if path.is_file():
        return _file(path, options)
    raise DataError(f"There is no file or folder {path}. {ALLOWED}.")


def _directory(path: Path, options: ReadOptions) -> Source:
    for name in EXPORTED:
        if (path / name).is_file():
            return _file(path / name, options)
    from ravl.data.readers.hf import is_saved_dataset

    if is_saved_dataset(path):
        return _hugging_face(path, options)
    from ravl.data.readers.folder import FolderSource

    allowed = ("captions", "folder_labels")
    if options.captions is None:
        _refuse_others(options, "a folder without captions", *allowed)
        return FolderSource(path, options)
    _refuse_others(options, "a folder with captions", *allowed, *_TABLE_ONLY)
    if not options.captions.is_file():
        raise DataError(f"There is no table of captions at {options.captions}.")
    captioned = read(
        options.captions, columns=options.columns, root=path, encoding=options.encoding
    )
    return FolderSource(path, options, captioned)


def _file(path: Path, options: ReadOptions) -> Source:
    suffix = path.suffix.lower()
    if suffix in TABLES:
        from ravl.data.readers.table import TableSource

        _refuse_others(options, "a table", "root", *_TABLE_ONLY)
        return TableSource(path, options)
    if suffix == ".json":
        return _json(path, options)
    from ravl.data.readers.folder import SUFFIXES

    hint = f" It is a picture: name its folder, {path.parent}." if suffix in SUFFIXES else ""
    raise DataError(f"{path} is no source of examples.{hint} {ALLOWED}.")


def _json(path: Path, options: ReadOptions) -> Source:
    from ravl.data.readers.json_stream import kind

    found = kind(path)
    if found == "coco":
        from ravl.data.readers.coco import CocoSource

        _refuse_others(options, "a COCO file", "root")
        return CocoSource(path, options)
    if found == "vqa":
        from ravl.data.readers.vqa import VqaSource

        _refuse_others(options, "a VQA file", "root", "annotations", "picture_pattern")
        return VqaSource(path, options)
    if found == "list":
        from ravl.data.readers.table import TableSource

        _refuse_others(options, "a JSON list", "root", "columns")
        return TableSource(path, options)
    if found == "answers":
        raise DataError(
            f"{path} holds the answers of VQA; read its questions, and name this file with "
            "--annotations."
        )
    raise DataError(
        f'{path} has neither "images" with "annotations" (COCO) nor "questions" (VQA), nor is it '
        "a list of objects. A table may also be JSON lines (.jsonl)."
    )


def _hugging_face(source: str | Path, options: ReadOptions) -> Source:
    from ravl.data.readers.hf import HuggingFaceSource

    _refuse_others(options, "a Hugging Face dataset", "root", "columns", "split")
    return HuggingFaceSource(source, options)


_TABLE_ONLY = ("columns", "encoding")


def _refuse_others(options: ReadOptions, what: str, *allowed: str) -> None:
    """An option that a source cannot heed is a mistake that should not pass in silence."""
    default = ReadOptions()
    for name in ReadOptions.__dataclass_fields__:
        if name not in allowed and getattr(options, name) != getattr(default, name):
            raise DataError(
                f"The option {name} does not belong to {what}; allowed are {', '.join(allowed)}."
            )


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)
