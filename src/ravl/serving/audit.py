"""The audit log: who changed what and when, a JSON line for each write."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path

from ravl.errors import MemoryFileError


class Audit:
    """Appends lines to a file; each is on disk before the client hears of its success.

    Args:
        file: beside the memory, by custom.

    Raises:
        MemoryFileError: it cannot be opened.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._out = self._open()

    def _open(self) -> TextIOWrapper:
        file = self.file
        try:
            number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise MemoryFileError(
                f"The audit log {file} cannot be opened: {error}. Name another with --audit."
            ) from error
        return os.fdopen(number, "a", encoding="utf-8", errors="backslashreplace")

    def write(self, *, caller: str, request: str, what: str, **more: object) -> None:
        """Somebody changed something.

        Args:
            caller: name of the key.
            request: identifies the request.
            what: such as ``"row.update"``.
            **more: ids and counts; never pictures, texts or keys.
        """
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        record = {"at": at, "caller": caller, "request": request, "what": what, **more}
        with self._lock:
            if not self._is_there():  # rotated, or removed
                self._out.close()
                self._out = self._open()
            self._out.write(json.dumps(record, ensure_ascii=False) + "\n")
            self._out.flush()
            os.fsync(self._out.fileno())

    def _is_there(self) -> bool:
        """Whether the file that is open still has the name of the log."""
        try:
            return os.path.samestat(os.fstat(self._out.fileno()), self.file.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Let go of the file."""
        self._out.close()
