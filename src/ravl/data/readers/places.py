"""Finding the files that a table names, and none outside the folder they must lie in."""

from __future__ import annotations

import os
import posixpath
import stat
import unicodedata
from functools import lru_cache
from pathlib import Path

CACHED_FOLDERS = 4_096


class PlaceError(ValueError):
    """A written path leads to no file that may be read; the text is the reason, a sentence."""


class Root:
    """The folder that written paths are relative to and may not leave, by ``..`` or by a link.

    Args:
        folder: the folder; it need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._prefix = os.path.join(self.folder, "")  # noqa: PTH118 (strings: this path is hot)
        self._prefixes = (self._prefix, os.path.join(folder.absolute(), ""))  # noqa: PTH118
        self._real_folder = lru_cache(CACHED_FOLDERS)(self._resolve_folder)

    def find(self, written: str) -> Path:
        """The file that a written path means, by the real path of its folder.

        Windows' separators and other Unicode forms of a name are tried where it is not found as
        written.

        Raises:
            PlaceError: where there is no such file, or it lies outside.
        """
        if "://" in written[:12]:
            raise PlaceError(
                f"the picture {written!r} is a web address; allowed are files. Download it first"
            )
        found = self._file(written)
        if found is None:
            others = (self._file(other) for other in _spellings(written))
            found = next((other for other in others if other is not None), None)
        if found is None:
            raise PlaceError(
                f"the picture {written!r} is not in {self.folder}; if it lies in another folder, "
                "name that folder with --root"
            )
        return found

    def relative(self, written: str) -> str:
        """A written path in the form of an id: relative to the root, with single slashes."""
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
            raise PlaceError(f"the picture {written!r} is not a file but a folder or a device")
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
                f"the path {written!r} leads outside {self.folder}; name the folder that "
                "holds the pictures with --root"
            )


def normal(written: str) -> str:
    """A path in one form, however it was written: ``./a//b.jpg`` and ``a\\b.jpg`` alike."""
    path = written.replace("\\", "/")
    return posixpath.normpath(path) if "." in path[:2] or "/." in path or "//" in path else path


def _spellings(written: str) -> list[str]:
    """Other ways to write the same path, the likeliest first."""
    slashed = written.replace("\\", "/")
    forms = [slashed, *(unicodedata.normalize(form, slashed) for form in ("NFC", "NFD"))]
    return [form for form in dict.fromkeys(forms) if form != written]
