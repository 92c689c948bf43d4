"""Find the files that a table names; files outside the root folder are refused."""

from __future__ import annotations

import os
import posixpath
import stat
from functools import lru_cache
from pathlib import Path

from ravl.data.text import nfc

CACHED_FOLDERS = 4_096
CACHED_LISTINGS = 64  # folders whose names are kept; each can have many


class PlaceError(ValueError):
    """A path of a table leads to no readable file; the text gives the reason."""


class Root:
    """The folder of relative paths; ``..`` and links must not lead out of it.

    Args:
        folder: the folder; it does not have to exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._prefix = os.path.join(self.folder, "")  # noqa: PTH118 (strings: this path is hot)
        self._prefixes = (self._prefix, os.path.join(folder.absolute(), ""))  # noqa: PTH118
        self._real_folder = lru_cache(CACHED_FOLDERS)(self._resolve_folder)
        self._names = lru_cache(CACHED_LISTINGS)(_listing)

    def find(self, written: str) -> Path:
        """The file for a path of a table, by the real path of its folder.

        If the path does not exist, Windows' separators and other Unicode forms of each of its parts
        are tried.

        Raises:
            PlaceError: if the file does not exist, or is outside the root.
        """
        if "://" in written[:12]:
            raise PlaceError(
                f"the picture {written!r} is a web address; only files are allowed. Download it "
                "first"
            )
        found = self._file(written)
        if found is None:
            found = self._file(self._spelled(written.replace("\\", "/")))
        if found is None:
            raise PlaceError(
                f"the picture {written!r} is not in {self.folder}; if it is in another folder, "
                "give that folder with --root"
            )
        return found

    def relative(self, written: str) -> str:
        """A path of a table as an id: relative to the root, with single slashes."""
        for prefix in self._prefixes:
            written = written.removeprefix(prefix)
        return normal(written)

    def _file(self, written: str) -> Path | None:
        cut = written.rfind("/") + 1
        try:
            place = self._real_folder(written[:cut]) + written[cut:]
            status = os.lstat(place)
            if stat.S_ISLNK(status.st_mode):
                self._check_inside(os.path.realpath(place), written)
                status = os.stat(place)  # noqa: PTH116
        except PlaceError:
            raise
        except (OSError, ValueError):  # ValueError: a NUL character in the path
            return None
        if not stat.S_ISREG(status.st_mode):
            raise PlaceError(f"the picture {written!r} is a folder or a device, not a file")
        return Path(place)

    def _spelled(self, written: str) -> str:
        """The path with each of its parts as it is written on disk."""
        parts: list[str] = []
        wanted = written.split("/")
        if written.isascii() or ".." in wanted:
            return written
        for part in wanted:
            folder = os.path.join(self._prefix, "/".join(parts), "")  # noqa: PTH118
            parts.append(self._names(folder).get(nfc(part), part))
        return "/".join(parts)

    def _resolve_folder(self, written: str) -> str:
        """The real path, ending in a separator, of a folder in the root."""
        full = os.path.join(self._prefix, written)  # noqa: PTH118
        real = os.path.join(os.path.realpath(full), "")  # noqa: PTH118
        self._check_inside(real, written)
        return real

    def _check_inside(self, real: str, written: str) -> None:
        if not real.startswith(self._prefix):
            raise PlaceError(
                f"the path {written!r} leads outside {self.folder}; give the folder that "
                "contains the pictures with --root"
            )


def normal(written: str) -> str:
    """A path in normal form: ``./a//b.jpg`` and ``a\\b.jpg`` give the same result."""
    path = nfc(written).replace("\\", "/")
    return posixpath.normpath(path) if "." in path[:2] or "/." in path or "//" in path else path


def _listing(folder: str) -> dict[str, str]:
    """The names in a folder by their normal form."""
    try:
        return {nfc(name): name for name in os.listdir(folder)}  # noqa: PTH208 (strings)
    except OSError:
        return {}
