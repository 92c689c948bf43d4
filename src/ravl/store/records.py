"""What a store hands over beside rows: hashes, counts, entries of the trash, watched folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ravl.data.text import nfc
from ravl.json_types import JsonObject
from ravl.store.row import Row

Stamp = tuple[int, int]  # size in bytes, and a number made of the times of picture and texts
RESTORED: Stamp = (-1, 0)  # of a picture whose row was restored from the trash without its file


class PictureHashes(NamedTuple):
    """What tells a row's picture from others.

    Args:
        row: number of the row.
        id: of the row.
        hash: of the picture file's bytes.
        phash: perceptual hash, 64 bits, None where it was never computed.
        duplicate_of: number of the first row of its group of near-duplicates, or None.
    """

    row: int
    id: str
    hash: str
    phash: int | None
    duplicate_of: int | None

    @property
    def group(self) -> int:
        """Number of the first row of its group of near-duplicates; its own where it has none."""
        return self.duplicate_of or self.row


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a store holds.

    Args:
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
    """

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


@dataclass(frozen=True, slots=True)
class TrashedRow:
    """A row in the trash.

    Args:
        row: as it was.
        at: when it came there, UTC, ISO 8601.
    """

    row: Row
    at: str

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {**self.row.to_json(), "trashed": self.at}


@dataclass(frozen=True, slots=True)
class WatchedFolder:
    """A folder that a memory follows.

    Args:
        path: absolute.
        prefix: of the ids of its pictures, before their paths within it.
        ignored: patterns of what is left as it is, as in a ``.gitignore``.
        labelled: whether sub-folders are labels; None to tell by how they lie.
    """

    path: Path
    prefix: str
    ignored: tuple[str, ...] = ()
    labelled: bool | None = None

    def id_of(self, picture: Path) -> str:
        """The id that a picture of it gets."""
        return nfc(self.prefix + picture.relative_to(self.path).as_posix())


class KeptHubs(NamedTuple):
    """Hubs of one kind of vectors, as :class:`ravl.store.hubness.HubCache` keeps them.

    Args:
        moment: space and changes that they were computed at, JSON.
        bank: SHA256 of the vectors that told it.
        keys: of the vectors, int64.
        hubs: float32, one for each key.
    """

    moment: str
    bank: str
    keys: bytes
    hubs: bytes
