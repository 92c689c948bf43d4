"""The versions of a run: each a whole folder below ``history/``, and one of them in its place.

Publishing a version takes three steps, and a run that is cut off after any of them loads. First
``run.json`` points to the version's folder, which is whole and never changes; this one rename is
the exchange. Then the files beside it are replaced, as hard links where the file system has them.
Last, ``run.json`` points nowhere any more. What was cut off is ended by the next refit or rollback.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ravl.errors import DataError
from ravl.files.lock import locked, moment
from ravl.json_types import JsonObject, JsonValue
from ravl.refitting.log import LOG, note
from ravl.runs.run import (
    AGAIN,
    AT,
    HISTORY,
    NUMBER,
    REPORTS,
    RUN,
    Run,
    open_run,
    read_record,
    write_json,
)

BACK = "rolling back"  # in run.json, until a rollback has ended
FROM = "rolled back from"  # in run.json after a rollback, until another version is put in its place
REPLACED = "replaced"  # in run.json of a version: the number of the version that it replaced
OURS = (HISTORY, REPORTS, LOG, RUN)  # of the run as a whole, not of a version


def versions(folder: Path) -> list[int]:
    """Numbers of the versions that are kept, ascending."""
    kept = (folder / HISTORY).glob("[0-9]*")
    return sorted(int(each.name) for each in kept if each.name.isdigit())


def current(folder: Path) -> int:
    """The number of the version in its place; what was never refitted will be the first."""
    return _number(folder, read_record(folder).get(NUMBER, 1))


def rollback(run: str | Path, version: int | None = None) -> int:
    """Put an earlier version of a run back into its place.

    Args:
        run: the folder.
        version: its number. None undoes the last refit: the version that was replaced answers
            again. Repeated, also after a kill, this changes nothing; to go further back, give a
            number.

    Returns:
        The number of the version that answers from now on.

    Raises:
        DataError: there is no such version, or another process works in the run's folder.
    """
    folder = Path(run).resolve()
    open_run(folder)
    with locked(folder):
        mend(folder)
        record, kept, now = read_record(folder), versions(folder), current(folder)
        if version is None and kept and FROM in record:
            return now
        chosen = version if version is not None else _replaced(record, kept, now)
        if not kept:
            raise DataError(f"{run} was never refitted, so there is nothing to go back to.")
        if chosen not in kept:
            which = f"version {version}" if version is not None else "earlier version"
            names = ", ".join(map(str, kept))
            raise DataError(f"{run} has no {which} to go back to; there are: {names}.")
        if chosen != now:
            publish(folder, chosen, {BACK: True} | ({FROM: now} if chosen < now else {}))
            _end_rollback(folder)
        return chosen


def _replaced(record: JsonObject, kept: Sequence[int], now: int) -> int:
    """The version that the present one replaced; versions of an older ravl do not say which."""
    found = record.get(REPLACED)
    earlier = [number for number in kept if number < now]
    if type(found) is int and found in earlier:
        return found
    return earlier[-1] if earlier else 0


def replace_champion(folder: Path, challenger: Path) -> int:
    """Put a challenger in the place of the champion, which is kept; returns its number."""
    if not versions(folder):
        keep(folder)
    number = max(versions(folder)) + 1
    place = folder / HISTORY / str(number)
    record = _placed(read_record(challenger), challenger, place)
    record |= {NUMBER: number, REPLACED: current(folder)}
    write_json(challenger / RUN, record)
    challenger.rename(place)
    publish(folder, number)
    return number


def keep(folder: Path) -> None:
    """Keep a run that was never refitted as its first version."""
    place = folder / HISTORY / "1"
    half = place.with_name("1.part")
    half.mkdir(parents=True)
    for item in _items(folder):
        _link(item, half / item.name)
    write_json(half / RUN, _placed(read_record(folder), folder, place) | {NUMBER: 1})
    half.rename(place)


def publish(folder: Path, number: int, why: Mapping[str, Any] | None = None) -> None:
    """Put a version in its place; see above.

    Args:
        folder: of the run.
        number: of the version.
        why: what ``run.json`` says in addition, until it is removed.
    """
    place = folder / HISTORY / str(number)
    record = _placed(read_record(place), place, folder) | dict(why or {})
    write_json(folder / RUN, record | {AT: f"{HISTORY}/{number}"})
    new = {item.name for item in _items(place)}
    for item in _items(folder):
        if item.name not in new:
            _remove(item)
    for item in _items(place):
        half = folder / f"work-{item.name}"
        _remove(half)
        _link(item, half)
        if item.is_dir():
            _remove(folder / item.name)
        half.replace(folder / item.name)
        _remove(half)  # the same file twice is not renamed
    write_json(folder / RUN, record)


def mend(folder: Path) -> None:
    """End an exchange that was cut off, and tidy up what it left."""
    for half in (*folder.glob("work-*"), *(folder / HISTORY).glob("*.part")):
        if not half.name.startswith("work-refit-"):
            _remove(half)
    record = read_record(folder)
    if AT in record:
        why = {name: record[name] for name in (BACK, FROM) if name in record}
        publish(folder, _number(folder, record.get(NUMBER)), why)
    if BACK in record:
        _end_rollback(folder)


def _end_rollback(folder: Path) -> None:
    """Log a rollback whose files are in their place; then it has ended."""
    record = read_record(folder)
    number = _number(folder, record.get(NUMBER))
    note(folder, {"at": moment(), "state": "rolled back", "version": number})
    write_json(folder / RUN, {name: value for name, value in record.items() if name != BACK})


def _items(folder: Path) -> list[Path]:
    """The files and folders of a version, but for ``run.json``."""
    return sorted(
        item
        for item in folder.iterdir()
        if item.name not in OURS and not item.name.startswith(("work", "."))
    )


def _number(folder: Path, found: JsonValue) -> int:
    if type(found) is not int:
        raise DataError(f"{folder / RUN} is damaged: its version is {found!r:.50}. {AGAIN}")
    return found


def _placed(record: JsonObject, before: Path, after: Path) -> JsonObject:
    """``run.json`` of a folder that lies elsewhere: what it says relative to it is said anew."""
    record = {name: value for name, value in record.items() if name != AT}
    for name in ("memory", "rerank"):
        if "relative" in record.get(name, {}):
            target = Path(before, record[name]["relative"])
            if name == "memory":
                target = Run(before, record).memory
            record[name] = {**record[name], "relative": os.path.relpath(target.resolve(), after)}
    return record


def _link(source: Path, target: Path) -> None:
    """The same file or folder a second time, without its bytes where that is possible."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_same, dirs_exist_ok=True)
    else:
        _same(source, target)


def _same(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)


def _remove(item: Path) -> None:
    if item.is_dir():
        shutil.rmtree(item)
    else:
        item.unlink(missing_ok=True)
