"""The sample set: Tux Paint's stamps, 785 pictures with descriptions in many languages.

They are free (GPL-2) but not part of ravl, so they are downloaded from the Debian package
``tuxpaint-stamps-default``; the cache contains the files that the demo needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ravl.cache import cache_dir, is_whole, made_folder
from ravl.data import QA, Example, Scalar
from ravl.demo import debian
from ravl.files.scratch import scratch_folder

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


def in_cache() -> Path | None:
    """The folder of stamps, if an earlier run has fetched it and no file was altered since."""
    folder = _home()
    return folder if is_whole(folder) else None


def fetch(runner: debian.Runner = debian.run) -> Path:
    """The folder of stamps, downloaded if necessary; an incomplete download is never used.

    Files in the cache are compared with the hashes that were written with them.

    Raises:
        PackageError: the package is not available, or has a wrong checksum.
        OSError: the cache cannot be written, or its disk is full.
    """

    def write(made: Path) -> None:
        with scratch_folder(made.parent) as work:
            package = debian.download(PACKAGE, PINNED, work, runner)
            if not debian.unpack(package, STAMPS, _wanted, made):
                raise debian.PackageError(f"{package.name} contains no pictures in {STAMPS}.")
        (made / "LICENCE.txt").write_text(LICENCE + "\n", encoding="utf-8")

    return made_folder(_home(), write, whole=True)


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
