"""Drift: false alarms where nothing has changed, and how soon three planted shifts are noticed.

`clothing_small`, a linear run on 55 % of the pictures without the class outwear; all else is held
out. The network sees each picture once in each version; samples are drawn from what it said, 400
pictures as the reference (or the run's own, its test part at fitting time) and a window from the
others. `alarms` is the share of windows that are called drift, at a rate of 5 %, with its 95 %
interval. `pictures until the alarm` is the window divided by that share: what is expected with
disjoint windows, which are tested once each; without drift it is what lies between two false
alarms. The run's own reference is a single one, so that its windows are not independent.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from benchmarks.report import Lines, picture_set, with_interval
from ravl.data import Example
from ravl.drift.permutation import permutation_test
from ravl.memory import Memory
from ravl.retrieval.query import open_picture
from ravl.runs.drift_reference import read_reference
from ravl.runs.signals import ANSWERS, Signals
from ravl.tasks.fit import fit
from ravl.tasks.model import Model

NEW = "outwear"
KNOWN = 0.55  # share of the pictures that the memory holds
REFERENCE, RATE = 400, 0.05
WINDOWS = (50, 100, 200)
SPLITS, DRAWN = 1000, 200  # windows without drift, and of each shift
ROUNDS = 999
SHIFTED = 450  # pictures of each changed version
TINY = {
    "REFERENCE": 8,
    "WINDOWS": (6,),
    "SPLITS": 2,
    "DRAWN": 2,
    "ROUNDS": 19,
    "SHIFTED": 8,
}

Change = Callable[[Image.Image], Image.Image]
CHANGES: dict[str, Change] = {
    "a little brighter (x 1.25)": lambda p: ImageEnhance.Brightness(p).enhance(1.25),
    "brighter (x 1.6)": lambda p: ImageEnhance.Brightness(p).enhance(1.6),
    "a little blurred (radius 0.5 %)": lambda p: _blurred(p, 0.005),
    "blurred (radius 1.5 %)": lambda p: _blurred(p, 0.015),
}


def run() -> Lines:
    folder, annotations = picture_set("clothing_small")
    random = np.random.default_rng(0)
    usual = [a for a in annotations if a["label"] != NEW]
    order = random.permutation(len(usual))
    known = [usual[i] for i in order[: int(KNOWN * len(usual))]]
    held = [usual[i] for i in order[len(known) :]]
    new = [a for a in annotations if a["label"] == NEW]
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        with Memory.create(out / "shop.ravl") as memory:
            examples = [Example(a["image"], folder / a["image"], label=a["label"]) for a in known]
            memory.add(examples)
            fit("classify", memory, out=out / "run", model="linear", progress=False)
            model = Model(out / "run", memory)
            paths = [folder / a["image"] for a in held]
            plain = _signals(model, paths)
            changed = {
                name: _signals(model, paths[:SHIFTED], change) for name, change in CHANGES.items()
            }
            novel = _signals(model, [folder / a["image"] for a in new])
            own = read_reference(out / "run").signals
    kinds = np.array([a["label"] for a in held])
    return _lines(plain, own, changed, novel, kinds)


def _signals(model: Model, paths: Sequence[Path], change: Change | None = None) -> Signals:
    answers: list[Any] = []
    for start in range(0, len(paths), 64):
        pictures = [open_picture(path, 512) for path in paths[start : start + 64]]
        answers += model.classify(pictures if change is None else [change(p) for p in pictures])
    return Signals.of(answers)


def _blurred(picture: Image.Image, share: float) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(share * max(picture.size)))


def _lines(
    plain: Signals, own: Signals, changed: dict[str, Signals], novel: Signals, kinds: np.ndarray
) -> Lines:
    random = np.random.default_rng(1)
    count = len(plain)
    shirts = np.flatnonzero(kinds == "t-shirt")
    others = np.flatnonzero(kinds != "t-shirt")

    def mixed(more: Signals, share: float) -> Callable[[np.ndarray, int], Signals]:
        def draw(rest: np.ndarray, size: int) -> Signals:
            part = round(share * size)
            first = more.take(random.permutation(len(more))[:part])
            return first.then(plain.take(rest[: size - part]))

        return draw

    def of_kinds(share: float) -> Callable[[np.ndarray, int], Signals]:
        def draw(rest: np.ndarray, size: int) -> Signals:
            part = min(round(share * size), len(shirts))
            a = rest[np.isin(rest, shirts)][:part]
            return plain.take(np.concatenate([a, rest[np.isin(rest, others)][: size - len(a)]]))

        return draw

    def unchanged(rest: np.ndarray, size: int) -> Signals:
        return plain.take(rest[:size])

    usual = np.isin(np.arange(count), shirts).mean()
    shifts: dict[str, Callable[[np.ndarray, int], Signals]] = {
        "none": unchanged,
        **{name: mixed(signals, 1.0) for name, signals in changed.items()},
        "new class, 10 % of the pictures": mixed(novel, 0.1),
        "new class, 30 % of the pictures": mixed(novel, 0.3),
        f"t-shirts {100 * usual:.0f} % → {100 * usual + 10:.0f} %": of_kinds(usual + 0.1),
        f"t-shirts {100 * usual:.0f} % → {100 * usual + 20:.0f} %": of_kinds(usual + 0.2),
    }
    lines: Lines = []
    for name, draw in shifts.items():
        for size in WINDOWS:
            for reference in ("drawn", "the run's own") if name == "none" else ("drawn",):
                found = []
                for seed in range(SPLITS if name == "none" else DRAWN):
                    order = random.permutation(count)
                    then = plain.take(order[:REFERENCE]) if reference == "drawn" else own
                    rest = order[REFERENCE:] if reference == "drawn" else order
                    tested = permutation_test(then, draw(rest, size), ROUNDS, seed)
                    found.append({signal: p for signal, (_, p) in tested.items()})
                lines.append(_line(name, reference, len(then), size, found))
                print(lines[-1], flush=True)
    return lines


def _line(
    shift: str, reference: str, count: int, size: int, found: list[dict[str, float]]
) -> dict[str, Any]:
    alarms = [float(min(p.values()) <= RATE) for p in found]
    share = float(np.mean(alarms))
    by = {n: f"{100 * np.mean([p[n] <= RATE for p in found]):.0f}" for n in found[0]}
    return {
        "shift": shift,
        "reference": f"{reference}, {count:,}",
        "window": size,
        "alarms, %": with_interval(alarms),
        "by similarity / confidence / disagreement / answers, %": " / ".join(
            by.get(n, "–") for n in ("similarity", "confidence", "disagreement", ANSWERS)
        ),
        "pictures until the alarm": f"{size / share:,.0f}" if share else "–",
    }
