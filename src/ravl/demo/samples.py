"""The sample set: Tux Paint's stamps, 785 pictures with descriptions in many languages.

They are free (GPL-2) but not part of ravl, so they are downloaded from the Debian package
``tuxpaint-stamps-default``; the cache contains the files that the demo needs.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ravl.cache import cache_dir
from ravl.data import QA, Example, Scalar
from ravl.demo import debian

NAME = "Tux Paint stamps"
LICENCE = (
    "The pictures are stamps of Tux Paint, © Bill Kendrick and others, under the GPL-2; they come "
    "from the Debian package tuxpaint-stamps-default and are not part of ravl."
)
PACKAGE = "tuxpaint-stamps-default"
PINNED = {"2022.06.04-1": "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34"}
SIZE = "161 MB"
LAYOUT = 1  # increase when the content of the cache changes
LANGUAGE = "zh_CN"
STAMPS = "usr/share/tuxpaint/stamps"
LABELS = {"naturalforces": "natural forces"}  # the other names are plain words already
DAY = 86_400.0  # seconds


def in_cache() -> Path | None:
    """The folder of stamps, if an earlier run has fetched it."""
    folder = _home()
    return folder if folder.is_dir() else None


def fetch(runner: debian.Runner = debian.run) -> Path:
    """The folder of stamps, downloaded if necessary; an incomplete download is never used.

    Raises:
        PackageError: the package is not available, or has a wrong checksum.
        OSError: the cache cannot be written, or its disk is full.
    """
    home = _home()
    if home.is_dir():
        return home
    _sweep(home.parent)
    making = tempfile.TemporaryDirectory(
        prefix=".making-", dir=home.parent, ignore_cleanup_errors=True
    )
    with making as folder:
        work = Path(folder)
        package = debian.download(PACKAGE, PINNED, work, runner)
        made = work / "made"
        if not debian.unpack(package, STAMPS, _wanted, made):
            raise debian.PackageError(f"{package.name} contains no pictures in {STAMPS}.")
        (made / "LICENCE.txt").write_text(LICENCE + "\n", encoding="utf-8")
        try:
            made.rename(home)
        except OSError:
            if not home.is_dir():  # another process was faster; its folder is equally good
                raise
    return home


def read(folder: Path) -> Iterator[Example]:
    """The stamps with a description, sorted by path."""
    for picture in sorted(folder.glob("*/**/*.png")):
        text = picture.with_suffix(".txt")
        if not text.is_file():  # the mirror image of a stamp has no separate text
            continue
        english, others = parse_description(text.read_text("utf-8-sig", errors="replace"))
        texts = tuple(dict.fromkeys(t for t in (english, others.get(LANGUAGE)) if t))
        if texts:
            yield _example(picture, picture.relative_to(folder), texts)


def parse_description(text: str) -> tuple[str, dict[str, str]]:
    """A stamp's text file: the English description, and those of other languages by their code.

    The first line is English; then follow lines such as ``zh_CN.utf8=一只猫。``
    """
    english, *rest = text.splitlines() or [""]
    others = {}
    for line in rest:
        language, equals, description = line.partition("=")
        if equals and description.strip():
            others[language.strip().removesuffix(".utf8")] = description.strip()
    return english.strip(), others


def _example(picture: Path, inside: Path, texts: tuple[str, ...]) -> Example:
    label, *folders = inside.parts[:-1]
    columns: dict[str, Scalar] = {"cartoon": "cartoon" in folders}
    groups = [folder for folder in folders if folder != "cartoon"]
    if groups:
        columns["group"] = groups[0]
    label = LABELS.get(label, label)
    return Example(
        id=inside.as_posix(),
        picture=picture,
        texts=texts,
        label=label,
        qa=(QA("what kind of thing is it?", (label,)),),
        columns=columns,
        source=f"{PACKAGE}, {inside.as_posix()}",
    )


def _home() -> Path:
    return cache_dir("samples") / f"tuxpaint-stamps-{LAYOUT}"


def _wanted(inside: PurePosixPath) -> bool:
    return inside.suffix in (".png", ".txt")  # not the sounds, nor the drawings as SVG


def _sweep(folder: Path) -> None:
    """Remove old files of killed processes; younger ones may be in use."""
    for left in folder.glob(".making-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > DAY:
                shutil.rmtree(left, ignore_errors=True)
