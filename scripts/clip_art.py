"""The drawings of the Open Clip Art Library that say they are in the public domain, with texts.

They come from the Debian packages openclipart-png and openclipart-svg; the SVG files hold titles,
descriptions, keywords and the licence.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ravl.data.pictures import probe
from ravl.demo import debian
from ravl.errors import PictureError

ROOT = "usr/share/openclipart"
LEFT_OUT = (
    "computer/icons",
    "computer/buttons",
    "shapes",
    "signs_and_symbols/flags",
    "signs_and_symbols/led",
    "signs_and_symbols/map_symbols",
    "special",
    "buttons",
    "logos",
    "decorations",
)
SAYS_NOTHING = {
    "",
    "unsorted",
    "clipart",
    "clip art",
    "clip_art",
    "svg",
    "png",
    "image",
    "icon",
    "color",
    "externalsource",
    "colour",
    "public domain",
    "logo",
    "shape",
    "cartoon",
    "contour",
    "outline",
    "black and white",
    "media",
}
LARGEST = 30e6  # pixels


@dataclass(frozen=True)
class Drawing:
    """A picture file's bytes, and what is said of it."""

    picture: bytes
    texts: list[str]


def read_clip_art(work: Path) -> Iterator[Drawing]:
    """Every drawing once, if its SVG file says public domain and has a title or keywords."""
    seen = set()
    folders = {kind: _unpacked(kind, work) for kind in ("png", "svg")}
    for file in sorted(folders["png"].rglob("*.png")):
        inside = file.relative_to(folders["png"])
        svg = folders["svg"] / inside.with_suffix(".svg")
        if not svg.is_file() or not (texts := _texts(svg)):
            continue
        data = file.read_bytes()
        digest = hashlib.sha256(data).digest()
        if digest not in seen and _readable(data):
            seen.add(digest)
            yield Drawing(data, texts)


def _unpacked(kind: str, work: Path) -> Path:
    target = work / kind
    if not target.is_dir():
        package = debian.download(f"openclipart-{kind}", {}, work)
        partial = work / f"{kind}.partial"  # of a run that was stopped, there may be one already
        debian.unpack(package, f"{ROOT}/{kind}", _wanted, partial)
        partial.rename(target)
    return target


def _wanted(path: PurePosixPath) -> bool:
    return not str(path).startswith(LEFT_OUT)


def _readable(data: bytes) -> bool:
    try:
        info = probe(data)
    except PictureError:
        return False
    return info.width * info.height <= LARGEST


def _texts(svg: Path) -> list[str]:
    """Title, description and keywords, none if the file does not say public domain."""
    data = svg.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    source = data.decode("utf-8", "replace")
    work = re.search(r"<(\w+:)?Work\b.*?</(\w+:)?Work>", source, re.DOTALL)
    if work is None or "publicdomain" not in source.lower():
        return []
    people = {t.lower() for t in _all(r"<cc:Agent[^>]*>\s*<dc:title[^>]*>([^<]*)<", work[0])}
    about = re.sub(r"<dc:(publisher|creator|rights)>.*?</dc:\1>", "", work[0], flags=re.DOTALL)
    title = " ".join(_all(r"<dc:title[^>]*>([^<]*)</dc:title>", about)[:1])
    title = re.sub(r"\.svg$|\b\d+\b", "", re.sub(r"[_-]+", " ", title))
    title = " ".join(title.split())
    described = _all(r"<dc:description[^>]*>([^<]*)</dc:description>", about)[:1]
    keywords = [t.lower() for t in _all(r"<rdf:li[^>]*>([^<]*)</rdf:li>", about)]
    return [
        *(t for t in [title] if len(t) > 2 and t.lower() not in SAYS_NOTHING),
        *(t for t in described if 8 < len(t) < 200 and t.lower() != title.lower()),
        *(t for t in keywords if 2 < len(t) < 30 and t not in SAYS_NOTHING | people),
    ]


def _all(pattern: str, text: str) -> list[str]:
    """What the pattern finds, without entities (some are escaped twice) and extra spaces."""
    return [" ".join(html.unescape(html.unescape(t)).split()) for t in re.findall(pattern, text)]
