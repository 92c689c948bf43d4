"""Where a memory pays in search: Flickr8k's captions find its photographs, and the other way.

The pretrained encoder, a plain method on the same stored features in the same run (canonical
correlation analysis by SciPy's generalised eigenvalues, with cross-domain similarity local
scaling), and `fit search` at its defaults. All learn from the 6,000 training photographs of the
memory; the 1,000 dev ones judge. What is chosen is chosen on a tenth of the training photographs.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Lines, picture_set
from ravl.encoders.base import Array, normalise
from ravl.evaluation import ranks_of_relevant
from ravl.memory import Memory
from ravl.tasks.search.fit import fit_retriever
from ravl.tasks.search.known import KnownTexts
from ravl.training.dual_encoder.pairs import Pairs, pairs_of, read_pairs, relevant
from ravl.training.dual_encoder.settings import RetrieverSettings

DEV = 'split = "dev"'
WAYS = ("text -> picture", "picture -> text")
NEAREST = 20  # of the bank, as in Conneau et al. 2018
RIDGES = 1.0, 0.3  # mean variances of a feature, of pictures and of texts
DIRECTIONS = 256
SETTINGS = RetrieverSettings()
TINY = {"SETTINGS": RetrieverSettings(model="cca", wide=False), "DIRECTIONS": 16}


def searched(folder: Path) -> Lines:
    """The lines, by a memory that is made in a folder."""
    with Memory.create(folder / "search.ravl") as memory:
        memory.index(picture_set("flickr8k")[0] / "annotations.jsonl")
        return measured(memory, folder / "search")


def measured(memory: Memory, out: Path) -> Lines:
    """The lines of one memory, which has the fitted space afterwards."""
    began = time.process_time()
    plain = plain_recalls(memory)
    spent = time.process_time() - began
    began = time.process_time()
    report = fit_retriever(memory, out, SETTINGS, test=DEV, progress=False)
    whole = time.process_time() - began
    lines: Lines = []
    for way, recalls in zip(WAYS, plain, strict=True):
        moments = report.metrics[way]
        answers = {
            "nothing fitted": _recalls(moments["before"]),
            "CCA and CSLS, plain": "/".join(f"{100 * r:.1f}" for r in recalls),
            f"fit search ({report.level})": _recalls(moments["after"]),
        }
        lines += [
            {"set": "flickr8k", "case": way, "answer": answer, "R@1/5/10, %": found}
            for answer, found in answers.items()
        ]
    times = {
        "CPU seconds of the plain method": round(spent),
        "seconds of the fit": round(report.seconds),
        "CPU seconds of it with all that is read for it": round(whole),
    }
    return [*lines, {"set": "flickr8k", "case": "time"} | times]


def plain_recalls(memory: Memory) -> list[list[float]]:
    """R@1, 5 and 10 of both ways by textbook CCA and CSLS on what the memory stores."""
    pairs = read_pairs(memory)
    dev = {row.id for row in memory.rows(DEV)}
    held = np.array([id in dev for id in pairs.rows])
    train, test = np.flatnonzero(~held), np.flatnonzero(held)
    known = KnownTexts(memory.encoder)
    known.recall(memory)  # the plain method sees what the memory stores
    vectors = known.embed_texts(pairs.texts)
    pictures, texts = _plain_space(pairs, vectors[:, vectors.std(0) > 0], train)
    first = pairs.which[[pairs_of(pairs, np.array([i]))[0] for i in train[::2]]]
    which, of_text, of_picture = relevant(pairs, test)
    read, seen = texts[which], pictures[test]
    ranks = (
        ranks_of_relevant(read, seen, of_text, offset=_penalty(seen, texts[first])),
        ranks_of_relevant(seen, read, of_picture, offset=_penalty(read, pictures[train])),
    )
    return [[float(np.mean([r[0] <= k for r in way])) for k in (1, 5, 10)] for way in ranks]


def _plain_space(pairs: Pairs, texts: Array, train: NDArray[np.int64]) -> tuple[Array, Array]:
    from scipy.linalg import eigh

    own = pairs_of(pairs, train)
    owners, which = pairs.owners[own], pairs.which[own]
    sides = []
    for x, chosen in ((pairs.features, owners), (texts, which)):
        x = x.astype(np.float64)
        spread = x[chosen].std(0)
        sides.append((x - x[chosen].mean(0)) / np.where(spread > 0, spread, 1))
    (x, y), n = sides, len(owners)
    cx, cy = (
        s[c].T @ s[c] / n + ridge * np.eye(s.shape[1])
        for (s, c, ridge) in zip(sides, (owners, which), RIDGES, strict=True)
    )
    both = x[owners].T @ y[which] / n  # (F, D)
    size = len(cy)
    kept = [max(0, size - DIRECTIONS), size - 1]
    squares, of_texts = eigh(both.T @ np.linalg.solve(cx, both), cy, subset_by_index=kept)
    of_pictures = np.linalg.solve(cx, both @ of_texts) / np.sqrt(np.maximum(squares, 1e-12))
    weights = np.sqrt(np.maximum(squares, 0))
    return normalise(x @ of_pictures * weights), normalise(y @ of_texts * weights)


def _penalty(items: Array, bank: Array) -> Array:
    """Half the mean of each item's largest cosines with the bank, (n,), below zero."""
    mean = np.sort(items @ bank.T, axis=1)[:, -NEAREST:].mean(1)
    return np.asarray(-mean / 2, np.float32)


def _recalls(scores: dict[str, dict[str, float]]) -> str:
    return "/".join(f"{100 * scores[f'R@{k}']['value']:.1f}" for k in (1, 5, 10))
