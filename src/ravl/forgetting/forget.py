"""Forget rows in all files that ravl knows of, and say where something of them is left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ravl.errors import DataError, RowNotFoundError
from ravl.files.scratch import remove_abandoned
from ravl.forgetting import scan
from ravl.forgetting.learned import Learned, find_learned, runs_in
from ravl.forgetting.marks import Wanted, marks_of, of_file, said_by
from ravl.forgetting.scan import Trace
from ravl.json_types import JsonObject
from ravl.kept import forget_fitted
from ravl.kept_vectors import throw_away
from ravl.memory import Memory
from ravl.memory.compacting import is_cut_off
from ravl.memory.moves import holds
from ravl.store.row import Row
from ravl.store.sqlite.feedback import FeedbackStore, beside

ANYWHERE = (
    "Not looked at: backups, snapshots of the disk, what was pushed, merged or exported elsewhere, "
    "pages and downloads of other people, and a server that runs: restart it. Name files and "
    "folders of yours with --audit."
)
TRAINED = (
    "The encoder in the memory was trained on rows of it (ravl fit search). Its weights keep what "
    "they have learned until it is trained again, or replaced with ravl reembed."
)


@dataclass
class ForgetReport:
    """What was erased, and what was found of the rows elsewhere.

    Args:
        deleted: rows that were erased from the memory, with its trash and history.
        feedback: entries that were erased from the feedback beside the memory.
        runs: that have learned from the rows, or were judged by them.
        files: that hold something of the rows.
        rows: other rows of the memory and its trash that have the same picture.
        notes: sentences about what was not looked at.
    """

    deleted: int = 0
    feedback: int = 0
    runs: list[Learned] = field(default_factory=list)
    files: list[Trace] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing of the rows was found."""
        return not (self.runs or self.files or self.rows)

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {
            "deleted": self.deleted,
            "feedback": self.feedback,
            "runs": [each.to_json() for each in self.runs],
            "files": [each.to_json() for each in self.files],
            "rows": self.rows,
            "notes": self.notes,
        }


def audit(memory: Memory, names: Sequence[str], places: Sequence[str | Path] = ()) -> ForgetReport:
    """Say where something of rows is found; nothing is changed.

    Looked at are the memory with its trash and log, the files beside it (feedback, logs, pages,
    other memories), runs and exports in folders below, ravl's cache and temporary files.

    Args:
        memory: of the rows.
        names: of each row its id, the hash of its picture, or the file of the picture; the rows may
            be forgotten already. Of a row that is gone, less is known: its texts and vectors
            are not looked for.
        places: runs, exports, pages and folders elsewhere.

    Raises:
        DataError: there is nothing at a place, or a run does not say what it has learned from.
    """
    wanted, folders = _wanted(memory, names), _folders(memory, places)
    return _look(memory, wanted, folders, _learned(memory, wanted, *folders), own=True)


def learned_from(
    memory: Memory, ids: Sequence[str], places: Sequence[str | Path] = ()
) -> list[Learned]:
    """Which runs have learned from rows; arguments and errors as of :func:`audit`."""
    return _learned(memory, _wanted(memory, ids, marks=False), *_folders(memory, places))[0]


def forget(memory: Memory, ids: Sequence[str], places: Sequence[str | Path] = ()) -> ForgetReport:
    """Erase rows from the memory, its trash, its feedback and ravl's cache; say what is left.

    If the process ends in between, the same call completes it; see :meth:`Memory.forget`.

    Args:
        memory: of the rows.
        ids: of rows of the memory or its trash.
        places: see :func:`audit`.

    Raises:
        RowNotFoundError: one of the ids is not there; then nothing is erased.
        DataError: as of :func:`audit`; then nothing is erased.
        MemoryLockedError: another process reads the memory, so that bytes are left in its file.
    """
    there = _rows(memory, ids)
    missing = [id for id in ids if id not in there]
    if missing and not is_cut_off(memory):
        raise RowNotFoundError(
            f"There is no row {missing[0]!r} in {memory.path}. To look for what is left of a row "
            f"that was forgotten: ravl forget {memory.path} {missing[0]} --dry-run"
        )
    wanted, folders = _wanted(memory, ids), _folders(memory, places)
    learned = _learned(memory, wanted, *folders)  # raises before anything is erased
    feedback = _forget_feedback(memory, wanted)
    throw_away()
    forget_fitted()
    for place in (None, memory.folder):  # copies that killed commands have left
        remove_abandoned(place)
    deleted = memory.forget(ids)
    report = _look(memory, wanted, folders, learned, own=False)
    report.deleted, report.feedback = deleted, feedback
    return report


def _rows(memory: Memory, names: Sequence[str]) -> dict[str, list[Row]]:
    """Rows by their ids, in the memory and in the trash; other names are left out."""
    found = {name: [memory.get(name)] for name in names if name in memory}
    for entry in memory.trashed():
        if entry.row.id in names:
            found.setdefault(entry.row.id, []).append(entry.row)
    return found


def _wanted(memory: Memory, names: Sequence[str], marks: bool = True) -> list[Wanted]:
    """What is looked for, by name.

    Args:
        memory: of the rows.
        names: ids, hashes, or files of pictures.
        marks: also what rows say and have, not only ids and hashes.
    """
    rows = _rows(memory, names)
    others = said_by(row for row in memory.rows() if row.id not in rows) if marks and rows else None
    found = []
    for name in names:
        if name not in rows:
            found.append(_gone(name))
            continue
        one = Wanted(name)
        for row in rows[name]:
            one.ids.add(row.id)
            one.hashes |= {row.hash} if row.hash else set()
            if others is not None:
                one.marks += marks_of(memory, row, others)
            if row.path is not None and holds(row.path, row.hash):
                one.path = row.path
        found.append(one)
    return found


def _gone(name: str) -> Wanted:
    """A row that is not there, by the hash of its picture, a file of it, or its id."""
    if re.fullmatch("[0-9a-f]{32}", name):
        return Wanted(name, hashes={name})
    return of_file(Path(name)) if Path(name).is_file() else Wanted(name, {name})


def _look(
    memory: Memory,
    wanted: list[Wanted],
    folders: tuple[list[Path], list[Path]],
    learned: tuple[list[Learned], list[str]],
    own: bool,
) -> ForgetReport:
    (named, near), (runs, notes) = folders, learned
    marks = [mark for one in wanted for mark in one.all_marks()]
    files = dict(scan.files_of_memory(memory.path, own))
    for place in (*near, *named):
        files |= dict(scan.files_below(place))
    files |= dict(scan.elsewhere(memory.folder))
    for one in wanted:
        if one.path is not None:
            files.pop(one.path, None)
    found = [*_own_files(wanted), *scan.scan(files.items(), marks)]
    if memory.store.spaces.current().fingerprint.spec.startswith("trained"):
        notes.append(TRAINED)
    return ForgetReport(
        runs=runs, files=found, rows=_others(memory, wanted), notes=[*notes, ANYWHERE]
    )


def _folders(memory: Memory, places: Sequence[str | Path]) -> tuple[list[Path], list[Path]]:
    """Places that were named, and folders of runs and exports near the memory."""
    named = [Path(place) for place in places]
    for place in named:
        scan.check(place)
    taken = {place.resolve() for place in named}
    return named, [place for place in scan.beside(memory.path) if place.resolve() not in taken]


def _learned(
    memory: Memory, wanted: list[Wanted], named: list[Path], near: list[Path]
) -> tuple[list[Learned], list[str]]:
    """Which runs have learned from rows, and which near the memory could not be asked."""
    runs = [
        each
        for place in named
        for run in runs_in(place)
        for each in find_learned(memory, wanted, run)
    ]
    notes = []
    for run in (run for place in near for run in runs_in(place)):
        try:
            runs += find_learned(memory, wanted, run)
        except DataError as error:
            notes.append(f"{run} was not asked what it has learned: {error}")
    return runs, notes


def _own_files(wanted: Iterable[Wanted]) -> Iterator[Trace]:
    """The pictures themselves, which ravl never deletes."""
    for one in wanted:
        if one.path is not None and one.path.exists():
            remedy = "It is the picture itself. Delete the file; then ravl sync forgets its path."
            yield Trace(str(one.path), ["picture"], remedy)


def _others(memory: Memory, wanted: Iterable[Wanted]) -> list[str]:
    """Rows with the pictures that are looked for, in the memory and its trash."""
    hashes = {hash for one in wanted for hash in one.hashes}
    there = [each.id for each in memory.store.rows.hashes() if each.hash in hashes]
    gone = [entry.row.id for entry in memory.trashed() if entry.row.hash in hashes]
    return list(dict.fromkeys(there + gone))


def _forget_feedback(memory: Memory, wanted: Iterable[Wanted]) -> int:
    file = beside(memory.path)
    if not file.exists():
        return 0
    store, both = FeedbackStore(file), list(wanted)
    try:
        ids = {id for one in both for id in one.ids}
        return store.forget(ids, {hash for one in both for hash in one.hashes})
    finally:
        store.close()
