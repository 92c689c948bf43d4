"""The builtin encoder's learned part against ConSE alone, on sets that it never saw.

The learned part (src/ravl/encoders/space) is a ridge regression from picture features to text
vectors, from public-domain clip art, emoji and ImageNet's class names; a picture's place among
texts is the mean of it and of ConSE's. Its settings were chosen on clip art when learned from
emoji, on emoji when learned from clip art, and only where it also helps on made-up features of
ImageNet's classes (scripts/train_space.py). That last condition was set when these sets had been
looked at, so a difference that its interval hardly clears from zero should be read with care.

R@10 both ways with all texts and pictures of a set, the right one of ten labels without an example,
and how many of the five nearest pictures have the query's label; in per cent, differences with 95 %
intervals. Of Tux Paint's stamps, 95 are left out, which are drawings of the Open Clip Art Library
that the learned part has seen (cosine of the features above 0.85).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np

from benchmarks.report import Lines, picture_set
from ravl.data.pictures import decode
from ravl.encoders.base import Array, normalise
from ravl.encoders.builtin import SEMANTIC, SEMANTIC_SHARE, BuiltinEncoder
from ravl.encoders.space import devise_vectors
from ravl.evaluation import (
    Score,
    bootstrap,
    paired_difference,
    precision_at,
    ranks_of_relevant,
    retrieval_differences,
    retrieval_scores,
)
from ravl.training.dual_encoder.pairs import LABEL

SEEN = Path(__file__).with_name("space_seen.json")  # names of stamps
ALIKE = 5
TINY: dict[str, object] = {}  # the painted sets are few pictures


@dataclass(frozen=True)
class Set:
    """Pictures' features (n, 1280), texts' centred vectors (m, 384), and what belongs together."""

    name: str
    features: Array
    texts: Array
    of_text: list[np.ndarray]
    of_picture: list[np.ndarray]
    labels: np.ndarray | None


def run() -> Lines:
    encoder = BuiltinEncoder()
    labels = {"tuxpaint_stamps": "category", "flickr8k": None, "clothing_small": "label"}
    sets = [_read(name, encoder, label) for name, label in labels.items()]
    lines: Lines = []
    for each in sets:
        for question, old, new, change in _ask(each, encoder):
            lines.append(
                {
                    "set": each.name,
                    "question": question,
                    "ConSE": old.percent(),
                    "with the learned part": new.percent(),
                    "difference": change.percent(),
                }
            )
            print(lines[-1], flush=True)
    return lines


def _ask(each: Set, encoder: BuiltinEncoder) -> Iterator[tuple[str, Score, Score, Score]]:
    old = _conse(encoder, each.features)
    new = normalise(old + devise_vectors(each.features))
    if each.name == "clothing_small":  # ten texts, each a label
        right = [
            (each.texts @ pictures.T).argmax(axis=0) == [own[0] for own in each.of_picture]
            for pictures in (old, new)
        ]
        before, after = (r.astype(float) for r in right)
        change = paired_difference(after, before, seed=0)
        yield "label, no example", bootstrap(before, seed=0), bootstrap(after, seed=0), change
    else:
        yield from _search(each, old, new)
    if each.labels is not None:
        yield _alike(each, encoder, old, new)


def _search(each: Set, old: Array, new: Array) -> Iterator[tuple[str, Score, Score, Score]]:
    together = np.array([own[0] for own in each.of_text])  # captions of one picture
    before, after = (
        (
            ranks_of_relevant(each.texts, pictures, each.of_text),
            ranks_of_relevant(pictures, each.texts, each.of_picture),
        )
        for pictures in (old, new)
    )
    for i, name in enumerate(("text -> picture", "picture -> text")):
        groups = together if i == 0 else None
        yield (
            f"{name} R@10",
            retrieval_scores(before[i], groups, 0)["R@10"],
            retrieval_scores(after[i], groups, 0)["R@10"],
            retrieval_differences(after[i], before[i], groups, 0)["R@10"],
        )


def _alike(
    each: Set, encoder: BuiltinEncoder, old: Array, new: Array
) -> tuple[str, Score, Score, Score]:
    assert each.labels is not None
    queries = np.arange(len(each.features))
    visual = normalise(each.features @ encoder._projection["visual"].T)
    before, after = (
        precision_at(both, both, each.labels, each.labels, ALIKE, queries)
        for both in (
            np.hstack([sqrt(SEMANTIC_SHARE) * semantic, sqrt(1 - SEMANTIC_SHARE) * visual])
            for semantic in (old, new)
        )
    )
    change = paired_difference(after, before, seed=0)
    scores = (bootstrap(before, seed=0), bootstrap(after, seed=0), change)
    return f"picture -> picture P@{ALIKE} same label", *scores


def _conse(encoder: BuiltinEncoder, features: Array) -> Array:
    """Features (n, 1280) -> vectors (n, 384), as it was before there was a learned part."""
    p = encoder._projection
    logits = features @ p["weight"].T + p["bias"]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return normalise(odds @ (p["class_vectors"] - encoder._centre))


def _read(name: str, encoder: BuiltinEncoder, label: str | None) -> Set:
    root, rows = picture_set(name)
    seen = set(json.loads(SEEN.read_text("utf-8"))) if name == "tuxpaint_stamps" else set()
    rows = [row for row in rows if Path(row["image"]).name not in seen]
    rows = [row for row in rows if name != "flickr8k" or row["split"] == "dev"]
    features = []
    for i in range(0, len(rows), encoder.batch_size):
        pictures = [decode(root / row["image"]) for row in rows[i : i + encoder.batch_size]]
        features.append(encoder.features([encoder.prepare(p) for p in pictures]))
    said = [row.get("captions") or [LABEL.format(row["label"])] for row in rows]
    texts = {text: i for i, text in enumerate(dict.fromkeys(t for its in said for t in its))}
    of_picture = [np.array([texts[t] for t in dict.fromkeys(its)]) for its in said]
    of_text: list[list[int]] = [[] for _ in texts]
    for i, own in enumerate(of_picture):
        for t in own:
            of_text[t].append(i)
    return Set(
        name,
        np.concatenate(features),
        encoder.embed_texts(list(texts))[:, :SEMANTIC],
        [np.array(own) for own in of_text],
        of_picture,
        np.array([row[label] for row in rows]) if label else None,
    )
