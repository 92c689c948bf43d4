"""Files of graphs beside a memory, and which of them are believed.

The memory has a note on each graph with the hash of its file. A graph is used if the file has this
hash, and if this user has built it on this machine: ravl's cache has the hashes of all that were.
So a file that is damaged, that belongs to another state of the memory, or that came with the memory
of a stranger is not read. Searches compare all vectors then, and the next build makes it anew.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ravl.cache import cache_dir
from ravl.errors import DataError
from ravl.files.whole_file import whole_file
from ravl.hashes import hash_of
from ravl.store.contract import Store
from ravl.store.graph import Graph, GraphNote, open_graph
from ravl.store.space import Kind
from ravl.untrusted import parse_json

if TYPE_CHECKING:
    from usearch.index import Index

NAMES: dict[Kind, str] = {"vectors": "graph-pictures", "text_vectors": "graph-texts"}


def file_of(memory: Path, kind: Kind) -> Path:
    """The file of a graph."""
    return memory.with_name(f"{memory.name}.{NAMES[kind]}")


def read_note(store: Store, kind: Kind) -> GraphNote | None:
    """What the memory knows of a graph; None where there is none, or the note is damaged."""
    found = store.notes.get(NAMES[kind])
    try:
        value = parse_json(found) if found else None
        return GraphNote.from_json(value) if isinstance(value, dict) else None
    except (KeyError, TypeError, ValueError):
        return None


def is_whole(file: Path, note: GraphNote) -> bool:
    """Whether a file is the one that the note is of, and was written on this machine."""
    try:
        return _known(note.sha256).exists() and hash_of(file).sha256 == note.sha256
    except OSError:
        return False


def save(index: Index, file: Path) -> str:
    """Write a graph in place of the one that was there; returns the hash of the file."""
    with whole_file(file) as part:
        index.save(str(part))
        digest = hash_of(part).sha256
    _known(digest).touch()
    return digest


def write_note(store: Store, kind: Kind, note: GraphNote) -> None:
    """Keep what is known of a graph. Needs a transaction."""
    store.notes.set(NAMES[kind], json.dumps(asdict(note)))


def remove(store: Store) -> list[Path]:
    """Delete all graphs of a memory, with what is known of them; returns the files that were there.

    Needs a transaction.
    """
    gone = []
    for kind, name in NAMES.items():
        note, file = read_note(store, kind), file_of(store.path, kind)
        if file.exists():
            file.unlink()
            gone.append(file)
        if note is not None:
            _known(note.sha256).unlink(missing_ok=True)
            store.notes.set(name, "")
    return gone


def _known(digest: str) -> Path:
    """A file in ravl's cache that says: this machine has written the graph with this hash."""
    return cache_dir("graphs") / "".join(c for c in digest if c.isalnum())[:64]


class GraphCache:
    """Keeps the graph of one kind of vectors open.

    Args:
        store: of the memory.
        kind: of the vectors.
    """

    def __init__(self, store: Store, kind: Kind) -> None:
        self._store = store
        self._kind: Kind = kind
        self._lock = threading.Lock()
        self._known: tuple[str, Graph | None] | None = None  # by the hash in the note

    def read(self, space: int, count: int) -> Graph | None:
        """The graph for so many vectors of a space; None where all vectors are to be compared."""
        note = read_note(self._store, self._kind)
        if note is None or note.space != space or count < note.least:
            return None
        with self._lock:
            if self._known is None or self._known[0] != note.sha256:
                self._known = note.sha256, self._open(note)
            return self._known[1]

    def _open(self, note: GraphNote) -> Graph | None:
        file = file_of(self._store.path, self._kind)
        try:
            return open_graph(file, note) if is_whole(file, note) else None
        except DataError:  # usearch is not installed any more
            return None
