"""The lines of a text file, decoded one by one: a bad byte affects only one line."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ravl.errors import DataError

LONGEST = 64 * 2**20  # bytes of a line; a longer line is a mistake, not a row
_WIDE = ("utf-16", "utf-32")  # their line ends are not a single byte

Line = tuple[int, str, str | None]
"""Number, text, and the error (None: no error)."""


def read_lines(path: Path, encoding: str | None) -> Iterator[Line]:
    """The lines of a file, with their ends, counted from 1.

    Args:
        path: the file.
        encoding: a Python codec's name. None means UTF-8, or UTF-16 if the file begins with its
            byte order mark; a UTF-8 mark is dropped.

    Raises:
        DataError: if the file cannot be opened, or the encoding does not exist.
    """
    codec = _codec(path, encoding)
    try:
        with path.open("rb") as file:
            wide = codec.startswith(_WIDE)
            lines = (_decoded(line, codec) for line in _raw_lines(file))
            for number, line in enumerate(_wide_lines(path, codec) if wide else lines, 1):
                text, problem = line
                yield number, text.removeprefix("\ufeff") if number == 1 else text, problem
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _raw_lines(file: BinaryIO) -> Iterator[bytes]:
    start = file.read(65_536)
    file.seek(0)
    if b"\r" in start and b"\n" not in start:  # written by Excel for old Macs
        yield from (line + b"\n" for line in file.read().split(b"\r") if line)
        return
    while line := file.readline(LONGEST):
        yield line
        # the rest of a line that is too long
        while len(line) == LONGEST and not line.endswith(b"\n"):
            line = file.readline(LONGEST)


def _wide_lines(path: Path, codec: str) -> Iterator[tuple[str, str | None]]:
    with path.open(encoding=codec, errors="replace", newline="") as file:
        for line in file:
            yield line, f"it is not valid {codec}" if "\ufffd" in line else None


def _decoded(line: bytes, codec: str) -> tuple[str, str | None]:
    if len(line) == LONGEST:
        return "", f"the line is longer than {LONGEST:,} bytes"
    try:
        return line.decode(codec), None
    except UnicodeDecodeError as error:
        reason = (
            f"byte 0x{line[error.start]:02X} at position {error.start + 1} of the line is not "
            f"{codec.upper()}; if the file has another encoding, give it with --encoding "
            "(for example cp1252 or gb18030)"
        )
        return line.decode(codec, "replace"), reason


def _codec(path: Path, encoding: str | None) -> str:
    try:
        if encoding is not None:
            # refuses codecs that are not for text, such as rot13
            b"test".decode(encoding, "replace")
            return codecs.lookup(encoding).name
        with path.open("rb") as file:
            start = file.read(2)
    except LookupError as error:
        raise DataError(
            f"There is no encoding called {encoding!r}; allowed are Python's, "
            "such as utf-8, cp1252, latin-1, gb18030, big5, shift_jis."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    return "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8"
