"""Texts beside pictures: ``17.txt`` or ``17.jpg.txt`` beside ``17.jpg``."""

from __future__ import annotations

import re
from pathlib import Path

LONGEST_TEXT = 2**20  # bytes
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


class TextError(ValueError):
    """A text that cannot be read; the message says why."""


def sidecars(picture: Path) -> tuple[Path, Path]:
    """Paths at which a text about a picture can be."""
    return picture.with_suffix(".txt"), picture.with_name(picture.name + ".txt")


def read_sidecar(path: Path, folder: Path) -> str:
    """The text of a file beside a picture, without blanks around it.

    Args:
        path: the file.
        folder: that it must lie in; a link may lead out of it.

    Raises:
        TextError: the text cannot be read, is too long, or is not UTF-8.
    """
    if not path.resolve().is_relative_to(folder):
        raise TextError(leads_outside(folder))
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_TEXT + 1)
        if len(content) > LONGEST_TEXT:
            raise TextError(f"a text beside a picture may have at most {LONGEST_TEXT:,} bytes")
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        byte = f"byte 0x{content[error.start]:02X} at position {error.start + 1}"
        raise TextError(
            f"{byte} of this text is not UTF-8; the picture is read without the text. "
            "Save the text as UTF-8"
        ) from error
    except OSError as error:
        raise TextError(f"the text cannot be read: {error.strerror}") from error


def is_boxes(text: str) -> bool:
    """True for boxes of objects, which detectors such as YOLO keep beside pictures.

    Each line is then at least four numbers, one of them with a point, or eight numbers, with at
    most one word: ``0 0.5 0.5 0.25 0.4``.
    """
    return bool(text) and all(map(_is_box, filter(str.strip, text.splitlines())))


def leads_outside(folder: Path) -> str:
    """Why a link is not followed."""
    return f"this link leads outside {folder}; copy the file here, or read its own folder, too"


def _is_box(line: str) -> bool:
    parts = line.replace(",", " ").split()
    numbers = [part for part in parts if _NUMBER.fullmatch(part)]
    enough = len(numbers) >= (4 if any("." in number for number in numbers) else 8)
    return enough and len(parts) - len(numbers) <= 1
