"""Checking: how much of what was planted in a memory is found, and how much of what is found was.

`clothing_small`, 3,409 photographs of ten kinds of clothes, spoiled: 5 % flipped labels; 2 %
near-duplicates (at three fifths of the size, in a poor JPEG, or without a margin of 3 %); 1 %
poisoned rows with a wrong label (mirrored and lightened copies of the pictures that most others are
near to, or blends of eight pictures of one kind); 1 % blurred; 0.5 % each of blank, broken and
foreign pictures (of Flickr8k). `flickr8k`, 1,500 photographs: 5 % have the captions of another.

A set's own faults count as wrongly found: precision is a lower bound. `0.9` is the score from which
`--fix` acts unasked.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labelled import memory_of
from benchmarks.planted import plant
from benchmarks.report import Lines, picture_set
from ravl.checking.check import Check, check
from ravl.data import Example
from ravl.memory import Memory

WRONG = ("flipped label", "poisoned, mirrored", "poisoned, blended")
COPIES = ("near-duplicate, resized", "near-duplicate, recompressed", "near-duplicate, cropped")
MEANT = {
    "mislabel": WRONG,
    "hub": WRONG,
    "duplicate": COPIES,
    "outlier": ("foreign",),
    "text": ("swapped captions",),
    "broken": ("broken",),
    "blank": ("blank",),
    "blurred": ("blurred",),
}
SURE = 0.9
PICTURES, SWAPPED = 1500, 0.05  # of Flickr8k, and the share with another's captions
TINY = {"PICTURES": 40, "SWAPPED": 0.1}


def run() -> Lines:
    with tempfile.TemporaryDirectory() as folder:
        return [*_clothes(Path(folder)), *_captions(Path(folder))]


def _clothes(folder: Path) -> Lines:
    flickr, lines = picture_set("flickr8k")
    with memory_of("clothing_small", folder) as memory:
        planted = plant(memory, folder, [flickr / line["image"] for line in lines[::7]])
        found = check(memory, progress=False)
        fast = check(memory, fast=True, progress=False).seconds
    right = [
        finding.label == planted.labels[finding.ids[0]]
        for finding in found.of("mislabel")
        if finding.ids[0] in planted.labels
    ]
    kinds = [kind for kind in MEANT if kind != "text"]
    table = [_kind(found, kind, planted.faults) for kind in kinds]
    table += [
        _fault(found, kind, name, planted.faults[name]) for kind in kinds for name in MEANT[kind]
    ]
    return [
        *table,
        {
            "suggested labels that are right": f"{np.mean(right):.0%} of {len(right)}",
            "seconds": round(found.seconds),
            "seconds with --fast": round(fast),
        },
    ]


def _kind(found: Check, kind: Any, faults: dict[str, set[str]]) -> dict[str, Any]:
    """How much of what was found is planted."""
    true = set().union(*(faults[name] for name in MEANT[kind]))
    all_ = [bool(true & set(finding.ids)) for finding in found.of(kind)]
    sure = [bool(true & set(f.ids)) for f in found.of(kind) if f.score >= SURE]
    return {
        "kind": kind,
        "found": len(all_),
        "precision": _share(all_),
        "found from 0.9": len(sure),
        "precision from 0.9": _share(sure),
    }


def _fault(found: Check, kind: Any, name: str, true: set[str]) -> dict[str, Any]:
    """How much of what is planted was found."""
    ids, sure = (
        {id for finding in found.of(kind) if finding.score >= least for id in finding.ids}
        for least in (0, SURE)
    )
    return {
        "fault": name,
        "planted": len(true),
        "by": kind,
        "recall": _share([id in ids for id in true]),
        "recall from 0.9": _share([id in sure for id in true]),
    }


def _captions(folder: Path) -> Lines:
    place, lines = picture_set("flickr8k")
    lines = lines[:PICTURES]
    chosen = np.random.default_rng(0).permutation(len(lines))[: round(SWAPPED * len(lines))]
    texts = [line["captions"] for line in lines]
    for i, j in zip(chosen, np.roll(chosen, 1), strict=True):
        texts[i] = lines[j]["captions"]
    with Memory.create(folder / "flickr8k.ravl") as memory:
        memory.add(
            Example(line["image"], place / line["image"], tuple(said))
            for line, said in zip(lines, texts, strict=True)
        )
        found = check(memory, kinds=["text"], progress=False)
    true = {"swapped captions": {lines[i]["image"] for i in chosen}}
    return [_kind(found, "text", true), _fault(found, "text", *next(iter(true.items())))]


def _share(hits: list[bool]) -> str:
    return f"{np.mean(hits):.0%}" if hits else "-"
