"""Find the files that a table names; files outside the root folder are refused."""

from __future__ import annotations

import os
import posixpath
import stat
import unicodedata
from functools import lru_cache
from pathlib import Path

CACHED_FOLDERS = 4_096


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

    def find(self, written: str) -> Path:
        """The file for a path of a table, by the real path of its folder.

        If the path does not exist, Windows' separators and other Unicode forms are tried.

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
            others = (self._file(other) for other in _spellings(written))
            found = next((other for other in others if other is not None), None)
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
    path = written.replace("\\", "/")
    return posixpath.normpath(path) if "." in path[:2] or "/." in path or "//" in path else path


def _spellings(written: str) -> list[str]:
    """Other spellings of the same path, the most likely first."""
    slashed = written.replace("\\", "/")
    forms = [slashed, *(unicodedata.normalize(form, slashed) for form in ("NFC", "NFD"))]
    return [form for form in dict.fromkeys(forms) if form != written]
