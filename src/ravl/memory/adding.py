"""New rows whose pictures are copied into the memory: all of them in one transaction, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from ravl.data import Example, pictures
from ravl.errors import DataError, PictureError
from ravl.memory.provenance import merged
from ravl.memory.writing import Write, write
from ravl.store.collection import Collection
from ravl.store.duplicates import mark_duplicates
from ravl.store.row import Computed, Row, unwritable
from ravl.store.space import MOST_TEXTS


def add_rows(memory: Collection, examples: Sequence[Example]) -> list[Row]:
    """Add a few examples, all or none; returns their rows.

    :meth:`ravl.memory.Memory.add` takes any number of them, updates rows that are there, and sets
    aside what cannot be read.

    Args:
        memory: to add to.
        examples: with ids that no row has.

    Raises:
        RowExistsError: an id is taken, or given twice.
        DataError: the memory cannot store an example.
        PictureError: a picture cannot be read.
    """
    loaded = [_loaded(memory, example) for example in examples]
    what = f"add {examples[0].id}" if len(examples) == 1 else f"add {len(examples):,} rows"

    def work(under_way: Write) -> list[Row]:
        store, version = memory.store, under_way.begin(what)
        for row, data, picture in loaded:
            computed = Computed(text_vectors=under_way.text_vectors(row.texts), picture=data)
            if picture is not None:
                pair = under_way.picture_vectors(row, picture)
                if isinstance(pair, PictureError):
                    raise pair
                computed = replace(computed, feature=pair[0], vector=pair[1])
            store.rows.put(version, row, computed)
        mark_duplicates(store)
        return list(under_way.find(row.id for row, _, _ in loaded).values())

    return write(memory, work)


def _loaded(memory: Collection, example: Example) -> tuple[Row, bytes | None, Image.Image | None]:
    """The new row of an example, its picture as it was encoded, and decoded."""
    row = replace(merged(None, example), path=None)
    if len(row.texts) > MOST_TEXTS:
        raise DataError(f"{row.id!r} has {len(row.texts):,} texts; a row takes {MOST_TEXTS:,}.")
    if flaw := unwritable(row):
        raise DataError(flaw)
    if example.picture is None:
        return row, None, None
    data = pictures.read_bytes(example.picture)
    info = pictures.probe(data)
    picture = pictures.decode(data, hint=memory.encoder.picture_size)
    row = replace(
        row,
        hash=pictures.content_hash(data),
        width=info.width,
        height=info.height,
        phash=pictures.perceptual_hash(picture),
    )
    return row, data, picture
