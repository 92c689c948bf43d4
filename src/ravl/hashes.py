"""Sizes and SHA-256 hashes of files: whether a file is the one that was written."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ravl.json_types import JsonObject, JsonValue

SETTLED = 100_000_000  # nanoseconds after a change until a file's times tell it from its next state
MOST_KNOWN = 10_000  # files whose hash is remembered
FileState = tuple[int, int, int, int, int]  # device, inode, size, times of change
_known: dict[FileState, str] = {}


@dataclass(frozen=True, slots=True)
class FileHash:
    """The content of a file.

    Args:
        size: in bytes.
        sha256: in 64 hexadecimal digits.
    """

    size: int
    sha256: str

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {"size": self.size, "sha256": self.sha256}


def hash_of(file: Path) -> FileHash:
    """Size and hash of a file; a process reads a file once, unless the file is written again.

    Raises:
        OSError: the file cannot be read.
    """
    status = file.stat()
    state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if state in _known:
        return FileHash(status.st_size, _known[state])
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        found = FileHash(opened.tell(), digest)
    if time.time_ns() - max(state[3:]) > SETTLED and found.size == status.st_size:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[state] = digest
    return found


def difference(file: Path, expected: FileHash) -> str | None:
    """How a file differs from what was written, as the end of a sentence; None if it is the same.

    The size is compared first, so that most damaged files are not read.
    """
    try:
        if not file.is_file():
            return "it is not there"
        size = file.stat().st_size
        if size != expected.size:
            return f"it has {size:,} bytes, not {expected.size:,}"
        found = hash_of(file)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    if found.sha256 != expected.sha256:
        return f"its SHA-256 is {found.sha256[:12]}..., not {expected.sha256[:12]}..."
    return None


def first_difference(folder: Path, expected: Mapping[str, FileHash]) -> tuple[Path, str] | None:
    """The first file below a folder that is not the expected one, and how it differs."""
    for name, entry in expected.items():
        if (why := difference(folder / name, entry)) is not None:
            return folder / name, why
    return None


def hashes_below(folder: Path, names: list[str]) -> dict[str, FileHash]:
    """Hashes of files, by their names with "/" below a folder."""
    return {name: hash_of(folder / name) for name in sorted(names)}


def to_json(hashes: Mapping[str, FileHash]) -> JsonObject:
    """Hashes by name, as plain JSON types; :func:`from_json` reads them."""
    return {name: entry.to_json() for name, entry in hashes.items()}


def from_json(record: JsonValue) -> dict[str, FileHash]:
    """The inverse of :func:`to_json`, trusting nothing.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: the record is damaged.
    """
    files = {}
    for name, entry in record.items():
        size, digest = entry["size"], entry["sha256"]
        if type(size) is not int or not 0 <= size < 2**53:
            raise ValueError(f"the size of {name!r} is {size!r}")
        if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
            raise ValueError(f"the hash of {name!r} is not valid")
        files[name] = FileHash(size, digest)
    return files
