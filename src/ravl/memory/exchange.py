"""Export and merge: a memory as files that other tools (and ravl) read, and as part of another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from ravl.data import QA, Rejected
from ravl.data.pictures import probe
from ravl.encoders import loadable
from ravl.encoders.base import Array
from ravl.errors import EncoderMismatchError, MemoryFileError, PictureError
from ravl.files.whole_folder import whole_folder
from ravl.memory.index_report import IndexReport
from ravl.store.collection import Collection
from ravl.store.contract import Store
from ravl.store.duplicates import compare_pictures, mark_duplicates
from ravl.store.row import Computed, Row
from ravl.store.space import KINDS

T = TypeVar("T")
Format = Literal["jsonl", "parquet"]
PAGE = 256  # rows at a time
SUFFIX = {"JPEG": ".jpg", "TIFF": ".tif"}  # else the format's own name


@dataclass
class ExportReport:
    """What was written.

    Args:
        rows: how many.
        file: the table of rows.
        missing: rows whose picture could not be read; they were written without it.
    """

    rows: int
    file: Path
    missing: list[Rejected] = field(default_factory=list)


def export_rows(
    memory: Collection, rows: Iterable[Row], folder: Path, format: Format
) -> ExportReport:
    """Write rows and their pictures to a folder that must be new or empty.

    ``jsonl`` makes ``rows.jsonl`` and a folder of pictures; ``parquet`` one ``rows.parquet`` with
    the pictures inside, as Hugging Face datasets keep them. Both are read back by ``ravl index``.
    The folder is there once all is written; after a kill the same call begins anew.

    Raises:
        DataError: the folder holds something already.
    """
    with whole_folder(folder) as stage:
        if format == "parquet":
            report = _export_parquet(memory, rows, stage / "rows.parquet")
        else:
            report = _export_jsonl(memory, rows, stage / "rows.jsonl")
    return replace(report, file=folder / report.file.name)


def _export_jsonl(memory: Collection, rows: Iterable[Row], file: Path) -> ExportReport:
    report, folder = ExportReport(0, file), file.parent
    (folder / "pictures").mkdir()
    with file.open("w", encoding="utf-8") as lines:
        for row, data in _with_pictures(memory, rows, report):
            record = row.to_json()
            record.pop("picture", None)
            if data is not None:
                # Named by number: an id may hold anything, even a path out of the folder.
                picture = f"pictures/{row.number:08d}{_suffix(data)}"
                (folder / picture).write_bytes(data)
                record["picture"] = picture
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")
    return report


def _export_parquet(memory: Collection, rows: Iterable[Row], file: Path) -> ExportReport:
    import pyarrow as pa
    import pyarrow.parquet as pq

    strings = pa.list_(pa.string())
    schema = pa.schema(
        {
            "id": pa.string(),
            "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
            "texts": strings,
            "label": pa.string(),
            "tags": strings,
            "qa": pa.list_(pa.struct({"question": pa.string(), "answers": strings})),
            "source": pa.string(),
            "columns": pa.string(),  # an object as JSON: every row may have other ones
        }
    )
    report = ExportReport(0, file)
    with pq.ParquetWriter(file, schema) as writer:
        for page in pages(_with_pictures(memory, rows, report), PAGE):
            records = []
            for row, data in page:
                record = row.to_json()
                record["columns"] = json.dumps(dict(row.columns), ensure_ascii=False)
                record["image"] = data and {"bytes": data, "path": Path(row.id).name}
                records.append(record)
            writer.write_table(pa.Table.from_pylist(records, schema))
    return report


def _with_pictures(
    memory: Collection, rows: Iterable[Row], report: ExportReport
) -> Iterator[tuple[Row, bytes | None]]:
    for row in rows:
        data = None
        if row.hash is not None:
            try:
                data = memory.picture_bytes(row)
            except PictureError as error:
                report.missing.append(Rejected(str(row.path or row.id), str(error)))
        report.rows += 1
        yield row, data


def merge(memory: Collection, other: Collection) -> IndexReport:
    """Bring the rows of another memory into this one, with their vectors: no network runs.

    A row that both have (same id, same picture) gets what the other knows in addition; where the
    same id names another picture, ours stays and theirs is set aside.

    Raises:
        EncoderMismatchError: the memories were made by different encoders.
        MemoryFileError: vectors of the other memory are not finite or not of length 1.
    """
    check_vectors(other.store)
    store, report = memory.store, IndexReport()
    version = 0
    for numbers in pages((row.number for row in other.rows()), PAGE):
        # Their rows and vectors of one moment: another process may be writing there as well.
        with other.snapshot(), store.transaction():
            ours, theirs = store.spaces.current(), other.store.spaces.current()
            if not ours.fingerprint.matches(theirs.fingerprint):
                raise EncoderMismatchError(
                    f"{other.path} was made with the encoder {theirs.fingerprint.spec!r} and "
                    f"{memory.path} with {ours.fingerprint.spec!r}. Give both the same first: "
                    f"ravl reembed {other.path} --encoder {loadable(ours.fingerprint.spec)}"
                )
            page = list(other.store.rows.get(numbers).values())
            known = store.rows.find([row.id for row in page])
            for row in page:
                old = known.get(row.id)
                new = _united(old, row)
                if old is not None and old.hash != row.hash:
                    _refuse(report, other, row, f"is another picture in {memory.path.name}")
                elif new == old:
                    report.unchanged += 1
                elif (computed := _copied(store, other.store, old, row, new)) is None:
                    _refuse(report, other, row, "lacks a vector; index its source again first")
                else:
                    version = version or store.history.begin(f"merge {other.path.name}")
                    store.rows.put(version, new, computed)
                    report.added += old is None
                    report.updated += old is not None
    compared = compare_pictures(store)
    with store.transaction():
        report.duplicates = mark_duplicates(store, compared)
    return report


def check_vectors(store: Store) -> None:
    """Refuse a memory with vectors that cannot be compared with others.

    Raises:
        MemoryFileError: some are not finite or not of length 1; says how many of each kind.
    """
    bad = [f"{count:,} {kind}" for kind in KINDS if (count := store.vectors.unsound(kind))]
    if bad:
        raise MemoryFileError(
            f"{store.path} cannot be used: these are not finite or not of length 1: "
            f"{', '.join(bad).replace('_', ' ')}. No encoder of ravl makes such vectors. Do not "
            "use the memory, and ask the person that it is from."
        )


def _refuse(report: IndexReport, other: Collection, row: Row, why: str) -> None:
    report.reasons.append(Rejected(f"{other.path.name}: {row.id}", f"The row {row.id!r} {why}."))
    report.rejected += 1


def _united(old: Row | None, row: Row) -> Row:
    """What both know; where they contradict each other, what we knew."""
    if old is None:
        return replace(row, number=0, duplicate_of=None)
    answers: dict[str, tuple[str, ...]] = {}
    for qa in (*old.qa, *row.qa):
        known = answers.get(qa.question, ())
        answers[qa.question] = known or qa.answers
    return replace(
        old,
        texts=tuple(dict.fromkeys((*old.texts, *row.texts))),
        label=old.label if old.label is not None else row.label,
        tags=tuple(dict.fromkeys((*old.tags, *row.tags))),
        qa=tuple(QA(question, given) for question, given in answers.items()),
        columns={**row.columns, **old.columns},
    )


def _copied(ours: Store, theirs: Store, old: Row | None, row: Row, new: Row) -> Computed | None:
    """The new row's vectors, taken from both memories; None where they lack one."""
    known = theirs.vectors.read_texts(row.number)
    vectors: dict[str, Array] = dict(zip(row.texts, known, strict=False))
    if old is not None:
        vectors |= dict(zip(old.texts, ours.vectors.read_texts(old.number), strict=False))
    if any(text not in vectors for text in new.texts):
        return None
    texts = [vectors[text] for text in new.texts]
    computed = Computed(text_vectors=np.stack(texts) if texts else known[:0])
    if old is not None:
        return computed
    number = row.number
    vector = theirs.vectors.read("vectors", [number]).get(number)
    if row.hash is not None and vector is None:
        return None
    return replace(
        computed,
        vector=vector,
        feature=theirs.vectors.read("features", [number]).get(number),
        picture=theirs.rows.picture(number),
    )


def pages(items: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    """Lists of so many items."""
    iterator = iter(items)
    while page := list(islice(iterator, size)):
        yield page


def _suffix(data: bytes) -> str:
    try:
        format = probe(data).format
    except PictureError:
        return ".bin"
    return SUFFIX.get(format, f".{format.lower()}")
