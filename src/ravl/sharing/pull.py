"""``ravl pull``: fetch a run or a memory from a place, or what has changed of it since last time.

Nothing that is fetched is run. Files arrive in a folder beside, are compared with their hashes and
opened, and only then put in place.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ravl.addresses import refuse_address
from ravl.encoders.trained_files import SETTINGS, read_settings
from ravl.errors import DataError, RavlError
from ravl.files.lock import LOCK, locked
from ravl.files.whole_file import write_bytes
from ravl.hashes import FileHash
from ravl.json_types import JsonRecord
from ravl.runs.files import written_files
from ravl.runs.run import RUN
from ravl.sharing.artifact import read_run
from ravl.sharing.copies import Pictures, check_memory, in_use, settle
from ravl.sharing.manifest import MANIFEST, Manifest, holds, is_taken
from ravl.sharing.push import MEGABYTE, TransferReport, bar
from ravl.sharing.remotes import HUB, Remote, open_place

STAGE = ".pulling"  # folder of what has arrived and is not in place yet
SPARE = 64 * MEGABYTE  # that stays free on the disk


def pull(
    source: str | Path, folder: str | Path, *, force: bool = False, progress: bool | None = None
) -> TransferReport:
    """Fetch what :func:`ravl.push` sent; fetched again, only what has changed is.

    Args:
        source: a folder, ``hf:owner/name[@revision]``, or an address that fsspec knows.
        folder: where to put it: new, empty, or of an earlier pull of the same.
        force: put it into a folder that holds something else, over changes that were made here.
        progress: show a bar; None shows it on a terminal.

    Returns:
        What was done, with notes about what is missing.

    Raises:
        DataError: there is nothing, it is damaged or suspicious, something is in the way, or
            another process works in the folder.
        MemoryFileError: a file that should be a memory is not one.
    """
    refuse_address(folder)
    folder, place = Path(folder).expanduser(), open_place(source, show=progress)
    manifest = place.manifest()
    if manifest is None:
        private = ", or private: hf auth login" if place.shown.startswith(HUB) else ""
        what = f"no {MANIFEST}" if not place.is_empty() else f"it is empty, or not there{private}"
        raise DataError(
            f"There is nothing to pull at {place.shown} ({what}). Send it there first with: "
            f"ravl push RUN_OR_MEMORY {place.shown}"
        )
    if not manifest.complete:
        raise DataError(
            f"The push to {place.shown} has not ended. Wait for it, or repeat it if it was "
            "interrupted."
        )
    taken = {name: entry for name, entry in manifest.files.items() if is_taken(name)}
    left_out = sorted(manifest.files.keys() - taken.keys())
    _refuse_place(folder, manifest)
    with locked(folder, beside=not folder.exists()):
        before = _here(folder, manifest, force)
        missing = {n: e for n, e in taken.items() if not holds(folder / n, e)}
        gone = {n: e for n, e in before.items() if n not in manifest.files}
        if not force:
            _refuse_changed(folder, missing, gone, before)
        # In the same file system, so that files are renamed: the folder may be a mounted volume.
        stage = folder / STAGE if folder.exists() else folder.parent / f".{folder.name}{STAGE}"
        size = _fetch(place, missing, stage, progress)
        notes = _checked(manifest, taken, folder, stage)
        _put(folder, stage, manifest, missing, gone)
    return TransferReport(
        manifest.kind,
        manifest.name,
        place.shown,
        manifest.memory,
        list(missing),
        len(taken) - len(missing),
        len(gone),
        size,
        left_out,
        notes,
    )


def _refuse_place(folder: Path, manifest: Manifest) -> None:
    """Refuse a name that cannot be the folder of what is pulled."""
    if folder.is_file():
        raise DataError(f"{folder} is a file. Name a folder for what is pulled.")
    if not folder.exists() and folder.suffix == ".ravl" and manifest.kind == "memory":
        plain = folder.with_suffix("")
        raise DataError(
            f"A memory is pulled into a folder. Name one: {plain}; the memory is then "
            f"{plain / str(manifest.memory)}."
        )


def _here(folder: Path, manifest: Manifest, force: bool) -> dict[str, FileHash]:
    """What an earlier pull put there."""
    if not folder.exists() or all(item.name in (STAGE, LOCK) for item in folder.iterdir()):
        return {}
    file = folder / MANIFEST
    if not file.is_file():
        if force:
            return {}
        raise DataError(
            f"{folder} is not empty, and was not pulled. Name a new folder, or put it there all "
            "the same with --force."
        )
    try:
        found = Manifest.read(file.read_bytes(), str(folder))
    except DataError:
        if force:
            return {}
        raise
    if (found.kind, found.name) != (manifest.kind, manifest.name) and not force:
        raise DataError(
            f"{folder} holds the {found.kind} {found.name!r}, not the {manifest.kind} "
            f"{manifest.name!r}. Name another folder, or replace it with --force."
        )
    return dict(found.files)


def _refuse_changed(
    folder: Path,
    missing: dict[str, FileHash],
    gone: dict[str, FileHash],
    before: dict[str, FileHash],
) -> None:
    """Do not lose what was changed here since the last pull."""
    for name in (*missing, *gone):
        file = folder / name
        if not file.exists() and not file.is_symlink():
            continue
        known = before.get(name)
        if known is None or not holds(file, known) or (file.suffix == ".ravl" and in_use(file)):
            raise DataError(
                f"{file} has changed here since it was pulled, and at its source too. Pull to "
                "another folder to keep both, or give up what is here with --force."
            )


def _fetch(place: Remote, missing: dict[str, FileHash], stage: Path, progress: bool | None) -> int:
    """Fetch files into the stage; what an interrupted pull left there is not fetched again."""
    if stage.is_symlink() or stage.is_file():
        raise DataError(f"{stage} is in the way. Remove it.")
    stage.mkdir(parents=True, exist_ok=True)
    wanted = {n: e for n, e in missing.items() if not holds(stage / n, e)}
    size = sum(entry.size for entry in wanted.values())
    free = shutil.disk_usage(stage).free - SPARE
    if size > free:
        raise DataError(
            f"{place.shown} needs {size / MEGABYTE:,.0f} MB, and the disk of {stage.parent} has "
            f"{max(free, 0) / MEGABYTE:,.0f} MB to spare. Make room, or name another folder."
        )
    with bar("Pulling", place, progress) as advance:
        place.fetch(wanted, stage, lambda done: advance(done, size))
    return size


def _checked(
    manifest: Manifest, taken: dict[str, FileHash], folder: Path, stage: Path
) -> list[str]:
    """Open what was fetched; what does not open is not kept. Returns what is worth saying."""

    def find(name: str) -> Path:
        return stage / name if (stage / name).is_file() else folder / name

    notes: list[str] = []
    try:
        if manifest.memory:
            notes += _about(check_memory(find(manifest.memory)), manifest.memory)
        if manifest.kind == "run" and RUN in taken:
            for name in sorted(name for name in taken if Path(name).name == RUN):
                _check_run(name, find(name), manifest)
            notes += _needs(read_run(find(RUN).parent).record, manifest)
        elif manifest.kind == "run":
            settings = f"encoder/{SETTINGS}"
            if settings not in taken:
                raise DataError(f"It holds neither {RUN} nor {settings}, so that it is no run.")
            read_settings(find(settings).read_bytes())
    except RavlError:
        shutil.rmtree(stage, ignore_errors=True)
        raise
    return notes


def _check_run(name: str, file: Path, manifest: Manifest) -> None:
    """Refuse a run one of whose files is not the file that its fit wrote.

    Raises:
        DataError: says which file.
    """
    above = name.removesuffix(RUN)
    for inner, expected in written_files(file.parent, read_run(file.parent).record).items():
        if manifest.files.get(above + inner) != expected:
            raise DataError(
                f"{above}{inner} is not the file that the fit of the run wrote, or is missing. Do "
                "not use the run; ask the person who pushed it to push it again."
            )


def _needs(record: JsonRecord, manifest: Manifest) -> list[str]:
    notes = []
    generator = record.get("generator")
    if generator not in (None, "fused"):
        notes.append(
            f"It writes with {generator}, which is no part of it: make sure that you trust it "
            "before you use the run."
        )
    if manifest.memory is None:
        name = Path(str(record["memory"]["relative"])).name
        notes.append(
            f"Its memory, {name}, is no part of it. Name it wherever the run is used: --memory "
            f"{name}; or put it beside the run's folder."
        )
    return notes


def _about(found: Pictures, name: str) -> list[str]:
    notes = []
    if found.outside:
        away = (
            f" {found.elsewhere:,} of them are looked for outside the memory's folder, where the "
            "machine that pushed it had them."
            if found.elsewhere
            else ""
        )
        notes.append(
            f"{found.outside:,} pictures of {name} are not in it, and can be shown only where "
            f"their files are.{away}"
        )
    if "hf:" in found.encoder:
        notes.append(
            f"{name} is read with {found.encoder}, which is no part of it and is fetched when it "
            "is first used."
        )
    return notes


def _put(
    folder: Path,
    stage: Path,
    manifest: Manifest,
    missing: dict[str, FileHash],
    gone: dict[str, FileHash],
) -> None:
    """Put the stage in place: as a whole, or file by file into a folder that is there already."""
    write_bytes(stage / MANIFEST, manifest.to_bytes())
    for extra in _extras(stage, {MANIFEST, *missing}):
        extra.unlink()
    if not folder.exists():
        for place, _, _ in os.walk(stage, topdown=False):
            if not any(Path(place).iterdir()):
                Path(place).rmdir()
        stage.rename(folder)
        return
    # Killed in between, the next pull finds what is missing by the manifest: of a new folder the
    # new one, of an update the old one, by which files that are old have not been changed here.
    first = [MANIFEST] if not (folder / MANIFEST).exists() else []
    whole = sorted(missing, key=lambda name: Path(name).name == RUN)  # last: servers follow it
    for name in (*first, *whole, *([] if first else [MANIFEST])):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        settle(stage / name, target)
    for name, entry in gone.items():
        if holds(folder / name, entry):
            (folder / name).unlink()
    shutil.rmtree(stage)


def _extras(stage: Path, kept: set[str]) -> list[Path]:
    """Files in the stage that an earlier, interrupted pull left and nobody needs now."""
    files = (file for file in stage.rglob("*") if file.is_symlink() or file.is_file())
    return [file for file in files if file.relative_to(stage).as_posix() not in kept]
