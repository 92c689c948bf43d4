"""Three thousand damaged pictures, and pictures that are made to take memory or time."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image, ImageFile

from ravl.data import pictures
from ravl.errors import PictureError
from tests.data.samples import encode, encoded, noisy, noisy_files
from tests.data.test_soundness import repeated_scans

EACH = 150  # damaged files of each kind; a third of them each way
CHECKSUMS = ("png", "palette png", "16-bit png")  # formats in which every change is noticed
# The first part of a file of several pictures is whole wherever the later parts are damaged.
UNCOMPRESSED = ("bmp", "palette bmp", "ppm", "tiff")

pytestmark = pytest.mark.slow


def outcome(data: bytes, sound: Image.Image) -> str:
    try:
        found = pictures.decode(data)
    except PictureError:
        return "refused"
    return "same" if found.tobytes() == sound.tobytes() else "other"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", sorted(encoded(noisy(8, 8))))
def test_damaged_pictures(kind: str) -> None:
    """Cut, zeroed and flipped: the sound pixels, or refused.

    Other pixels come only from what nothing in the file can tell: see docs/concepts/bad-input.md.
    """
    data = noisy_files(200, 150)[kind]
    sound, draw = pictures.decode(data), random.Random(kind)
    counts = {way: Counter[str]() for way in ("cut", "zeroed", "flipped")}
    few: list[int] = []
    for i in range(EACH // 3):
        lost = draw.randrange(1, len(data) if i % 2 else len(data) // 10)
        counts["cut"][outcome(data[:-lost], sound)] += 1
        zeroed = outcome(data[:-lost] + bytes(lost), sound)
        counts["zeroed"][zeroed] += 1
        few += [lost] if zeroed == "other" else []
        flipped = bytearray(data)
        for _ in range(draw.randrange(1, 4)):
            flipped[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        counts["flipped"][outcome(bytes(flipped), sound)] += 1
    assert counts["cut"]["other"] == 0
    if kind in CHECKSUMS:
        assert counts["flipped"]["other"] == 0
    if kind in UNCOMPRESSED:  # few pixels, or zeros from the very beginning of a row
        assert counts["zeroed"]["other"] <= 3
    else:  # a lossy WebP needs some tens of zeros at its end, and nothing tells them from others
        assert all(lost < (64 if kind == "webp" else 8) for lost in few), few


SLOW = {  # pictures that would take long; each with the pixels that may be decoded of it
    "a thousand scans": (lambda: repeated_scans(2_000, 1_000), 0),
    "the most scans that are read": (lambda: repeated_scans(64, 20), 64 * 64),
}


@pytest.mark.parametrize("kind", SLOW)
def test_the_work_is_bounded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in pixels that decoders are asked for, not in seconds."""
    make, most = SLOW[kind]
    data, asked, real = make(), [0], ImageFile.ImageFile.load

    def load(image: ImageFile.ImageFile) -> object:
        if image.tile:  # not decoded yet
            asked[0] += image.width * image.height
        return real(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with contextlib.suppress(PictureError):
        pictures.decode(data)
    assert asked[0] == most


BOMBS = {
    "a WebP of one colour": lambda: encode(
        Image.new("RGB", (6000, 5000)), "WEBP", lossless=True, method=0
    ),
    "a PNG with transparency": lambda: encode(Image.new("RGBA", (7000, 7000), 9), "PNG"),
    "a 16-bit PNG": lambda: encode(Image.new("I;16", (7000, 7000), 900), "PNG"),
    "a TIFF of floats": lambda: encode(
        Image.new("F", (7000, 7000), 0.5), "TIFF", compression="tiff_deflate"
    ),
    "a CMYK JPEG": lambda: encode(Image.new("CMYK", (7000, 7000), 9), "JPEG"),
    "a progressive JPEG": lambda: encode(Image.new("RGB", (7000, 7000), 9), "JPEG", progressive=1),
    "an AVIF": lambda: encode(Image.new("RGB", (6500, 6500), 9), "AVIF", speed=10),
    "a HEIC": lambda: encode(Image.new("RGB", (6500, 6500), 9), "HEIF"),
    "a GIF": lambda: encode(Image.new("P", (7000, 7000)), "GIF"),
    "a thin PNG": lambda: encode(Image.new("RGB", (49_000_000 // 20, 20)), "PNG"),
}
CHILD = """
import sys, resource, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from ravl.data import pictures
data = Path(sys.argv[1]).read_bytes()
small = pictures.decode(Path(sys.argv[2]).read_bytes(), hint=224)
rest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with ThreadPoolExecutor(4) as pool:
    sizes = {pool.submit(pictures.decode, data, hint=224, max_pixels=50_000_000) for _ in range(4)}
    print(max(max(f.result().size) for f in sizes))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - rest)
"""


@pytest.mark.parametrize("kind", BOMBS)
def test_four_at_once_take_the_memory_of_one(kind: str, tmp_path: Path) -> None:
    """Below 600 MB above rest, however many threads decode."""
    bomb, small = tmp_path / "bomb", tmp_path / "small"
    bomb.write_bytes(BOMBS[kind]())
    small.write_bytes(encode(noisy(), "PNG"))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(bomb), str(small)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    taken = int(done.stdout.split()[-1]) / 1024
    assert taken < 600, f"{kind}: {taken:.0f} MB"
