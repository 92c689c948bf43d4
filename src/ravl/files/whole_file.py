"""Write a file so that it is there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ravl.files.lock import waiting

HALF = ".part-"  # begins the names of files that are not written to their end


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """A path to write to, whose file gets its name when the block ends.

    After an error or a kill the file is what it was before. Of two processes that write it at once,
    one waits for the other. What is no file (a pipe, ``/dev/stdout``) is written as it is.

    Args:
        file: new, or to be replaced. Its folder must exist.
    """
    if file.exists() and not file.is_file():
        yield file
        return
    file = file.resolve()  # a link stays a link
    half = file.with_name(f"{HALF}{file.name}")
    with waiting(half):
        yield half
        half.replace(file)


def write_text(file: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all; see :func:`whole_file`."""
    with whole_file(file) as half:
        half.write_text(text, encoding="utf-8", newline="")


def write_bytes(file: Path, data: bytes) -> None:
    """Write bytes, whole or not at all; see :func:`whole_file`."""
    with whole_file(file) as half:
        half.write_bytes(data)
