"""Which runs, and which of their versions, have learned from rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ravl.errors import DataError
from ravl.forgetting.marks import Wanted
from ravl.json_types import JsonObject
from ravl.memory import Memory
from ravl.refitting.memory_changes import known_splits
from ravl.refitting.versions import versions
from ravl.runs.learned import SPLIT_FILE
from ravl.runs.run import HISTORY, RUN, open_run
from ravl.training.splits import SPLIT_NAMES
from ravl.untrusted import MOST_OF_PICTURES, read_json, reason_of


@dataclass(frozen=True, slots=True)
class Learned:
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


def find_learned(memory: Memory, wanted: Sequence[Wanted], run: Path) -> list[Learned]:
    """What a run and its versions know of some rows; those that know nothing are left out.

    What the run says of the ids and hashes of the rows is added to ``wanted``.

    Raises:
        DataError: the folder holds no run, or the run does not say what it has learned from.
    """
    found = []
    for place in (run, *(run / HISTORY / str(n) for n in versions(run))):
        opened = open_run(place, verify=False)
        splits = known_splits(opened, memory)
        for id, hash in _named(opened.folder / SPLIT_FILE):
            for one in wanted:
                if id in one.ids or hash in one.hashes:
                    one.ids.add(id)
                    one.hashes.add(hash)
        known: dict[str, int] = {}
        for one in wanted:
            numbers = [splits[hash] for hash in one.hashes if hash in splits]
            if numbers:
                known[one.name] = min(numbers)
        learned = [name for name, number in known.items() if SPLIT_NAMES[number] != "test"]
        judged = [name for name in known if name not in learned]
        if known:
            remedy = _remedy(run, place) if learned else ""
            found.append(Learned(str(place), learned, judged, remedy))
    return found


def runs_in(place: Path) -> list[Path]:
    """The run in a folder, or in the folders directly below it."""
    found = [place, *(sorted(place.iterdir()) if place.is_dir() else [])]
    return [folder for folder in found if (folder / RUN).is_file() and folder.name != HISTORY]


def _named(file: Path) -> Iterator[tuple[str, str]]:
    """Ids and hashes of the pictures that a run names; none in a run of an older ravl."""
    try:
        split = read_json(file, MOST_OF_PICTURES)
        for name in SPLIT_NAMES:
            yield from zip(split[name], split.get("hashes", {}).get(name, ()), strict=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{file} is missing or damaged ({reason_of(error)}).") from error


def _remedy(folder: Path, place: Path) -> str:
    if place != folder:
        return f"Delete {place}, once another version answers."
    return f"ravl refit {folder} --promote always"
