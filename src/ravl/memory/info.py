"""What a memory holds, in figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ravl.store.collection import Collection


@dataclass(frozen=True, slots=True)
class Info:
    """Counts and sizes.

    Args:
        path: of the memory's file.
        bytes: size of the file.
        rows: all of them.
        pictures: rows with a picture.
        copied: pictures that are kept in the memory itself.
        texts, question_answers: in all rows.
        labels: number of rows with each label, most frequent first.
        tags: number of different tags.
        columns: names of the user columns.
        without_text, without_label: rows with a picture that lack it.
        without_vector: rows with a picture that cannot be found by similarity.
        near_duplicates: pictures that look like an earlier one.
        quarantined: what was set aside.
        encoder: its name.
        fingerprint: twelve digits that tell encoders apart.
        dimension: of the vectors.
        version: number of the newest version.
    """

    path: Path
    bytes: int
    rows: int
    pictures: int
    copied: int
    texts: int
    question_answers: int
    labels: dict[str, int]
    tags: int
    columns: tuple[str, ...]
    without_text: int
    without_label: int
    without_vector: int
    near_duplicates: int
    quarantined: int
    encoder: str
    fingerprint: str
    dimension: int
    version: int

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self) | {"path": str(self.path), "columns": list(self.columns)}


def describe(memory: Collection) -> Info:
    """Count everything, at one moment."""
    store = memory.store
    with store.snapshot():
        space, counts = store.spaces.current(), store.counts()
        return Info(
            path=memory.path,
            **{field.name: getattr(counts, field.name) for field in fields(counts)},
            encoder=space.fingerprint.spec,
            fingerprint=space.fingerprint.digest,
            dimension=space.dimension,
            version=store.history.newest(),
        )
