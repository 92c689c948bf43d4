"""Labelled pictures for tests: banks out of arrays, planted leaks, a tiny language model."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image

from ravl.data import Example
from ravl.encoders.base import Array
from ravl.memory import Row
from ravl.retrieval.datastore import Datastore, Neighbours
from ravl.retrieval.key_projection import KeyProjection
from tests.helpers import COLOURS, draw
from tests.planted import picture

hf: Any = transformers
HIDDEN = 32  # of the tiny language model


def tiny_bert(folder: Path) -> Path:
    """A BERT of two layers, with the same weights each time."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = hf.BertConfig(
            hidden_size=HIDDEN,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            vocab_size=200,
        )
        model = hf.BertModel(config)
        with torch.no_grad():  # as initialised it hardly looks at its input
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(0, 0.2)
        model.save_pretrained(folder)
    return folder


def bank_of(
    features: Array,
    labels: Sequence[str | None] | None = None,
    groups: Sequence[int] | None = None,
    tags: Sequence[tuple[str, ...]] | None = None,
) -> Datastore:
    """A bank of rows that no memory holds."""
    features = features.astype(np.float32)
    rows = [
        Row(
            i + 1,
            f"r{i}",
            hash=f"h{i}",
            label=labels[i] if labels else None,
            tags=tags[i] if tags else (),
        )
        for i in range(len(features))
    ]
    numbers = np.array(groups if groups is not None else [r.number for r in rows], np.int64)
    return Datastore(rows, features, numbers, KeyProjection.of(features)(features))


def near_of(
    positions: Sequence[Sequence[int]], similarity: Sequence[Sequence[float]]
) -> Neighbours:
    """Neighbours as they are written down."""
    return Neighbours(np.array(positions, np.int64), np.array(similarity, np.float32))


def random_picture(seed: int, retouched: bool = False) -> bytes:
    """A picture of 4 x 4 random colours; retouched it has other bytes and is a near-duplicate."""
    vector = np.random.default_rng([seed, 11]).normal(size=48).astype(np.float32)
    image: Any = Image.open(io.BytesIO(picture(vector))).resize((64, 64), Image.Resampling.BICUBIC)
    if retouched:
        red, green, blue = image.getpixel((5, 5))
        image.putpixel((5, 5), (red // 2, green, 255 - blue))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def leak(
    folder: Path,
    motifs: int = 60,
    names: Sequence[str] = ("a", "b", "c", "d"),
    copies: bool = True,
) -> list[Example]:
    """Motifs with labels drawn by chance, each a second time, retouched, of the same label.

    Nothing can be learned from them; but who sees a picture's copy knows its label.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(5)
    examples = []
    for i in range(motifs):
        label = str(random.choice(list(names)))
        for kind in ("first", "copy")[: 2 if copies else 1]:
            path = folder / f"{kind}_{i:03d}.png"
            path.write_bytes(random_picture(i, kind == "copy"))
            examples.append(
                Example(path.name, path, label=label, tags=(label,), columns={"motif": i})
            )
    return examples


def shades(
    folder: Path,
    count: int = 48,
    colours: Sequence[str] = ("red", "green", "blue", "yellow"),
    first: int = 0,
) -> list[Example]:
    """Pictures of a colour each, which is their label; tags say what it has of red and blue."""
    folder.mkdir(parents=True, exist_ok=True)
    examples = []
    for i in range(first, first + count):
        colour = colours[i % len(colours)]
        path = folder / f"{colour}_{i:03d}.png"
        draw(i + 1000, colour, (48, 32)).save(path)
        red, _, blue = COLOURS[colour]
        tags = (*(("warm",) if red > 128 else ()), *(("cold",) if blue > 128 else ()), "drawn")
        examples.append(
            Example(
                path.name,
                path,
                texts=(f"a {colour} thing",),
                label=colour,
                tags=tags,
                columns={"number": i},
            )
        )
    return examples


def table(file: Path, examples: Sequence[Example], **columns: Sequence[object]) -> Path:
    """A CSV file that says what the examples say."""
    lines = [",".join(["image", "label", "tags", *columns])]
    for i, e in enumerate(examples):
        more = [str(values[i]) for values in columns.values()]
        lines.append(",".join([str(e.picture), e.label or "", ";".join(e.tags), *more]))
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file
