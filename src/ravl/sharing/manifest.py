"""``ravl.json``: what was pushed to a place, by which a pull knows what to fetch and to expect.

The file may come from a stranger: names that leave the folder are refused, and only kinds of files
that runs and memories have are taken, none of which is code.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from ravl._version import __version__
from ravl.errors import DataError
from ravl.hashes import FileHash, difference, from_json
from ravl.json_types import JsonValue
from ravl.untrusted import parse_json, reason_of

MANIFEST = "ravl.json"
FORMAT = 1  # raise when an older ravl would misread a manifest
KINDS = ("run", "memory")
MOST_BYTES = 16 * 2**20  # of a manifest
MOST_FILES = 10_000
LONGEST = 200  # bytes of a part of a name; file systems allow 255
BLOCK = 2**20
TAKEN = frozenset(
    (
        ".ravl",
        ".json",
        ".yaml",
        ".safetensors",
        ".onnx",
        ".md",
        ".html",
        ".txt",
        ".model",
        ".jinja",
        ".jpg",
        ".jpeg",
        ".png",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".webp",
        ".avif",
        ".ppm",
    )
)
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # of Windows


@dataclass(frozen=True)
class Manifest:
    """What lies at a place.

    Args:
        kind: "run" or "memory".
        name: of the run or memory, without ending.
        files: by their names with "/", without the manifest itself.
        memory: name of the memory among them, None where there is none.
        complete: False while a push is under way, or was interrupted; the files are there, though.
    """

    kind: str
    name: str
    files: Mapping[str, FileHash] = field(default_factory=dict)
    memory: str | None = None
    complete: bool = True

    def to_bytes(self) -> bytes:
        """As it is written."""
        record = {"format": FORMAT, "ravl": __version__, **asdict(self)}
        return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()

    @classmethod
    def read(cls, data: bytes, place: str) -> Manifest:
        """The inverse of :meth:`to_bytes`, trusting nothing.

        Args:
            data: of the file.
            place: where it was found, for messages.

        Raises:
            DataError: it is damaged, a newer ravl wrote it, or a name in it leaves the folder.
        """
        try:
            record = parse_json(data, MOST_BYTES)
            number = int(record["format"])
            files = _entries(record["files"])
            found = cls(
                str(record["kind"]),
                str(record["name"]),
                files,
                record["memory"],
                record["complete"] is True,
            )
            if number <= FORMAT:
                _check(found)
        except Exception as error:
            raise DataError(
                f"{MANIFEST} of {place} is damaged: {reason_of(error)}. Push it there again with "
                "--force."
            ) from error
        if number > FORMAT:
            raise DataError(f"{place} was pushed by a newer ravl (format {number}). Update ravl.")
        return found


def holds(file: Path, entry: FileHash) -> bool:
    """Whether a file is there, itself and no link, and is that one."""
    return file.is_file() and not file.is_symlink() and difference(file, entry) is None


def is_safe(name: str) -> bool:
    """Whether a name stays in its folder on every system, and is not hidden."""
    parts = name.split("/")
    return len(parts) <= 8 and all(map(_is_safe_part, parts)) and name.casefold() != MANIFEST


def is_taken(name: str) -> bool:
    """Whether a run or a memory has files of that kind."""
    return Path(name).suffix.lower() in TAKEN


def copy(
    source: IO[bytes], target: IO[bytes], size: int, advance: Callable[[int], object]
) -> FileHash:
    """Copy one opened file to another; stops where there is more than ``size`` bytes."""
    digest, done = hashlib.sha256(), 0
    while done <= size and (block := source.read(BLOCK)):
        target.write(block)
        digest.update(block)
        done += len(block)
        advance(len(block))
    return FileHash(done, digest.hexdigest())


def _is_safe_part(part: str) -> bool:
    return (
        0 < len(part.encode("utf-8", "replace")) <= LONGEST
        and part.isprintable()
        and part[0] not in ".~ "
        and part[-1] not in ". "
        and not set(part) & set('\\:*?"<>|')
        and not _DEVICE.fullmatch(part)
    )


def _entries(record: JsonValue) -> dict[str, FileHash]:
    if len(record) > MOST_FILES:
        raise ValueError(f"it names {len(record):,} files, more than {MOST_FILES:,}")
    return from_json(record)


def _check(found: Manifest) -> None:
    if found.kind not in KINDS:
        raise ValueError(f"the kind is {found.kind!r}, not one of {', '.join(KINDS)}")
    for name in (found.name, *found.files):
        if not is_safe(name):
            raise ValueError(f"the name {name!r} leads out of its folder, or is not allowed")
    folded = {name.casefold() for name in found.files}
    if len(folded) < len(found.files):
        raise ValueError("two names differ in capitals alone")
    inside = {name[:i] for name in folded for i, c in enumerate(name) if c == "/"}
    if inside & folded:
        raise ValueError(f"{min(inside & folded)!r} is a file and a folder")
    if found.memory is not None and found.memory not in found.files:
        raise ValueError(f"the memory {found.memory!r} is not among the files")
    if found.memory is not None and not found.memory.endswith(".ravl"):
        raise ValueError(f"the memory {found.memory!r} does not end in .ravl")
    if found.kind == "memory" and found.complete and found.memory is None:
        raise ValueError("it names no memory")
