"""Re-embedding: give a memory another encoder, or a newly trained one, without losing a moment.

The new vectors are built beside the old ones, in batches that survive a kill, while readers and
writers go on with the old ones; then the new space takes the old one's place in one transaction.
Where both encoders share their picture network, the kept features are projected again and no
picture is decoded.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ravl.data import Rejected
from ravl.encoders.base import Array, Encoder
from ravl.errors import RavlError
from ravl.progress import progress_bar
from ravl.store import rows as store
from ravl.store.collection import Collection
from ravl.store.row import Row
from ravl.store.spaces import (
    Space,
    current_space,
    delete_vectors,
    drop_space,
    find_space,
    make_space,
    newest_change,
    read_vectors,
    table_name,
    write_text_vectors,
    write_vector,
)

BATCHES = 4  # batches of the encoder per transaction


@dataclass
class ReembedReport:
    """What re-embedding did.

    Args:
        rows: embedded in this run (a resumed run does only what was left).
        reused: of these, pictures that were known already, so that no file was read.
        rejected: rows whose picture could not be read; they stay, but are not found by similarity.
    """

    rows: int = 0
    reused: int = 0
    rejected: list[Rejected] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        reasons = [r.to_json() for r in self.rejected]
        return {"rows": self.rows, "reused_features": self.reused, "set_aside": reasons}


def reembed(
    memory: Collection,
    encoder: Encoder,
    show: bool | None = None,
    known: Mapping[str, Array] | None = None,
) -> ReembedReport:
    """Replace the memory's vectors by those of another encoder; resumes where it was stopped.

    Args:
        memory: to change.
        encoder: that makes the new vectors.
        show: a progress bar; None for only on a terminal.
        known: vectors (d,) of pictures that the encoder has seen already, by the hash of their
            file.
    """
    report = ReembedReport()
    database = memory.database
    with database.transaction() as connection:
        old = current_space(connection)
        if old.fingerprint.matches(encoder.fingerprint):
            return report
        new = _building_space(connection, encoder)
        reuse = old.fingerprint.same_tower(encoder.fingerprint)
        todo = _missing(connection, new)
        version = store.new_version(connection, f"reembed {encoder.spec}")
    with progress_bar("Embedding", "rows", show) as advance:
        while True:
            step = encoder.batch_size * BATCHES
            for i in range(0, len(todo), step):
                _embed(memory, encoder, old, new, todo[i : i + step], reuse, known or {}, report)
                advance(len(todo[i : i + step]), len(todo))
            with database.transaction() as connection:
                # What changed while we embedded is embedded again, until nothing has.
                todo = _changed(connection, new)
                if not todo:
                    _switch(connection, old, new, reuse, version)
                    break
                seen = newest_change(connection)
                connection.execute(
                    "UPDATE spaces SET since = ? WHERE space = ?", (seen, new.number)
                )
            new = _reread(database.connection)
    return report


def _building_space(connection: sqlite3.Connection, encoder: Encoder) -> Space:
    """The unfinished space of this encoder, or a new one in place of another encoder's."""
    begun = find_space(connection, "building")
    if begun and begun.fingerprint.matches(encoder.fingerprint):
        return begun
    if begun:
        drop_space(connection, begun.number)
    return make_space(connection, encoder, "building")


def _reread(connection: sqlite3.Connection) -> Space:
    space = find_space(connection, "building")
    if space is None:
        raise RavlError(
            "Another process has finished or replaced this re-embedding; nothing is lost."
        )
    return space


def _missing(connection: sqlite3.Connection, space: Space) -> list[int]:
    """Rows that the space has not seen: with a picture and no vector, or texts and no vectors."""
    pictures, texts = (table_name(k, space.number) for k in ("vectors", "text_vectors"))
    found = connection.execute(
        f"""SELECT row FROM rows WHERE
            (hash IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {pictures} WHERE key = row)) OR
            (texts != '[]' AND NOT EXISTS (
                SELECT 1 FROM {texts} WHERE key >= row << 16 AND key < (row + 1) << 16))
            ORDER BY row"""
    )
    return [row for (row,) in found]


def _changed(connection: sqlite3.Connection, space: Space) -> list[int]:
    found = connection.execute(
        "SELECT DISTINCT row FROM changes WHERE change > ? ORDER BY row", (space.since,)
    )
    return [row for (row,) in found]


def _embed(
    memory: Collection,
    encoder: Encoder,
    old: Space,
    new: Space,
    numbers: Sequence[int],
    reuse: bool,
    known: Mapping[str, Array],
    report: ReembedReport,
) -> None:
    """Embed some rows' pictures and texts, and write them in one transaction."""
    connection = memory.database.connection
    rows = store.get_rows(connection, numbers, memory.folder)
    kept = read_vectors(connection, "features", old.number, rows) if reuse else {}
    hashes = {number: rows[number].hash or "" for number in kept}
    vectors = {number: known[hash_] for number, hash_ in hashes.items() if hash_ in known}
    vectors |= _projected(encoder, {n: f for n, f in kept.items() if n not in vectors})
    looked, failed = _look(
        memory, encoder, [r for r in rows.values() if r.hash and r.number not in vectors]
    )
    report.reused += len(vectors)
    vectors |= {number: vector for number, (_, vector) in looked.items()}
    texts = encoder.embed_texts([t for row in rows.values() for t in row.texts])
    with memory.database.transaction() as connection:
        current = find_space(connection, "building")
        if current is None or current.number != new.number:
            _reread(connection)
        start = 0
        for number in numbers:
            delete_vectors(connection, new.number, number)
            row = rows.get(number)
            if row is None:  # deleted in the meantime
                continue
            if number in vectors:
                write_vector(connection, "vectors", new.number, number, vectors[number])
            if number in looked:
                write_vector(connection, "features", new.number, number, looked[number][0])
            stop = start + len(row.texts)
            write_text_vectors(connection, new.number, number, texts[start:stop])
            start = stop
        store.put_quarantine(connection, f"reembed {encoder.spec}", failed)
    report.rows += len(rows)
    report.rejected += failed


def _look(
    memory: Collection, encoder: Encoder, rows: Sequence[Row]
) -> tuple[dict[int, tuple[Array, Array]], list[Rejected]]:
    """Features (F,) and vectors (d,) of these rows' pictures, and what could not be read."""

    def prepare(row: Row) -> Array | Rejected:
        try:
            return encoder.prepare(memory.picture(row, hint=encoder.picture_size))
        except RavlError as error:
            return Rejected(str(row.path or row.id), str(error))

    with ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1)), "decode") as pool:
        prepared = list(pool.map(prepare, rows))
    seen = [
        (row.number, p)
        for row, p in zip(rows, prepared, strict=True)
        if not isinstance(p, Rejected)
    ]
    found = zip(*encoder.look([p for _, p in seen]), strict=True) if seen else iter(())
    looked = {number: pair for (number, _), pair in zip(seen, found, strict=True)}
    return looked, [p for p in prepared if isinstance(p, Rejected)]


def _projected(encoder: Encoder, features: Mapping[int, Array]) -> dict[int, Array]:
    """Vectors (d,) that follow from kept features alone; none where another look is needed."""
    if not features or not encoder.projects:
        return {}
    return dict(zip(features, encoder.project(np.stack(list(features.values()))), strict=True))


def _switch(
    connection: sqlite3.Connection, old: Space, new: Space, reuse: bool, version: int
) -> None:
    """The new space becomes current; readers see it from their next search on."""
    if reuse:  # the old space's features are the new one's
        connection.execute(f"DROP TABLE {table_name('features', new.number)}")
        connection.execute(
            f"ALTER TABLE {table_name('features', old.number)} "
            f"RENAME TO {table_name('features', new.number)}"
        )
        connection.execute(
            f"CREATE TABLE {table_name('features', old.number)} (key INTEGER PRIMARY KEY)"
        )
    drop_space(connection, old.number)
    connection.execute("UPDATE spaces SET state = 'current' WHERE space = ?", (new.number,))
    connection.execute("UPDATE versions SET what = what || ' (done)' WHERE version = ?", (version,))
