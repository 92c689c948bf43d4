"""Faults that are planted in a memory, so that it is known what a check should find."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from ravl.data import Example
from ravl.memory import Memory, Row
from ravl.retrieval.datastore import read_datastore

FLIPPED, COPIES, POISONED, BLURRED = 0.05, 0.02, 0.01, 0.01
BLANK, BROKEN, FOREIGN = 0.005, 0.005, 0.005
BLENDED = 8  # pictures of one label in a poisoned one
TINY = {
    "COPIES": 0.05,
    "POISONED": 0.1,
    "BLANK": 0.02,
    "BROKEN": 0.04,
    "FOREIGN": 0.02,
    "BLENDED": 2,
}
K = 10  # neighbours by which the rows are found that most others are near to


@dataclass
class Planted:
    """Ids of the rows with each fault.

    Args:
        faults: by the name of the fault.
        labels: what the flipped rows said before.
    """

    faults: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    labels: dict[str, str] = field(default_factory=dict)


def plant(memory: Memory, folder: Path, foreign: Sequence[Path], seed: int = 0) -> Planted:
    """Spoil a memory of labelled pictures; no row has two faults.

    Args:
        memory: to spoil.
        folder: for pictures whose files are broken afterwards.
        foreign: pictures of other things.
        seed: of all that is random.
    """
    random = np.random.default_rng(seed)
    rows = [row for row in memory.rows() if row.label and row.duplicate_of is None]
    count = len(rows)
    rows = [rows[i] for i in random.permutation(count)]
    names = sorted({row.label for row in rows if row.label})
    planted = Planted()

    def some(share: float) -> list[Row]:
        return [rows.pop() for _ in range(round(share * count))]

    def other(label: str | None) -> str:
        return str(random.choice([name for name in names if name != label]))

    for row in some(FLIPPED):
        memory.update(row.id, label=other(row.label))
        planted.faults["flipped label"].add(row.id)
        planted.labels[row.id] = row.label or ""
    added = []
    for i, row in enumerate(some(COPIES)):
        kind = ("resized", "recompressed", "cropped")[i % 3]
        copy = Example(f"{kind}-{row.id}", _copy(memory.picture(row), kind), label=row.label)
        added.append(copy)
        planted.faults[f"near-duplicate, {kind}"].add(copy.id)
    half = round(POISONED * count / 2)
    for row in _popular(memory, [row for row in rows if row.label], half):
        mirrored = ImageOps.mirror(memory.picture(row)).point(lambda v: min(255, round(v * 1.1)))
        twin = Example(f"mirrored-{row.id}", _encoded(mirrored), label=other(row.label))
        added.append(twin)
        planted.faults["poisoned, mirrored"].add(twin.id)
    for i in range(half):
        name = names[i % len(names)]
        of = [row for row in rows if row.label == name]
        chosen = [of[j] for j in random.choice(len(of), BLENDED, replace=False)]
        blend = Example(
            f"poison-{i}", _blend([memory.picture(r) for r in chosen]), label=other(name)
        )
        added.append(blend)
        planted.faults["poisoned, blended"].add(blend.id)
    for row in some(BLURRED):
        picture = memory.picture(row)
        radius = max(picture.size) * random.uniform(0.008, 0.03)
        soft = picture.filter(ImageFilter.GaussianBlur(radius))
        added.append(replace(row.example(), picture=_encoded(soft)))
        planted.faults["blurred"].add(row.id)
    for i in range(round(BLANK * count)):
        shade = random.integers(0, 256, 3) + random.normal(0, 1, (160, 120, 3))
        blank = Image.fromarray(np.clip(shade, 0, 255).astype(np.uint8))
        added.append(Example(f"blank-{i}", _encoded(blank), label=names[i % len(names)]))
        planted.faults["blank"].add(f"blank-{i}")
    for i, path in enumerate(foreign[: round(FOREIGN * count)]):
        added.append(Example(f"foreign-{i}", path.read_bytes(), label=names[i % len(names)]))
        planted.faults["foreign"].add(f"foreign-{i}")
    memory.add(added, copy=True)
    files = []
    for i, row in enumerate(some(BROKEN)):
        file = folder / f"broken-{i}.jpg"
        file.write_bytes(memory.picture_bytes(row))
        files.append(replace(row.example(), picture=file))
        planted.faults["broken"].add(row.id)
    memory.delete(planted.faults["broken"])
    memory.add(files)
    for i, example in enumerate(files):
        assert isinstance(example.picture, Path)
        if i % 2:
            example.picture.unlink()
        else:
            example.picture.write_bytes(example.picture.read_bytes()[:2000])
    return planted


def _popular(memory: Memory, rows: Sequence[Row], count: int) -> list[Row]:
    """Those of the rows that are among the nearest of most others."""
    datastore = read_datastore(memory)
    own = [np.array([group], np.int64) for group in datastore.groups]
    near = datastore.neighbours(datastore.keys, K, own).positions
    often = dict(
        zip(
            datastore.numbers.tolist(),
            np.bincount(near[near >= 0], minlength=len(datastore)),
            strict=True,
        )
    )
    return sorted(rows, key=lambda row: -int(often[row.number]))[:count]


def _copy(picture: Image.Image, kind: str) -> bytes:
    """The same picture at three fifths of its size, in a poor JPEG, or with its margins cut off."""
    width, height = picture.size
    if kind == "resized":
        return _encoded(picture.resize((round(width * 0.6), round(height * 0.6))))
    if kind == "cropped":
        x, y = round(width * 0.03), round(height * 0.03)
        return _encoded(picture.crop((x, y, width - x, height - y)))
    return _encoded(picture, 40)


def _blend(pictures: list[Image.Image]) -> bytes:
    pixels = np.mean([np.asarray(p.resize((224, 224)), np.float32) for p in pictures], axis=0)
    return _encoded(Image.fromarray(pixels.round().astype(np.uint8)))


def _encoded(picture: Image.Image, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
