"""The tiny mode: a benchmark on a few painted pictures, to see in seconds that it runs.

The figures mean nothing. A benchmark's constant ``TINY`` has smaller values for other constants of
its module. The shared picture sets are replaced by painted ones with the same annotations.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image, ImageDraw

from benchmarks import report

KINDS = ("hat", "outwear", "shoes", "t-shirt")
CHINESE = ("帽子", "外套", "鞋", "短袖")
COLOURS = {"red": (220, 40, 40), "green": (40, 160, 60), "blue": (40, 70, 210)}
SIDE = 96  # pixels
SETS: dict[str, tuple[int, str, tuple[str, ...]]] = {  # pictures, held-out part, annotations
    "clothing_small": (60, "validation", ("label", "split")),
    "openclipart": (48, "test", ("captions", "tags", "category")),
    "tuxpaint_stamps": (48, "test", ("captions", "captions_i18n", "category")),
    "flickr8k": (60, "dev", ("captions", "split")),
    "daquar": (60, "train", ("question", "answer")),
}


@contextmanager
def tiny(folder: Path) -> Iterator[None]:
    """Within it, the benchmarks that are imported are tiny, and write below ``folder``.

    Args:
        folder: gets ``sets/`` with the painted pictures, unless they are there, and ``results/``.
    """
    for name in SETS:
        if not (folder / "sets" / name).exists():
            paint(folder / "sets" / name, name)
    with ExitStack() as changes:
        places = {"SHARED": folder / "sets", "RESULTS": folder / "results"}
        for name, module in list(sys.modules.items()):
            if name.startswith("benchmarks."):
                new = places if module is report else getattr(module, "TINY", {})
                for constant, value in new.items():
                    changes.enter_context(patch.object(module, constant, value))
        yield


def paint(folder: Path, name: str) -> None:
    """A set of painted pictures, with the annotations that the shared set of this name has."""
    (folder / "images").mkdir(parents=True)
    count, held, keys = SETS[name]
    colours = list(COLOURS)
    with (folder / "annotations.jsonl").open("w", encoding="utf-8") as file:
        for i in range(count):
            kind, colour = i % len(KINDS), colours[i // len(KINDS) % len(colours)]
            word = KINDS[kind]
            known: dict[str, Any] = {
                "label": word,
                "split": held if i // len(KINDS) % 3 == 2 else "train",
                "captions": [f"A {colour} {word}, number {i}, seen {n} times ." for n in range(5)],
                "captions_i18n": {"zh_CN": f"{CHINESE[kind]} {i}"},
                "tags": [word, colour, "painted"],
                "category": word,
                "question": ("what colour is it?", f"what is {colour}?")[i % 2],
                "answer": (colour, word)[i % 2],
            }
            image = f"images/{word}__{colour}__{i:02d}.jpg"
            picture(kind, COLOURS[colour], i).save(folder / image, quality=95)
            line = {"image": image, **{key: known[key] for key in keys}}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def picture(kind: int, colour: tuple[int, int, int], seed: int) -> Image.Image:
    """A shape of that kind among coloured blocks, (96, 96) RGB."""
    random = np.random.default_rng(seed)
    blocks = random.integers(120, 256, (6, 6, 3)).astype(np.uint8)
    found = Image.fromarray(blocks).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(found)
    x, y = random.integers(28, 68, 2).tolist()
    box = (x - 24, y - 24, x + 24, y + 24)
    if kind == 0:
        pen.ellipse(box, colour)
    elif kind == 1:
        pen.rectangle(box, colour)
    elif kind == 2:
        pen.polygon([(x, y - 24), (x - 24, y + 24), (x + 24, y + 24)], colour)
    else:
        pen.arc(box, 0, 360, colour, 8)
    return found
