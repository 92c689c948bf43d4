"""What a store must do to keep a memory.

A store keeps rows, their vectors and words, the history of all changes, the trash, and what is
known of watched folders. SQLite is the one that there is (:mod:`ravl.store.sqlite`); everything
above talks to these protocols alone, so that a server's database can take its place.
``ravl.testing.store_contract`` tests that a store keeps this contract.

Every method works inside :meth:`Store.snapshot` and :meth:`Store.transaction` of the calling
thread, and on its own. Methods that write need a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ravl.data import Rejected
from ravl.encoders import Fingerprint
from ravl.encoders.base import Array
from ravl.json_types import JsonObject
from ravl.store.history import Version
from ravl.store.records import Counts, KeptHubs, PictureHashes, Stamp, TrashedRow, WatchedFolder
from ravl.store.row import NOTHING_COMPUTED, Computed, Row
from ravl.store.space import Kind, Space, SpaceStage, SpaceState
from ravl.store.top_k import Positions


class Rows(Protocol):
    """The rows, and copies of their pictures."""

    def find(self, ids: Iterable[str]) -> dict[str, Row]:
        """Rows by their ids; unknown ids are left out."""

    def get(self, numbers: Iterable[int]) -> dict[int, Row]:
        """Rows by their numbers; unknown numbers are left out."""

    def iterate(self, where: str | None = None, after: int = 0) -> Iterator[Row]:
        """All rows, or those that a filter lets through, in the order of their numbers.

        Others may write in between, and only a page of rows is in memory at a time.

        Args:
            where: a filter, see :mod:`ravl.store.filters`.
            after: only rows with a larger number.

        Raises:
            FilterError: the filter does not parse or names an unknown column.
        """

    def with_file(self) -> Iterator[Row]:
        """Rows that have a path, in the order of their numbers."""

    def count(self, where: str | None = None) -> int:
        """How many rows there are, or a filter lets through; raises as :meth:`iterate` does."""

    def matching(self, where: str) -> Positions:
        """Numbers of the rows that a filter lets through, ascending; raises as :meth:`iterate`."""

    def put(self, version: int, row: Row, computed: Computed = NOTHING_COMPUTED) -> int:
        """Add a row (number 0), or write it in place of the one with its number.

        Read the row in the same transaction, and change what is to change: all fields are written.
        What was computed of a row that was there stays, but for what ``computed`` gives. Its words
        and the history follow.

        Args:
            version: that this belongs to; see :meth:`History.begin`.
            row: to write.
            computed: by the encoder of the current space.

        Returns:
            The row's number; larger than that of any row before if it is new.

        Raises:
            RowNotFoundError: the row with that number is gone, or has another id.
            RowExistsError: the id of a new row is taken.
            DataError: a new picture comes without a vector, or new texts with another number of
                vectors; see :func:`ravl.store.row.check_computed`.
        """

    def rename(self, version: int, renames: Sequence[tuple[Row, Row]]) -> None:
        """Give rows other ids and paths, all at once; all that was computed of them stays.

        Rows may exchange their ids. Only ids and paths are written.

        Args:
            version: that this belongs to.
            renames: each row as it is, and with its new id and path.

        Raises:
            RowNotFoundError: as :meth:`put`.
            RowExistsError: an id is that of another row.
        """

    def delete(self, version: int, row: Row) -> None:
        """Remove a row and all that was computed of it; the history keeps what users put in.

        If it was the first of a group of near-duplicates, the next of them takes its place.

        Raises:
            RowNotFoundError: as :meth:`put`.
        """

    def forget_column_names(self) -> None:
        """Keep the names of those user columns only that a row has."""

    def column_names(self) -> frozenset[str]:
        """Names of all columns of the user's own."""

    def hashes(self) -> list[PictureHashes]:
        """Of all rows with a picture, in the order of their numbers."""

    def perceptual_hashes(self) -> tuple[Positions, Positions]:
        """Numbers of the rows that have a perceptual hash (n,), ascending, and the hashes (n,)."""

    def pictures(
        self,
        *,
        rows: Iterable[int] = (),
        groups: Iterable[int] = (),
        hashes: Iterable[str] = (),
    ) -> list[PictureHashes]:
        """Hashes of pictures by their rows, by ``duplicate_of``, or by the hash of the file.

        Those that any of the three names, in the order of their rows.
        """

    def similar_pictures(self, phash: int, most: int) -> list[PictureHashes] | None:
        """Pictures whose perceptual hash differs in at most so many bits, at most 7, by row.

        Returns:
            None in a memory that has no index for it, since it has few rows: read all hashes.
            Needs a transaction, in which the index may be made.
        """

    def sample_of_pictures(self, count: int) -> list[int]:
        """Numbers of some rows with a perceptual hash, spread over all row numbers."""

    def duplicates(self) -> dict[int, int]:
        """``duplicate_of`` of all rows that have near-duplicates, by their numbers."""

    def group(self, groups: Mapping[int, int]) -> None:
        """Set ``duplicate_of`` of rows, by their numbers; the history does not hear of it."""

    def picture(self, number: int) -> bytes | None:
        """The copy of a row's picture; None where it is kept by its path."""

    def copied(self, numbers: Iterable[int]) -> set[int]:
        """Those of the rows whose picture is kept as a copy."""

    def count_copies(self) -> int:
        """How many pictures are kept as copies."""

    def copy_in(self, number: int, picture: bytes) -> None:
        """Keep a copy of a row's picture instead of its path."""


class Spaces(Protocol):
    """The spaces: which encoder made the vectors."""

    def state(self) -> SpaceState:
        """The current space and the newest change: what a cache follows."""

    def find(self, stage: SpaceStage = "current") -> Space | None:
        """The space in that stage, None where there is none."""

    def current(self) -> Space:
        """The space that searches use.

        Raises:
            MemoryFileError: there is none; the store was not made completely.
        """

    def encoder_state(self, space: int) -> dict[str, bytes]:
        """What the space's encoder needs in addition to its name, to be loaded again."""

    def make(self, fingerprint: Fingerprint, encoder_state: Mapping[str, bytes]) -> Space:
        """A new, empty space in the stage ``building``."""

    def drop(self, space: int) -> None:
        """Forget a space, its vectors and its encoder's state."""

    def advance(self, space: int, change: int) -> None:
        """A space that is built has seen all changes up to this one."""

    def switch(self, old: Space, new: Space, keep_features: bool) -> None:
        """The new space becomes the current one; the old one is dropped.

        Args:
            old: the current space.
            new: the one that was built.
            keep_features: the features of the old space become those of the new one.
        """


class SpaceVectors(Protocol):
    """Vectors of the rows, in float16. A space is named by its number; None is the current one.

    A vector's key is the number of its row; of a text's vector, the row's number and the text's
    place in it, ``number << TEXT_BITS | place``. Vectors that are read are sound: vectors are
    finite and of length 1, or zeros; features are finite. For others MemoryFileError is raised,
    which says how many there are.
    """

    def count(self, kind: Kind, space: int | None = None) -> int:
        """How many there are."""

    def scan(
        self, kind: Kind, space: int | None = None, size: int = 16384
    ) -> Iterator[tuple[Positions, NDArray[np.floating]]]:
        """All of them as keys (n,), ascending, and a matrix (n, d) float16; ``size`` at a time."""

    def of_rows(
        self, kind: Kind, rows: Iterable[int], space: int | None = None
    ) -> tuple[Positions, Array]:
        """Keys (n,) and vectors (n, d) of these rows (ascending); ascending by key."""

    def unsound(self, kind: Kind) -> int:
        """How many of the current space cannot be used: not finite, or not of length 1 or 0."""

    def rows(self, kind: Kind, among: Iterable[int] | None = None) -> set[int]:
        """Numbers of the rows that have a vector of this kind, pictures' or features."""

    def read(self, kind: Kind, rows: Iterable[int], space: int | None = None) -> dict[int, Array]:
        """Vectors (d,) of pictures, or their features (F,), by row; rows without are left out."""

    def read_texts(self, row: int, space: int | None = None) -> Array:
        """Vectors (t, d) of a row's texts, in their order."""

    def missing(self, space: int, among: Iterable[int] | None = None) -> list[int]:
        """Rows that lack a vector in a space, ascending: that of their picture, or of a text.

        Args:
            space: its number.
            among: look at these rows only.
        """

    def write(
        self, kind: Kind, row: int, vector: NDArray[np.floating], space: int | None = None
    ) -> None:
        """Keep a picture's vector (d,) or features (F,) in place of what it had."""

    def write_texts(self, row: int, vectors: Array, space: int | None = None) -> None:
        """Keep the vectors (t, d) of a row's texts in place of those it had."""

    def delete(self, row: int, space: int) -> None:
        """Forget all that a space holds of a row."""


class Words(Protocol):
    """Search by words."""

    def search(
        self, query: str, k: int, allowed: Positions | None = None
    ) -> list[tuple[int, float]]:
        """Best rows by BM25 (Robertson & Zaragoza 2009): (row number, score), higher is better.

        Args:
            query: free text; any of its words may match.
            k: at most so many.
            allowed: row numbers to choose from, None for all.
        """

    def renew(self) -> None:
        """Find all rows by the words of this version, also in what an older ravl has written."""


class History(Protocol):
    """Versions, and the changes of rows that each made; both are numbered upwards from 1."""

    def begin(self, what: str) -> int:
        """Open a version: who does what, and when. Returns its number; changes refer to it."""

    def amend(self, version: int, what: str) -> None:
        """Say otherwise what a version did."""

    def newest(self) -> int:
        """Number of the newest version; 0 before the first."""

    def newest_change(self) -> int:
        """Number of the newest change of any row; 0 before the first."""

    def changed_since(self, change: int) -> list[int]:
        """Numbers of the rows that later changes touched, ascending; some may be gone."""

    def versions(self, id: str | None, limit: int) -> list[Version]:
        """The newest versions first, all or those that touched one row."""

    def states(self, version: int) -> dict[int, JsonObject | None]:
        """Rows that were changed since a version, by number, as they were then.

        Each as :meth:`Row.to_json` gave it; None for a row that was not there.
        """

    def forget_deleted(self) -> int:
        """Take out what is known of rows that are neither there nor in the trash; how many."""


class Trash(Protocol):
    """Rows that were taken out, with all that they had, until they are restored or forgotten."""

    def move(self, version: int, row: Row) -> None:
        """Take a row out of the memory; raises as :meth:`Rows.delete` does."""

    def entries(self) -> list[TrashedRow]:
        """All of it, the newest first, in the order of the history."""

    def computed(self, row: Row) -> Computed:
        """What a row had: its copied picture, and the vectors if the current space has the encoder.

        Raises:
            RowNotFoundError: the row is not here any more.
        """

    def restore(self, version: int, row: Row, new: Row, computed: Computed) -> None:
        """Bring a row back, perhaps under another id and path; it gets a new number.

        Args:
            version: that this belongs to.
            row: that was taken out.
            new: the row in its new form.
            computed: of the new form; see :meth:`computed`.

        Raises:
            RowNotFoundError: the row is not here any more.
            RowExistsError, DataError: as :meth:`Rows.put`.
        """

    def empty(self, numbers: Iterable[int] | None = None) -> int:
        """Forget rows, by number, or all; returns how many."""


class Folders(Protocol):
    """Folders that a memory follows, and their files as they were when last looked at."""

    def watched(self) -> list[WatchedFolder]:
        """All of them, by path."""

    def watch(self, folder: WatchedFolder) -> None:
        """Follow a folder, or follow it otherwise."""

    def unwatch(self, path: Path) -> None:
        """Follow a folder no more."""

    def stamps(self) -> dict[Path, Stamp]:
        """Stamps of all files, by path."""

    def remember(self, stamps: Mapping[Path, Stamp]) -> None:
        """Keep the stamps of these files."""

    def forget(self, paths: Iterable[Path]) -> None:
        """Keep no stamps of these files."""


class Quarantine(Protocol):
    """What could not be read, and why, until it can be."""

    def moment(self, source: str) -> str:
        """A time after all that is kept for a source (UTC, ISO 8601), also if the clock went back.

        A run takes one when it begins, gives it to :meth:`put`, and at its end to :meth:`clear`.
        """

    def put(self, source: str, rejected: Iterable[Rejected], since: str = "") -> None:
        """Keep what was set aside while a source was read.

        Args:
            source: that was read.
            rejected: what was set aside.
            since: not kept with an earlier time than this one.
        """

    def entries(self, source: str | None = None) -> list[Rejected]:
        """All of it, or that of one source; the oldest first."""

    def release(self, place: str) -> None:
        """A place can be read again."""

    def clear(self, source: str, before: str) -> None:
        """Forget what was set aside for a source before that :meth:`moment`."""


class Notes(Protocol):
    """Small notes by name, as texts, and large ones as bytes."""

    def get(self, name: str) -> str | None:
        """The note of that name."""

    def set(self, name: str, value: str) -> None:
        """Keep a note in place of the one of that name."""

    def hubs(self, kind: Kind) -> KeptHubs | None:
        """The hubs of that kind of vectors that were kept last."""

    def keep_hubs(self, kind: Kind, hubs: KeptHubs) -> None:
        """Keep hubs in place of those of that kind."""


class Claims(Protocol):
    """What each source has said of rows, to recognise what it takes back.

    A claim is a text that the caller makes (:mod:`ravl.memory.provenance`). It goes with its row.
    """

    def of_source(self, source: str, numbers: Iterable[int]) -> dict[int, str]:
        """What a source said last of these rows, by their numbers.

        Args:
            source: an absolute path, or a name. Paths below the memory's folder move with it.
            numbers: of the rows.
        """

    def sources(self, numbers: Iterable[int]) -> dict[int, set[str]]:
        """All sources that have said anything of these rows, by their numbers."""

    def put(self, source: str, claims: Mapping[str, str]) -> None:
        """Keep what a source says of rows, by their ids, in place of what it said before."""

    def move(self, old: str, new: str) -> None:
        """A source is in another place now."""


class Store(Protocol):
    """All that a memory keeps."""

    @property
    def path(self) -> Path:
        """Where it is."""

    @property
    def folder(self) -> Path:
        """The absolute folder that paths of pictures below it are kept relative to."""

    @property
    def rows(self) -> Rows:
        """Its rows."""

    @property
    def spaces(self) -> Spaces:
        """Whose vectors it keeps."""

    @property
    def vectors(self) -> SpaceVectors:
        """The vectors."""

    @property
    def words(self) -> Words:
        """Search by words."""

    @property
    def history(self) -> History:
        """What was done."""

    @property
    def trash(self) -> Trash:
        """Rows that were moved to the trash."""

    @property
    def deleted(self) -> Trash:
        """Rows that were deleted, for a revert, until the store is compacted."""

    @property
    def folders(self) -> Folders:
        """Folders that are followed."""

    @property
    def claims(self) -> Claims:
        """What sources have said of rows."""

    @property
    def quarantine(self) -> Quarantine:
        """What could not be read."""

    @property
    def notes(self) -> Notes:
        """Notes about itself."""

    def snapshot(self) -> AbstractContextManager[None]:
        """All that this thread reads inside belongs to one moment.

        It may stand within another one, or within a transaction, whose moment it shares.
        """

    def transaction(self) -> AbstractContextManager[None]:
        """All that this thread writes inside is written, or nothing of it.

        Waits for another writer first. What it reads is up to date, and nobody else writes.

        Raises:
            MemoryLockedError: another process kept writing for too long.
            MemoryFileError: there is no room, or it cannot be written.
        """

    def counts(self) -> Counts:
        """Count everything, at one moment."""

    def size(self) -> int:
        """Bytes that it takes."""

    def compact(self) -> None:
        """Give the room of what was deleted back; afterwards nothing of it is left.

        Raises:
            MemoryLockedError, MemoryFileError: as :meth:`transaction`.
        """

    def copy_to(self, file: Path) -> None:
        """Make a new store in a file, with what is there at this moment.

        Raises:
            MemoryFileError: there is no room, or the file cannot be written.
        """

    def remove_if_unused(self) -> bool:
        """Remove the store if nothing was ever written to it; returns whether it was removed.

        Another writer waits meanwhile, and is refused afterwards: nothing is lost.

        Raises:
            MemoryLockedError, MemoryFileError: as :meth:`transaction`.
        """

    def close(self) -> None:
        """Let go of it, in all threads."""
