"""Where the pictures of COCO-like JSON files lie, which do not say it themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from ravl.data.readers.places import PlaceError, Root
from ravl.errors import DataError

SAMPLES = 20  # pictures looked for before a folder is given up
_SPLIT = re.compile(r"(?:train|val|test|minival|dev)\w*?\d{0,4}(?=_|$)")


def split_name(path: Path) -> str | None:
    """The split in a file's name: ``val2017`` of ``captions_val2017.json``."""
    found = _SPLIT.search(path.stem)
    return found.group() if found else None


def find_root(
    path: Path, given: Path | None, ways: Sequence[Callable[[Root], str]]
) -> tuple[Root, int]:
    """The folder in which the pictures lie, and which of several ways to name them holds there.

    Tried are the given folder, otherwise the JSON file's folder and the one above, each with its
    sub-folders ``images`` and the split's name.

    Args:
        path: the JSON file.
        given: the folder the user named.
        ways: each finds a picture of a sample in a root, and returns its name, or raises
            PlaceError.

    Raises:
        DataError: if none of the sample's pictures is in any of them.
    """
    tried = _folders(path, given)
    for folder in tried:
        root = Root(folder)
        for number, way in enumerate(ways):
            try:
                way(root)
            except PlaceError:
                continue
            return root, number
    folders = ", ".join(str(folder) for folder in tried)
    raise DataError(
        f"None of the first {SAMPLES} pictures that {path} names was found; looked in {folders}. "
        "Name the folder that holds them with --root."
    )


def any_of(names: Sequence[str]) -> Callable[[Root], str]:
    """A way for :func:`find_root`: the first of these names that is a file."""

    def way(root: Root) -> str:
        for name in names:
            try:
                root.find(name)
            except PlaceError:
                continue
            return name
        raise PlaceError("none of them is there")

    return way


def _folders(path: Path, given: Path | None) -> list[Path]:
    split = split_name(path)
    below = ["", "images", *([split, f"images/{split}"] if split else [])]
    bases = [given] if given is not None else [path.parent, path.resolve().parent.parent]
    return [base / folder for base in bases for folder in below if (base / folder).is_dir()]
