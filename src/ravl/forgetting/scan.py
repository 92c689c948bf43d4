"""Look for rows in the bytes of files: of runs, exports and pages, and beside a memory."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ravl.cache import cache_dir
from ravl.data.readers.folder_files import SUFFIXES
from ravl.errors import DataError
from ravl.files.scratch import PREFIX
from ravl.forgetting.kinds import MARKS, UNKNOWN, kind_beside, kind_in_run
from ravl.forgetting.marks import Mark
from ravl.json_types import JsonObject
from ravl.kept import kept_files
from ravl.kept_vectors import FOLDERS

DEPTH = 3  # folders below that of a memory in which runs are looked for
WEIGHTS = (".safetensors", ".onnx")  # words in them are chance
BATCH = 64  # rows of a Parquet file that are read together


@dataclass(frozen=True, slots=True)
class Trace:
    """A file that holds something of a row.

    Args:
        file: where it is.
        holds: what it holds: id, hash, label, text, picture, vector; "unread" if it cannot be read.
        remedy: what to do, in a sentence.
    """

    file: str
    holds: list[str]
    remedy: str

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return asdict(self)


def scan(files: Iterable[tuple[Path, str]], marks: Sequence[Mark]) -> list[Trace]:
    """Which files hold one of the marks.

    Args:
        files: each with what to do about a trace in it.
        marks: of the rows.
    """
    found, seen = [], {}
    for file, remedy in files:
        try:
            status = file.stat()
            same = status.st_dev, status.st_ino  # versions of a run share files
            if same not in seen:
                seen[same] = _holds(file, marks)
            holds = seen[same]
        except FileNotFoundError:  # gone since it was listed
            continue
        except OSError:
            holds = ["unread"]
        if holds:
            found.append(Trace(str(file), holds, remedy))
    return found


def files_of_memory(memory: Path, own: bool) -> Iterator[tuple[Path, str]]:
    """The files in a memory's folder, without pictures and what is in sub-folders.

    Args:
        memory: the file.
        own: also the memory itself and its log.
    """
    for file in sorted(memory.parent.iterdir()):
        kind = kind_beside(file.name, memory.name)
        if not file.is_file() or file.suffix.lower() in SUFFIXES:
            continue
        if not own and file.name in (memory.name, f"{memory.name}-wal", f"{memory.name}-shm"):
            continue
        if kind is not None:
            yield file, kind.remedy or f"ravl forget {memory} ID"
        else:
            other = f"ravl forget {file} ID" if file.suffix == ".ravl" else UNKNOWN
            yield file, other


def files_below(place: Path) -> Iterator[tuple[Path, str]]:
    """A file, or all files of a folder: of a run, an export, or of anything.

    Raises:
        DataError: there is nothing at the place.
    """
    check(place)
    yield from _walk(place)


def _walk(place: Path) -> Iterator[tuple[Path, str]]:
    """As :func:`files_below`; nothing where nothing is (any more)."""
    if place.is_file():
        yield place, UNKNOWN
    for folder, _, names in os.walk(place):
        root = _root(Path(folder), place)
        for name in sorted(names):
            file = Path(folder, name)
            yield file, _remedy(file, root)


def check(place: Path) -> None:
    """Refuse a place where nothing is.

    Raises:
        DataError: there is no file or folder.
    """
    if not place.exists():
        raise DataError(f"There is nothing at {place}. Name a run, an export, a page or a folder.")


def beside(memory: Path) -> list[Path]:
    """Folders of runs and exports below the folder of a memory."""
    found: list[Path] = []
    for folder, inner, _ in os.walk(memory.parent):
        place = Path(folder)
        depth = len(place.relative_to(memory.parent).parts)
        if depth and _is_marked(place):
            found.append(place)
            inner.clear()
        inner[:] = sorted(name for name in inner if not name.startswith(".") and depth < DEPTH)
    return found


def elsewhere(beside: Path) -> Iterator[tuple[Path, str]]:
    """Vectors and fits in ravl's cache, and temporary files that a killed process has left.

    Args:
        beside: the folder of the memory.
    """
    vectors = [file for folder in FOLDERS for file in sorted(cache_dir(folder).glob("*"))]
    for file in [*vectors, *kept_files()]:
        yield file, "Delete the file; ravl makes it again."
    temporary = Path(tempfile.gettempdir())
    scratch = [*temporary.glob(f"{PREFIX}*"), *beside.glob(f"{PREFIX}*")]
    for left in sorted([*scratch, *temporary.glob("ravl-*")]):  # the last are of an older ravl
        for file, _ in _walk(left):  # a command that ends removes its own
            yield file, f"Delete {left}, unless a ravl command runs."


def _root(folder: Path, top: Path) -> Path:
    """The outermost folder of a run or export that a folder lies in; else the top."""
    inside = [top, *(top / part for part in _ways(folder.relative_to(top)))]
    return next((each for each in inside if _is_marked(each)), top)


def _is_marked(folder: Path) -> bool:
    """Whether ravl writes such folders: of a run, an unfinished fit, an export."""
    unfinished = (folder / "config.json").exists() and (folder / "work").is_dir()
    return unfinished or any((folder / mark).exists() for mark in MARKS)


def _ways(path: Path) -> list[Path]:
    return [*reversed(path.parents), path]


def _remedy(file: Path, root: Path) -> str:
    inner = file.relative_to(root)
    kind = kind_in_run(inner)
    if kind is None or not kind.remedy:
        return UNKNOWN
    version = root.joinpath(*inner.parts[:2])
    return kind.remedy.format(root=root, file=file, version=version)


def _holds(file: Path, marks: Sequence[Mark]) -> list[str]:
    """What of the marks a file holds, each kind once."""
    found: dict[str, None] = {}
    binary = file.suffix in WEIGHTS
    for content in _contents(file):
        for mark in marks:
            skipped = binary and mark.what not in ("vector", "picture")
            if mark.what not in found and not skipped and _is_in(content, mark):
                found[mark.what] = None
    return list(found)


def _contents(file: Path) -> Iterator[bytes | mmap.mmap]:
    """A file as bytes; what Parquet has compressed is opened."""
    if not file.stat().st_size:
        return
    if file.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            for batch in pq.ParquetFile(file).iter_batches(BATCH):
                yield b"\0".join(_cells(batch.to_pylist()))
        except (pa.ArrowException, ValueError) as error:
            raise OSError(f"{file} is damaged") from error
        return
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        yield whole


def _cells(value: object) -> Iterator[bytes]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _cells(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _cells(inner)
    elif isinstance(value, bytes):
        yield value
    elif value is not None:
        yield str(value).encode("utf-8", "replace")


def _is_in(content: bytes | mmap.mmap, mark: Mark) -> bool:
    at = content.find(mark.data)
    while at >= 0:
        end = at + len(mark.data)
        if not mark.word or not (
            _is_word(content[at - 1 : at]) or _is_word(content[end : end + 1])
        ):
            return True
        at = content.find(mark.data, at + 1)
    return False


def _is_word(byte: bytes) -> bool:
    return byte.isalnum() or byte == b"_"
