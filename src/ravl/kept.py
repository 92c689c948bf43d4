"""What was fitted to a memory in closed form, kept in ravl's cache from one command to the next.

A file is named after all that the fit depends on: its examples, and the code that fits. So it is
found again as long as both are the same, and nothing is answered from a fit to other rows. The
files can be thrown away at any time, and ``ravl forget`` does so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from ravl.cache import cache_dir
from ravl.encoders.base import Numbers
from ravl.files.whole_file import whole_file
from ravl.json_types import JsonRecord
from ravl.untrusted import parse_json

FITTED = "fitted"  # the folder in the cache
MOST = 32  # files; the oldest go
LEAST = 200  # rows; fewer are fitted as quickly as a file is read
RECORD, DIGEST = "record", "digest"  # of a file, beside its arrays
FITTING = ("models", "retrieval", "tasks/labels")  # folders of the code that fits


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit gave.

    Args:
        arrays: by name.
        record: what else there is, as plain JSON types.
    """

    arrays: dict[str, Numbers]
    record: JsonRecord = field(default_factory=dict)


def fitted(rows: int, parts: Iterable[object], fit: Callable[[], Fitted]) -> Fitted:
    """What a fit gave when it was made from the same, or gives now.

    Args:
        rows: that it is fitted to; of less than ``LEAST`` nothing is kept.
        parts: arrays, and what ``repr`` tells apart: all that the fit depends on.
        fit: makes it.
    """
    if rows < LEAST:
        return fit()
    file = cache_dir(FITTED) / f"{_name(parts)}.npz"
    known = read(file)
    if known is not None:
        with suppress(OSError):
            file.touch()
        return known
    found = fit()
    write(file, found)
    with suppress(OSError):  # another process may have deleted one
        for old in kept_files()[:-MOST]:
            old.unlink(missing_ok=True)
    return found


def forget_fitted() -> None:
    """Delete all that is kept."""
    for file in kept_files():
        file.unlink(missing_ok=True)


def kept_files() -> list[Path]:
    """All files, the oldest first."""
    return sorted(cache_dir(FITTED).glob("*"), key=lambda file: file.stat().st_mtime_ns)


def _name(parts: Iterable[object]) -> str:
    digest = hashlib.sha256(_code())
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(repr(part).encode("utf-8", "replace"))
    return digest.hexdigest()[:32]


@cache
def _code() -> bytes:
    """What other code would change: a hash of the modules that fit."""
    digest = hashlib.sha256(np.__version__.encode())
    here = Path(__file__).parent
    for file in sorted(file for folder in FITTING for file in (here / folder).rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.digest()


def read(file: Path) -> Fitted | None:
    """What :func:`write` wrote; None if it is not there, or is not what was written."""
    try:
        with file.open("rb") as opened, np.load(opened) as found:
            arrays = {name: found[name] for name in found.files}
        digest, record = arrays.pop(DIGEST), arrays.pop(RECORD).tobytes()
        if digest.tobytes() != _digest(arrays, record):
            return None
        return Fitted(arrays, parse_json(record.decode("utf-8")))
    except Exception:  # not there yet, or damaged: it is fitted again
        return None


def write(file: Path, found: Fitted) -> None:
    """Write a file with a digest of what it holds; a full or read-only disk is no error."""
    record = json.dumps(found.record).encode("utf-8")
    about = {RECORD: record, DIGEST: _digest(found.arrays, record)}
    more = {name: np.frombuffer(data, np.uint8) for name, data in about.items()}
    with suppress(OSError), whole_file(file) as half, half.open("wb") as opened:
        np.savez(opened, **found.arrays, **more)  # type: ignore[arg-type]


def _digest(arrays: dict[str, Numbers], record: bytes) -> bytes:
    digest = hashlib.sha256(record)
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}{array.dtype}{array.shape}".encode() + array.tobytes())
    return digest.digest()
