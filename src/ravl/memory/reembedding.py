"""Re-embedding: give a memory another encoder, or a newly trained one, without losing a moment.

The new vectors are built beside the old ones, in batches that survive a kill, while readers and
writers go on with the old ones; then the new space takes the old one's place in one transaction.
Where both encoders share their picture network, the kept features are projected again and no
picture is decoded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from ravl.data import Rejected
from ravl.encoders.base import Array, Encoder
from ravl.errors import RavlError
from ravl.json_types import JsonObject
from ravl.progress import progress_bar
from ravl.store.collection import Collection
from ravl.store.contract import Store
from ravl.store.row import Row
from ravl.store.space import Space
from ravl.threads import cores

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

    def to_json(self) -> JsonObject:
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
    report, store = ReembedReport(), memory.store
    with store.transaction():
        old = store.spaces.current()
        if old.fingerprint.matches(encoder.fingerprint):
            return report
        new = _building_space(store, encoder)
        reuse = old.fingerprint.same_vision(encoder.fingerprint)
        todo = store.vectors.missing(new.number)
        version = store.history.begin(what := f"reembed {encoder.spec}")
    with progress_bar("Embedding", "rows", show) as advance:
        while True:
            step = encoder.batch_size * BATCHES
            for i in range(0, len(todo), step):
                _embed(memory, encoder, old, new, todo[i : i + step], reuse, known or {}, report)
                advance(len(todo[i : i + step]), len(todo))
            with store.transaction():
                _check_unchanged(store, old, new.number)
                # What changed while we embedded is embedded again, until nothing has.
                todo = store.history.changed_since(new.since)
                if not todo:
                    # Readers see the new space from their next search on.
                    store.spaces.switch(old, new, keep_features=reuse)
                    store.history.amend(version, f"{what} (done)")
                    break
                store.spaces.advance(new.number, store.history.newest_change())
                new = _building(store, new.number)
    return report


def _building_space(store: Store, encoder: Encoder) -> Space:
    """The unfinished space of this encoder, or a new one in place of another encoder's."""
    begun = store.spaces.find("building")
    if begun and begun.fingerprint.matches(encoder.fingerprint):
        return begun
    if begun:
        store.spaces.drop(begun.number)
    return store.spaces.make(encoder.fingerprint, encoder.state())


def _building(store: Store, number: int) -> Space:
    """The present state of the unfinished space, if it is still the one of that number."""
    space = store.spaces.find("building")
    if space is None or space.number != number:
        raise RavlError(
            "Another process has finished or replaced this re-embedding; nothing is lost."
        )
    return space


def _check_unchanged(store: Store, old: Space, new: int) -> None:
    """Refuse to go on where another process has re-embedded the memory meanwhile.

    Raises:
        RavlError: it has.
    """
    _building(store, new)
    if store.spaces.state().space != old.number:
        raise RavlError(
            "Another process has given the memory another encoder meanwhile; nothing is lost. Run "
            "the same command again."
        )


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
    store = memory.store
    with store.snapshot():
        _check_unchanged(store, old, new.number)
        there = store.rows.get(numbers)
        rows = {number: there[number] for number in numbers if number in there}
        kept = store.vectors.read("features", rows, old.number) if reuse else {}
    hashes = {number: rows[number].hash or "" for number in kept}
    vectors = {number: known[hash_] for number, hash_ in hashes.items() if hash_ in known}
    vectors |= _projected(encoder, {n: f for n, f in kept.items() if n not in vectors})
    looked, failed = _look(
        memory, encoder, [r for r in rows.values() if r.hash and r.number not in vectors]
    )
    report.reused += len(vectors)
    vectors |= {number: vector for number, (_, vector) in looked.items()}
    texts = encoder.embed_texts([t for row in rows.values() for t in row.texts])
    with store.transaction():
        _check_unchanged(store, old, new.number)
        start = 0
        for number in numbers:
            store.vectors.delete(number, new.number)
            row = rows.get(number)
            if row is None:  # deleted in the meantime
                continue
            if number in vectors:
                store.vectors.write("vectors", number, vectors[number], new.number)
            if number in looked:
                store.vectors.write("features", number, looked[number][0], new.number)
            stop = start + len(row.texts)
            store.vectors.write_texts(number, texts[start:stop], new.number)
            start = stop
        store.quarantine.put(f"reembed {encoder.spec}", failed)
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

    with ThreadPoolExecutor(min(4, cores()), "decode") as pool:
        prepared = list(pool.map(prepare, rows))
    seen = [
        (row.number, p)
        for row, p in zip(rows, prepared, strict=True)
        if not isinstance(p, Rejected)
    ]
    found = zip(*encoder.encode_prepared([p for _, p in seen]), strict=True) if seen else iter(())
    looked = {number: pair for (number, _), pair in zip(seen, found, strict=True)}
    return looked, [p for p in prepared if isinstance(p, Rejected)]


def _projected(encoder: Encoder, features: Mapping[int, Array]) -> dict[int, Array]:
    """Vectors (d,) that follow from kept features alone; none where another look is needed."""
    if not features or not encoder.projects:
        return {}
    return dict(zip(features, encoder.project(np.stack(list(features.values()))), strict=True))
