"""``ravl forget``: rows leave a memory for good.

The report names the runs that have learned from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ravl.json_types import JsonObject
from ravl.memory import Memory
from ravl.memory.compacting import is_cut_off
from ravl.refitting.memory_changes import known_parts
from ravl.refitting.versions import versions
from ravl.runs.run import HISTORY, open_run
from ravl.training.splits import SPLIT_NAMES


@dataclass(frozen=True, slots=True)
class Trace:
    """What one run, or an earlier version of it, had of some rows.

    Args:
        folder: of the run or version.
        learned: ids of rows that it was fitted to, or chosen by.
        judged: ids of rows that it was only judged by.
        remedy: what to do, in a sentence; empty where nothing was learned.
    """

    folder: str
    learned: list[str]
    judged: list[str]
    remedy: str

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return asdict(self)


def trace(memory: Memory, ids: Iterable[str], runs: Sequence[str | Path]) -> list[Trace]:
    """Which runs, and which of their versions, know some rows; those that do not are left out.

    Raises:
        RowNotFoundError: one of the ids is not there.
        DataError: one of the runs does not say what it has learned from.
    """
    cut_off = is_cut_off(memory)  # then rows may be gone already, and nothing is known of them
    hashes = {id: memory.get(id).hash for id in ids if not (cut_off and id not in memory)}
    found = []
    for name in runs:
        folder = Path(name)
        places = [folder, *(folder / HISTORY / str(n) for n in versions(folder))]
        for place in places:
            run = open_run(place)
            known = known_parts(run, memory)
            part = {id: SPLIT_NAMES[known[hash]] for id, hash in hashes.items() if hash in known}
            learned = [id for id, its in part.items() if its != "test"]
            judged = [id for id, its in part.items() if its == "test"]
            if part:
                remedy = _remedy(folder, place) if learned else ""
                found.append(Trace(str(place), learned, judged, remedy))
    return found


def forget(memory: Memory, ids: Sequence[str], runs: Sequence[str | Path] = ()) -> list[Trace]:
    """Delete rows, make the memory's file forget them, and say which runs have learned from them.

    If the process ends in between, the same call completes it; see :meth:`Memory.forget`.

    Raises:
        RowNotFoundError, DataError: as :func:`trace`; then nothing is deleted.
    """
    found = trace(memory, ids, runs)
    memory.forget(ids)
    return found


def _remedy(folder: Path, place: Path) -> str:
    if place != folder:
        return f"Delete {place}, once another version answers."
    return f"ravl refit {folder} --promote always"
