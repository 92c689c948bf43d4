"""What a run or a memory sends: its files, with what they name brought along."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ravl.encoders.trained_files import SETTINGS
from ravl.errors import DataError, MemoryFileError
from ravl.files.whole_file import write_text
from ravl.hashes import hash_of
from ravl.json_types import JsonObject, JsonValue
from ravl.runs.files import FILES, check_files
from ravl.runs.run import AGAIN, AT, HISTORY, REPORTS, RUN, Run, open_run, read_record, write_json
from ravl.runtime.names import MANIFEST as EXPORT
from ravl.sharing.copies import Pictures, copy_memory
from ravl.sharing.manifest import MANIFEST, Manifest, is_safe, is_taken
from ravl.untrusted import damage_of, read_json

UNFINISHED = "work"  # folder of a fit that is under way, or was interrupted
LOGS = "logs"  # of TensorBoard
RERANK = "rerank"  # folder of the match run by which neighbours are reranked
CARD = "README.md"
WITH_PICTURES = "Send them too with --with-pictures."


@dataclass
class Artifact:
    """What is to be sent.

    Args:
        kind: "run" or "memory".
        name: of it.
        files: where each is, by its name at the place.
        memory: name of the memory among them; None without one.
        left_out: files of the run that are of no kind that is sent.
        notes: sentences that the sender should read.
    """

    kind: str
    name: str
    files: dict[str, Path] = field(default_factory=dict)
    memory: str | None = None
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def manifest(self) -> Manifest:
        """What the place will say of it; reads all files."""
        entries = {name: hash_of(file) for name, file in self.files.items()}
        return Manifest(self.kind, self.name, entries, self.memory)


def pack(
    what: Path, scratch: Path, with_memory: bool, with_pictures: bool, show: bool | None
) -> Artifact:
    """Make a parcel.

    Args:
        what: the folder of a run, or the file of a memory.
        scratch: an empty folder for what is written anew.
        with_memory: a run brings its memory along.
        with_pictures: a memory brings its pictures along.
        show: progress.

    Raises:
        DataError, MemoryFileError: there is no run or memory, or what it needs is not there.
    """
    if what.is_dir():
        if with_pictures and not with_memory:
            raise DataError(
                "Pictures go along with a memory, and a run has none in it. Add --with-memory."
            )
        return _run(what, scratch, with_memory, with_pictures, show)
    if not what.exists():
        raise DataError(f"There is nothing at {what}. Name the folder of a run, or a memory.")
    if with_memory:
        raise DataError(f"{what} is a memory itself. Leave out --with-memory.")
    parcel = Artifact("memory", _name(what.stem))
    _memory(parcel, what, scratch, with_pictures, show)
    card = scratch / CARD
    write_text(card, _card(parcel, scratch / str(parcel.memory)))
    parcel.files[CARD] = card
    return parcel


def pulled_memory(folder: Path) -> Path | None:
    """The memory that was pulled into a folder; None where a run was, or nothing."""
    if not (folder / MANIFEST).is_file():
        return None
    found = Manifest.read((folder / MANIFEST).read_bytes(), str(folder))
    return folder / str(found.memory) if found.kind == "memory" else None


def _run(
    folder: Path, scratch: Path, with_memory: bool, with_pictures: bool, show: bool | None
) -> Artifact:
    parcel = Artifact("run", _name(folder.resolve().name))
    if (folder / UNFINISHED).is_dir():
        raise DataError(f"The fit in {folder} has not ended. Repeat its command, then push it.")
    if (folder / "encoder" / SETTINGS).is_file() and not (folder / RUN).exists():  # of fit search
        _collect(parcel, folder)
        if with_memory:
            raise DataError(f"{folder} names no memory. Push the memory by itself.")
        return parcel
    with damage_of(f"The run in {folder}", AGAIN):
        return _whole_run(parcel, folder, scratch, with_memory, with_pictures, show)


def _whole_run(
    parcel: Artifact,
    folder: Path,
    scratch: Path,
    with_memory: bool,
    with_pictures: bool,
    show: bool | None,
) -> Artifact:
    run = read_run(folder)
    if AT in run.record:
        raise DataError(
            f"{folder} is between two versions: ravl refit or ravl rollback is at it, or was cut "
            f"off. Wait, or repair it with ravl refit {folder}, and push it then."
        )
    check_files(folder, run.record)
    _collect(parcel, folder)
    memory = run.memory
    if with_memory:
        if not memory.exists():
            raise MemoryFileError(f"The memory of {folder}, {memory}, is not there to be sent.")
        _memory(parcel, memory, scratch, with_pictures, show)
    else:
        parcel.notes.append(
            f"Its memory, {memory.name}, does not go along. Send it too with --with-memory; or "
            f"push it by itself, and name it with --memory wherever the run is used."
        )
    _second_look(parcel, run)
    record = _moved(run.record, parcel.memory or f"../{memory.name}")
    if FILES in record:  # a file that is not sent is not missed there
        record[FILES] = {n: e for n, e in record[FILES].items() if n in parcel.files}
    write_json(scratch / RUN, record)
    parcel.files[RUN] = scratch / RUN
    if EXPORT in parcel.files:
        about = read_json(parcel.files[EXPORT])
        about["run"] = Path(str(about.get("run", ""))).name
        write_json(scratch / EXPORT, about)
        parcel.files[EXPORT] = scratch / EXPORT
    return parcel


def read_run(folder: Path) -> Run:
    """What a run says of itself. Unlike :func:`ravl.runs.run.open_run` it opens no network.

    Raises:
        DataError: there is none, it is damaged, or a newer ravl made it.
    """
    file = folder / RUN
    if not file.is_file():
        return open_run(folder)  # says what is wrong
    return Run(folder, read_record(folder))


def _moved(record: JsonValue, memory: str) -> JsonObject:
    """``run.json`` with places that hold wherever the folder lies, and tell nobody where it was."""
    moved = dict(record)
    moved["memory"] = {**record["memory"], "path": memory, "relative": memory}
    if "relative" in record.get("rerank", {}):
        moved["rerank"] = {**record["rerank"], "path": RERANK, "relative": RERANK}
    return moved


def _second_look(parcel: Artifact, run: Run) -> None:
    """The match run by which neighbours are reranked is sent too, in a folder of its own.

    A match run says under that name how it reranks itself.
    """
    known = run.record.get("rerank", {})
    if "relative" not in known or not known["weight"]:
        return
    beside = (run.folder / known["relative"]).resolve()
    other = beside if (beside / RUN).exists() else Path(known["path"])
    if not (other / RUN).is_file():
        raise DataError(
            f"{run.folder} looks at its neighbours again by the match run in {other}, which is not "
            "there. Bring it back, or fit again without it."
        )
    _collect(parcel, other, f"{RERANK}/")


def _collect(parcel: Artifact, folder: Path, below: str = "") -> None:
    """The files of a run's folder, but for memories and what nobody needs."""
    for file in _files(folder):
        if file.relative_to(folder).parts[0] in (HISTORY, REPORTS):
            continue  # what it was before is its owner's
        name = below + file.relative_to(folder).as_posix()
        if file.name == MANIFEST and file.parent == folder:
            continue
        known = is_safe(name) and is_taken(name) and file.suffix != ".ravl"
        if known and not file.relative_to(folder).as_posix().startswith(f"{LOGS}/"):
            parcel.files[name] = file
        else:
            parcel.left_out.append(name)


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(place, name)
            if not name.startswith(".") and file.is_file():
                yield file


def _memory(
    parcel: Artifact, path: Path, scratch: Path, with_pictures: bool, show: bool | None
) -> None:
    name = f"{_name(path.stem)}.ravl"
    found = copy_memory(path, scratch / name, with_pictures, show)
    parcel.files[name], parcel.memory = scratch / name, name
    parcel.notes += about_pictures(found, path)


def about_pictures(found: Pictures, path: Path) -> list[str]:
    """What the sender of a memory should know about its pictures."""
    count = found.inside + found.outside
    if found.lost:
        return [
            f"{found.lost:,} of {count:,} pictures of {path.name} cannot be sent: their files are "
            "gone, or have changed since they were indexed."
        ]
    if found.outside:
        return [
            f"{found.outside:,} of {count:,} pictures of {path.name} are files of their own and do "
            "not go along: their paths, texts and vectors do, and searches and answers stay the "
            f"same, but these pictures cannot be shown there. {WITH_PICTURES}"
        ]
    return []


def _card(parcel: Artifact, memory: Path) -> str:
    """For people who meet the folder without us."""
    from ravl.store.sqlite import SqliteStore

    with closing(SqliteStore(memory)) as store:
        rows = store.rows.count()
    lines = (
        "---",
        "tags:",
        "- ravl",
        "viewer: false",
        "---",
        f"# {parcel.name}",
        "",
        f"A memory of ravl: {rows:,} rows of pictures and texts with their vectors, to search, to "
        "answer from, and to fit with.",
        "",
        "```",
        f"ravl pull THIS_PLACE {parcel.name}",
        f'ravl search {parcel.name}/{memory.name} "words"',
        "```",
        "",
        "The pictures and texts are their owners'.",
    )
    return "\n".join(lines) + "\n"


def _name(text: str) -> str:
    """A name that every system can hold."""
    name = "".join(c if c.isprintable() and c not in '\\/:*?"<>|' else "-" for c in text)
    name = name.strip("~. ")[:60]
    return name if is_safe(name) else "ravl"
