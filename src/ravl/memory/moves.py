"""Pictures under other names: which row belongs to which file is decided by content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection as Container
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ravl.data import pictures
from ravl.data.text import nfc
from ravl.errors import PictureError
from ravl.store.contract import Store
from ravl.store.row import Row


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file whose content is not that of the row that has its name.

    Args:
        path: of the file.
        hash: of its content.
        id: that a new row of this file would get.
    """

    path: Path
    hash: str
    id: str


@dataclass(frozen=True, slots=True)
class Move:
    """A row whose picture is now in another file.

    Args:
        row: of the memory or of its trash, as it was.
        trashed: True if the row comes from the trash.
        id, path: that the row has now.
    """

    row: Row
    trashed: bool
    id: str
    path: Path | None

    @property
    def moved(self) -> Row:
        """The row in its new form."""
        return replace(self.row, id=self.id, path=self.path)


def find_moves(
    arrivals: Iterable[Arrival], lost: Sequence[Row], trashed: Sequence[Row] = ()
) -> list[Move]:
    """Rows that follow their picture to another file; each file takes the rows of one old file.

    A row whose id was named after its file gets the id of the new file; other ids stay.

    Args:
        arrivals: files that may hold the picture of another row.
        lost: rows whose file is gone, or holds another picture now.
        trashed: rows in the trash, the newest first.

    Returns:
        Moves; see :func:`settle_ids` for ids that several want.
    """
    groups: dict[str, dict[tuple[bool, Path | None], list[Row]]] = defaultdict(dict)
    for in_trash, rows in ((False, lost), (True, trashed)):
        for row in rows:
            if row.hash is not None:
                same = groups[row.hash].setdefault((in_trash, row.path), [])
                if all(row.id != other.id for other in same):
                    same.append(row)
    moves: list[Move] = []
    for arrival in arrivals:
        found = groups.get(arrival.hash)
        if not found:
            continue
        key = min(
            found, key=lambda key: (key[0], key[1] is None or key[1].name != arrival.path.name)
        )
        for row in found.pop(key):
            id = arrival.id if is_named(row.id, row.path) else row.id
            moves.append(Move(row, key[0], id, arrival.path))
    return moves


def settle_ids(moves: Sequence[Move], taken: Container[str]) -> list[Move]:
    """Moves without conflicts of ids: a row whose new id is taken keeps its old one.

    Args:
        moves: to settle.
        taken: ids of rows that neither move nor leave.

    Returns:
        The moves, those of rows that keep their id first. A row of the trash whose id is taken is
        left out.
    """
    settled = list(moves)
    while True:
        settled.sort(key=lambda move: move.trashed or move.id != move.row.id)
        given: set[str] = set()
        kept: list[Move] = []
        for move in settled:
            if move.id in given or move.id in taken:
                if move.trashed:
                    continue
                move = replace(move, id=move.row.id)
            given.add(move.id)
            kept.append(move)
        if len({move.id for move in kept}) == len(kept):
            return kept
        settled = kept


def still_possible(
    store: Store, moves: Sequence[Move], removed: Sequence[Row] = ()
) -> tuple[list[Move], list[Row]]:
    """What is left to do of moves and removals that were found before; needs a transaction.

    Rows that somebody else has deleted, renamed or restored meanwhile are left as they are.

    Args:
        store: of the memory.
        moves: settled ones.
        removed: rows whose picture is nowhere.
    """
    own = [move.row for move in moves if not move.trashed]
    now = store.rows.get(row.number for row in (*own, *removed))
    there = {
        row.number
        for row in (*own, *removed)
        if row.number in now and (now[row.number].id, now[row.number].path) == (row.id, row.path)
    }
    trashed = {entry.row.number for entry in store.trash.entries()}
    left = [row for row in removed if row.number in there]
    chosen = [m for m in moves if m.row.number in (trashed if m.trashed else there)]
    leaving = {row.id for row in left} | {m.row.id for m in chosen if not m.trashed}
    taken = store.rows.find(m.id for m in chosen).keys() - leaving
    return settle_ids(chosen, taken), left


def apply_moves(
    store: Store, version: int, moves: Sequence[Move], removed: Sequence[Row] = ()
) -> None:
    """Move rows to the trash, then rename rows; needs a transaction. Moves out of the trash wait.

    Args:
        store: of the memory.
        version: that this belongs to.
        moves: settled ones.
        removed: rows whose picture is nowhere.
    """
    left = [row.path for row in (*removed, *(move.row for move in moves))]
    store.folders.forget(path for path in left if path is not None)
    for row in removed:
        store.trash.move(version, row)
    store.rows.rename(version, [(m.row, m.moved) for m in moves if not m.trashed])


def is_named(id: str, path: Path | None) -> bool:
    """True if an id was made from the name of a file."""
    return path is not None and nfc(id).endswith(nfc(path.name))


def content_of(path: Path) -> str | None:
    """The hash of a file's content; None if it cannot be read."""
    try:
        return pictures.content_hash(pictures.read_bytes(path))
    except PictureError:
        return None


def holds(path: Path, hash: str | None) -> bool:
    """True if a file is there, and has this content."""
    return path.exists() and content_of(path) == hash
