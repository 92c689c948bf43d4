"""What a memory holds, in figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ravl.store import history
from ravl.store.collection import Collection
from ravl.store.spaces import current_space, table_name


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
    with memory.snapshot() as connection:

        def number(sql: str) -> int:
            return int(connection.execute(sql).fetchone()[0])

        space = current_space(connection)
        vectors = table_name("vectors", space.number)
        pictures = "SELECT count(*) FROM rows WHERE hash IS NOT NULL"
        labels = connection.execute(
            "SELECT label, count(*) FROM rows WHERE label IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        names = connection.execute("SELECT name FROM column_names ORDER BY name")
        return Info(
            path=memory.path,
            bytes=memory.path.stat().st_size,
            rows=number("SELECT count(*) FROM rows"),
            pictures=number(pictures),
            copied=number("SELECT count(*) FROM pictures"),
            texts=number("SELECT coalesce(sum(json_array_length(texts)), 0) FROM rows"),
            question_answers=number("SELECT coalesce(sum(json_array_length(qa)), 0) FROM rows"),
            labels=dict(labels.fetchall()),
            tags=number("SELECT count(DISTINCT value) FROM rows, json_each(rows.tags)"),
            columns=tuple(name for (name,) in names),
            without_text=number(f"{pictures} AND texts = '[]'"),
            without_label=number(f"{pictures} AND label IS NULL"),
            without_vector=number(f"{pictures} AND row NOT IN (SELECT key FROM {vectors})"),
            near_duplicates=number("SELECT count(*) FROM rows WHERE twin != row"),
            quarantined=number("SELECT count(*) FROM quarantine"),
            encoder=space.fingerprint.spec,
            fingerprint=space.fingerprint.digest,
            dimension=space.dimension,
            version=history.newest(connection),
        )
