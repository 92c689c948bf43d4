"""Places that runs and memories are pushed to: folders, and whatever fsspec reaches."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import fsspec
from fsspec.callbacks import Callback
from fsspec.implementations.local import LocalFileSystem

from ravl.addresses import refuse_address
from ravl.errors import DataError
from ravl.files.lock import LOCK, locked
from ravl.files.whole_file import whole_file, write_bytes
from ravl.hashes import FileHash
from ravl.sharing.copies import settle
from ravl.sharing.failures import masked, sentences
from ravl.sharing.manifest import MANIFEST, MOST_BYTES, Manifest, copy

HUB = "hf:"
FLAT = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "oci"}  # have no folders to be made
KNOWN = (
    "Name a folder, hf:OWNER/NAME, or an address with s3://, gs://, az://, sftp://, https:// or "
    "another scheme of fsspec."
)
NOTED = 5.0  # seconds after which a push notes down what has arrived so far
_ADDRESS = re.compile(r"([a-z][a-z0-9+.\-]+)(://|::)", re.IGNORECASE)
Advance = Callable[[int], object]


class Remote(Protocol):
    """Where files lie beside a manifest."""

    shown: str
    """How messages call it, without secrets."""
    shows_progress: bool
    """Whether it does so by itself, instead of telling how much is done."""

    def manifest(self) -> Manifest | None:
        """What was pushed here; None where nothing was."""

    def is_empty(self) -> bool:
        """Whether nothing at all lies here."""

    def send(
        self,
        files: Mapping[str, Path],
        manifest: Manifest,
        before: Manifest | None,
        advance: Advance,
    ) -> None:
        """Bring the place from what it holds to what the manifest says.

        Args:
            files: where each file of the manifest is here.
            manifest: of what must be there afterwards.
            before: of what lies there.
            advance: called with the number of bytes that have gone.
        """

    def fetch(self, entries: Mapping[str, FileHash], folder: Path, advance: Advance) -> None:
        """Write files into a folder, each whole and as the manifest says or not at all."""


def open_place(
    address: str | Path, kind: str | None = None, public: bool = False, show: bool | None = None
) -> Remote:
    """The place that an address names.

    Args:
        address: a folder, ``hf:owner/name[@revision]``, or anything that fsspec knows.
        kind: of what is pushed there; None for whatever is there.
        public: a repository on the hub that is made is for everyone to read.
        show: progress, where the place shows it by itself; None for on a terminal.

    Raises:
        DataError: there is no such kind of place, or a package for it is missing.
    """
    text = str(address)
    if text.startswith(HUB):
        from ravl.sharing.hub import HubPlace

        return HubPlace(text, kind, public, sys.stderr.isatty() if show is None else show)
    if public:
        raise DataError(f"{masked(text)} is not on the hub; only there is something --public.")
    return FsspecPlace(text)


class FsspecPlace:
    """A folder, or an address that fsspec reaches.

    Args:
        address: such as ``backups/shirts`` or ``s3://bucket/shirts``.

    Raises:
        DataError: see :func:`open_place`.
    """

    shows_progress = False

    def __init__(self, address: str) -> None:
        match = _ADDRESS.match(address)
        if match is None:
            refuse_address(address, known=KNOWN)
        self._protocol = match[1].lower() if match else "file"
        self._address, self.shown = address, masked(address)
        with self._errors("reached"):
            place = address if match else str(Path(address).expanduser().resolve())
            self._fs, root = fsspec.core.url_to_fs(place)
            self._fs.invalidate_cache()  # fsspec keeps listings for as long as the process lives
        self._root = str(root).rstrip("/")
        self._local = isinstance(self._fs, LocalFileSystem)

    @property
    def folder(self) -> Path | None:
        """Where it is on this machine; None if elsewhere."""
        return Path(self._root) if self._local else None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Refuse a second push at once, where the place is on this machine."""
        with contextlib.ExitStack() as stack:
            if self.folder is not None:
                with self._errors("written"):
                    stack.enter_context(locked(self.folder))
            yield

    def manifest(self) -> Manifest | None:
        """What was pushed here; None where nothing was."""
        with self._errors("read"):
            try:
                with self._fs.open(self._path(MANIFEST), "rb") as file:
                    data = file.read(MOST_BYTES + 1)
            except (FileNotFoundError, NotADirectoryError):
                return None
        return Manifest.read(data, self.shown)

    def is_empty(self) -> bool:
        """Whether nothing at all lies here."""
        with self._errors("read"):
            try:
                names = self._fs.ls(self._root, detail=False)
                return all(name.rpartition("/")[2] == LOCK for name in names)
            except FileNotFoundError:
                return True

    def send(
        self,
        files: Mapping[str, Path],
        manifest: Manifest,
        before: Manifest | None,
        advance: Advance,
    ) -> None:
        """See :class:`Remote`. What is half done is noted there, so that no one pulls it."""
        known = before.files if before else {}
        there = {n: e for n, e in known.items() if manifest.files.get(n, e) == e}
        with self._errors("written"):
            self._note(replace(manifest, files=there, memory=None, complete=False))
            noted = time.monotonic()
            for name, entry in manifest.files.items():
                if name in there:
                    continue
                self._put(files[name], name, entry, advance)
                there[name] = entry
                if time.monotonic() - noted > NOTED:
                    self._note(replace(manifest, files=there, memory=None, complete=False))
                    noted = time.monotonic()
            self._note(manifest)
            self._remove(there.keys() - manifest.files.keys())

    def fetch(self, entries: Mapping[str, FileHash], folder: Path, advance: Advance) -> None:
        """See :class:`Remote`."""
        for name, entry in entries.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_symlink():  # it is replaced, and what it points to is not written
                target.unlink()
            with self._errors("read"), whole_file(target) as half, half.open("wb") as file:
                try:
                    with self._fs.open(self._path(name), "rb") as source:
                        found = copy(source, file, entry.size, advance)
                except (FileNotFoundError, NotADirectoryError):
                    raise DataError(f"{name} is missing in {self.shown}. {AGAIN}") from None
                if found != entry:
                    raise DataError(damaged(name, self.shown))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _note(self, manifest: Manifest) -> None:
        self._make(self._root)
        if self._local:  # a reader sees the old one or the new one
            write_bytes(Path(self._path(MANIFEST)), manifest.to_bytes())
        else:
            self._fs.pipe_file(self._path(MANIFEST), manifest.to_bytes())

    def _make(self, folder: str) -> None:
        if self._protocol not in FLAT:  # there it would make a bucket, of a name that was mistyped
            self._fs.makedirs(folder, exist_ok=True)

    def _put(self, file: Path, name: str, entry: FileHash, advance: Advance) -> None:
        callback = _Told(entry.size, advance)
        path = self._path(name)
        self._make(path.rpartition("/")[0])
        # On this machine somebody may have the old file open: it is replaced, not overwritten.
        half = f"{path}.part" if self._local else path
        self._fs.put_file(str(file), half, callback=callback)
        if self._local:
            settle(Path(half), Path(path))
        callback.reach(entry.size)

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(self._path(name))

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        with sentences(self._address, self._protocol, doing):
            yield


class _Told(Callback):  # type: ignore[misc]  # fsspec has no types
    """Hands on what fsspec tells of one file; some file systems tell nothing until the end."""

    def __init__(self, size: int, advance: Advance) -> None:
        super().__init__(size=size)
        self._told, self._advance = 0, advance

    def call(self, *_args: object, **_options: object) -> None:
        """Called by fsspec whenever its value changes."""
        self.reach(min(self.value, self.size or 0))

    def reach(self, done: int) -> None:
        """So many bytes are done."""
        self._advance(done - self._told)
        self._told = done


AGAIN = "Push it there again, or wait until a push that is under way has ended."


def damaged(name: str, place: str) -> str:
    """The sentence about a file that is not what the manifest says."""
    return f"{name} in {place} is not what {MANIFEST} there says: it is damaged. {AGAIN}"
