"""Which files of a folder are pictures, and what its other files are called."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".heic", ".heif", ".hif"),
        *(".png", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
        *(".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    )
)
"""Names of pictures that ravl reads; the content decides how a picture is decoded."""

_KINDS = {
    "video": ".mp4 .mov .m4v .avi .mkv .webm .3gp .mts .m2ts .mpg .mpeg .wmv .flv .ogv .insv .lrv",
    "camera raw": ".cr2 .cr3 .nef .nrw .arw .dng .orf .raf .rw2 .pef .srw .x3f .raw",
    "JPEG XL": ".jxl",
    "JPEG 2000": ".jp2 .j2k .jpf .jpx",
    "Photoshop": ".psd .psb",
    "icon": ".ico .icns",
    "sound": ".mp3 .wav .m4a .flac .ogg .aac",
}
_BY_SUFFIX = {suffix: kind for kind, all_ in _KINDS.items() for suffix in all_.split()}
# Folders in which storage devices and systems keep small copies, or what was deleted.
_THUMBNAILS = frozenset(("@eadir", ".thumbnails", ".@__thumb"))
_RECYCLED = frozenset(
    ("#recycle", "@recycle", "$recycle.bin", "recycler", "recycled", ".trash", ".trashes")
)
_SNAPSHOTS = frozenset(("#snapshot", "@recently-snapshot", ".snapshot", ".snapshots"))
_OF_SYSTEM = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx"))
LEFT_OUT = {
    "thumbnail": "a small copy that a storage device made",
    "recycled picture": "in a recycle bin",
    "snapshot": "in a snapshot of the storage device",
}


def is_picture(name: str) -> bool:
    """True if a file has the name of a picture that ravl reads."""
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 (strings: hot)


def left_out(folder: str) -> str | None:
    """Why the pictures of a sub-folder with this name are left out, None for a usual folder.

    Returns:
        One of :data:`LEFT_OUT`.
    """
    name = folder.lower()
    if name in _THUMBNAILS:
        return "thumbnail"
    if name in _RECYCLED or name.startswith(".trash-"):
        return "recycled picture"
    return "snapshot" if name in _SNAPSHOTS else None


def is_hidden(name: str) -> bool:
    """True for files and folders of systems and tools, which are not counted."""
    return name.startswith(".") or name.lower() in _OF_SYSTEM


def kind_of(name: str) -> str:
    """What a file that is no picture is called: "video", "PDF" by its suffix, "other file"."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
    return _BY_SUFFIX.get(suffix) or suffix.removeprefix(".").upper() or "other file"


def texts_beside(names: Iterable[str]) -> set[str]:
    """Names of texts that belong to a picture of the same folder."""
    found = set()
    for name in names:
        if is_picture(name):
            found |= {f"{name}.txt", f"{Path(name).stem}.txt"}
    return found


def listed(skipped: Mapping[str, int]) -> str:
    """Counts of skipped files in words: "2 JPEG XL, 1 video, 3 PDF"; the most frequent first."""
    parts = []
    for kind, count in sorted(skipped.items(), key=lambda item: (-item[1], item[0].casefold())):
        lower = kind in LEFT_OUT or kind in ("video", "icon", "other file")
        many = "files of boxes" if kind == "file of boxes" else f"{kind}{'s' if lower else ''}"
        parts.append(f"{count:,} {many if count > 1 else kind}")
    return ", ".join(parts)
