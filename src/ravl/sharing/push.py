"""``ravl push``: send a run or a memory to a place, or what has changed of it since last time."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from ravl.errors import DataError
from ravl.files.scratch import scratch_folder
from ravl.progress import Advance, progress_bar
from ravl.sharing.artifact import pack, pulled_memory
from ravl.sharing.manifest import MANIFEST, Manifest
from ravl.sharing.remotes import FsspecPlace, Remote, open_place

MEGABYTE = 2**20


@dataclass
class TransferReport:
    """What a push or a pull did.

    Args:
        kind: "run" or "memory".
        name: of what was moved.
        place: where to or from.
        memory: name of the memory that went along, or is what was moved.
        moved: files that were sent or fetched.
        unchanged: files that were there already.
        removed: files that were there and are no part of it any more.
        size: bytes of those that were sent or fetched.
        left_out: files that are of no kind that is sent or taken.
        notes: sentences that the user should read.
    """

    kind: str
    name: str
    place: str
    memory: str | None = None
    moved: list[str] = field(default_factory=list)
    unchanged: int = 0
    removed: int = 0
    size: int = 0
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        many = "" if len(self.moved) == 1 else "s"
        what = f"{len(self.moved):,} file{many} ({self.size / MEGABYTE:,.1f} MB)"
        others = f", {self.unchanged:,} unchanged" if self.unchanged else ""
        gone = f", {self.removed:,} removed" if self.removed else ""
        return f"{self.kind} {self.name}: {what}{others}{gone}"


def push(
    what: str | Path,
    to: str | Path,
    *,
    with_memory: bool = False,
    with_pictures: bool = False,
    public: bool = False,
    force: bool = False,
    progress: bool | None = None,
) -> TransferReport:
    """Send a run or a memory to a place; sent again, only what has changed goes.

    Args:
        what: the folder of a run or an export, or the file of a memory, which may be in use.
        to: a folder, ``hf:owner/name[@branch]``, or an address that fsspec knows, such as
            ``s3://bucket/path``.
        with_memory: send the run's memory with it; the run then finds it wherever it is pulled.
        with_pictures: send pictures that the memory knows by their path alone, inside of it.
        public: a repository on the hub that is made is for everyone to read, and one that everyone
            may read is written to.
        force: replace what lies there, whatever it is.
        progress: show a bar; None shows it on a terminal.

    Returns:
        What was done, with notes about what did not go along.

    Raises:
        DataError: there is no run, the place cannot be reached or holds something else, or another
            process pushes to it.
        MemoryFileError: there is no memory.
    """
    what = pulled_memory(Path(what)) or Path(what)
    place = open_place(to, "run" if what.is_dir() else "memory", public, progress)
    _refuse_itself(what, place)
    alone = place.alone() if isinstance(place, FsspecPlace) else nullcontext()
    with alone, scratch_folder() as scratch:
        before = known(place, force)  # what is wrong is said before much is copied
        parcel = pack(what, scratch, with_memory, with_pictures, progress)
        if before is not None and not force:
            _refuse_other(place, before, parcel.kind, parcel.name)
        manifest = parcel.manifest()
        changed = [n for n, e in manifest.files.items() if not before or before.files.get(n) != e]
        size = sum(manifest.files[name].size for name in changed)
        with bar("Pushing", place, progress) as advance:
            if before != manifest:
                place.send(parcel.files, manifest, before, lambda done: advance(done, size))
    return TransferReport(
        parcel.kind,
        parcel.name,
        place.shown,
        parcel.memory,
        changed,
        len(manifest.files) - len(changed),
        len(before.files.keys() - manifest.files.keys()) if before else 0,
        size,
        parcel.left_out,
        parcel.notes,
    )


def bar(what: str, place: Remote, show: bool | None) -> AbstractContextManager[Advance]:
    """The bar of what goes to a place or comes from it, unless the place has its own."""
    return progress_bar(what, "bytes", False if place.shows_progress else show)


def known(place: Remote, force: bool) -> Manifest | None:
    """What lies at a place that is to be written to.

    Raises:
        DataError: something that ravl has not pushed, unless forced.
    """
    try:
        found = place.manifest()
    except DataError:
        if not force:
            raise
        return None
    if found is None and not force and not place.is_empty():
        raise DataError(
            f"{place.shown} is not empty, and holds nothing that ravl pushed (no {MANIFEST}). Name "
            "another place, or put it there all the same with --force."
        )
    return found


def _refuse_other(place: Remote, before: Manifest, kind: str, name: str) -> None:
    if (before.kind, before.name) != (kind, name):
        raise DataError(
            f"{place.shown} holds the {before.kind} {before.name!r}, not the {kind} {name!r}. Name "
            "another place, or replace it with --force."
        )


def _refuse_itself(what: Path, place: Remote) -> None:
    folder = place.folder if isinstance(place, FsspecPlace) else None
    if folder is None:
        return
    here = what.resolve() if what.is_dir() else what.resolve().parent
    if folder == here or (what.is_dir() and here in folder.parents):
        raise DataError(f"{place.shown} is where {what} lies itself. Name another place.")
    if folder.is_file():
        raise DataError(f"{place.shown} is a file. Name a folder.")
