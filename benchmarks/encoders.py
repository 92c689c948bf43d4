"""The builtin encoder's choices, measured: preparation, the halves of the space, ONNX or torch.

P@5: share of a picture's five nearest others with its label (clothing: label, stamps and clip art:
category). R@10: Flickr8k dev captions that find their photo among the first ten of 1,000 (squared
photos, so preparation changes nothing there but the crop). The first line of each table is what
`builtin` does.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from benchmarks.report import Lines, alternate, picture_set
from ravl.data import pictures
from ravl.encoders import builtin as module
from ravl.encoders import efficientnet
from ravl.encoders.base import Array
from ravl.encoders.builtin import BuiltinEncoder

Prepare = Callable[[Image.Image], Array]
BATCH, TIMES = 32, 7  # of the comparison of runtimes
TINY = {"BATCH": 2, "TIMES": 1}


def run() -> Lines:
    encoder = BuiltinEncoder()
    sets = {name: _labelled(name) for name in ("clothing_small", "tuxpaint_stamps", "openclipart")}
    lines: Lines = []
    kept: dict[str, Array] = {}
    for name, prepare in _preparations(encoder).items():
        line: dict[str, object] = {"preparation": name}
        for set_name, (paths, labels) in sets.items():
            features = _features(encoder, paths, prepare)
            if not lines:
                kept[set_name] = features
            line[f"{set_name} P@5"] = _precision(encoder.project(features), labels)
        lines.append(line)
        print(line, flush=True)
    lines += _halves(encoder, kept, {name: labels for name, (_, labels) in sets.items()})
    return lines + _runtimes(encoder)


def _preparations(encoder: BuiltinEncoder) -> dict[str, Prepare]:
    side = encoder.picture_size

    def plain(change: Callable[[Image.Image], Image.Image]) -> Prepare:
        return lambda picture: encoder.prepare(change(picture))  # a square passes unchanged

    return {
        "trim half-way, pad the rest": encoder.prepare,
        "square crop": plain(lambda p: ImageOps.fit(p, (side, side), Image.Resampling.BICUBIC)),
        "squash": plain(lambda p: p.resize((side, side), Image.Resampling.BICUBIC)),
        "pad": plain(lambda p: ImageOps.pad(p, (side, side), Image.Resampling.BICUBIC, "white")),
    }


def _halves(encoder: BuiltinEncoder, kept: dict[str, Array], labels: dict[str, Array]) -> Lines:
    folder, rows = picture_set("flickr8k")
    rows = [r for r in rows if r["split"] != "train"]
    photos = _features(encoder, [folder / r["image"] for r in rows], encoder.prepare)
    texts = encoder.embed_texts([c for r in rows for c in r["captions"]])
    owner = np.repeat(np.arange(len(rows)), 5)
    lines: Lines = []
    usual = module.SEMANTIC_SHARE
    for share in (usual, 0.0, 0.05, 0.2, 0.5, 1.0):
        module.SEMANTIC_SHARE = share
        scores = texts @ encoder.project(photos).T
        rank = (scores > scores[np.arange(len(texts)), owner][:, None]).sum(axis=1)
        line: dict[str, object] = {"semantic share": share}
        for name, features in kept.items():
            line[f"{name} P@5"] = _precision(encoder.project(features), labels[name])
        line["flickr8k R@10"] = round(100 * float((rank < 10).mean()), 1) if share else "-"
        lines.append(line)
    module.SEMANTIC_SHARE = usual
    return lines


def _runtimes(encoder: BuiltinEncoder) -> Lines:
    """Pictures a second through both runtimes, in turns."""
    rng = np.random.default_rng(0)
    batch = [rng.normal(size=(3, 224, 224)).astype(np.float32) for _ in range(BATCH)]
    network = efficientnet.load_pretrained()
    stacked = torch.from_numpy(np.stack(batch))

    def in_torch() -> None:
        with torch.inference_mode():
            network(stacked)

    onnx, eager = alternate([lambda: encoder.features(batch), in_torch], TIMES)
    return [
        {
            "runtime": "ONNX (onnxruntime)",
            "pictures/s": round(BATCH / onnx),
            "ratio": round(eager / onnx, 2),
        },
        {"runtime": "torch, eager", "pictures/s": round(BATCH / eager), "ratio": 1.0},
    ]


def _labelled(name: str) -> tuple[list[Path], Array]:
    folder, rows = picture_set(name)
    if name == "tuxpaint_stamps":
        labels = ["/".join(Path(r["image"]).name.split("__")[:2]) for r in rows]
    else:
        labels = [r["label"] if "label" in r else r["category"] for r in rows]
    return [folder / r["image"] for r in rows], np.array(labels)


def _features(encoder: BuiltinEncoder, paths: list[Path], prepare: Prepare) -> Array:
    def load(path: Path) -> Array:
        return prepare(pictures.decode(path, hint=encoder.picture_size))

    with ThreadPoolExecutor(2) as pool:
        parts = [
            encoder.features(list(pool.map(load, paths[i : i + 256])))
            for i in range(0, len(paths), 256)
        ]
    return np.concatenate(parts)


def _precision(vectors: Array, labels: Array) -> float:
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    nearest = np.argpartition(-scores, 5, axis=1)[:, :5]
    return round(100 * float((labels[nearest] == labels[:, None]).mean()), 1)
