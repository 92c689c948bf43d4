"""Captions of Flickr8k's dev photographs: the rows, the curve of training, and what time goes into.

Five captions of each are the references. The generator is trained without retrieval and with it;
then neighbours are hidden, exchanged for random rows, or for those of another picture.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ravl
from benchmarks.labelled import memory_of
from benchmarks.report import Lines, picture_set, seconds
from ravl.evaluation import Score
from ravl.models.generation.base import Decoding
from ravl.tasks.fit import fit

ROWS = (
    "zero_shot",
    "nearest",
    "vote",
    "no_retrieval",
    "generator_off",
    "generator alone",
    "generator first",
    "with_retrieval",
    "retrieval_shuffled",
    "retrieval_misleading",
)
PICTURES = 64  # that the throughput is measured on
HOW: dict[str, Any] = {}  # other settings
TINY = {"PICTURES": 4, "HOW": {"epochs": 1, "regions": 0, "layers": 1}}


def run() -> Lines:
    with tempfile.TemporaryDirectory() as folder, memory_of("flickr8k", Path(folder)) as memory:
        out = Path(folder) / "run"
        report: Any = fit(
            "caption",
            memory,
            out=out,
            model="generator",
            progress=False,
            test='split = "dev"',
            command="benchmark",
            **HOW,
        )
        metrics = report.metrics
        found = {**metrics["levels"], **metrics["rows"], **metrics["retrieval"]}
        lines: Lines = [
            {
                "row": name,
                "CIDEr-D": str(Score(**found[name]["CIDEr-D"])),
                "BLEU-4": Score(**found[name]["BLEU-4"]).percent(),
            }
            for name in ROWS
            if name in found
        ]
        for name, gain in metrics["differences"].items():
            lines.append(
                {
                    "row": name,
                    "CIDEr-D": str(Score(**gain["CIDEr-D"])),
                    "BLEU-4": Score(**gain["BLEU-4"]).percent(),
                }
            )
        for name, curve in metrics["curves"].items():
            lines += [
                {"curve": name, "seconds": round(at), "validation CIDEr-D": round(score, 3)}
                for at, score in curve
            ]
        lines += [
            {"trained": name, "in seconds": at} for name, at in metrics["fit_seconds"].items()
        ]
        return lines + speed(out)


def speed(run: Path) -> Lines:
    """Batched over one by one, and the share of time of each part."""
    images = sorted((picture_set("flickr8k")[0] / "images").glob("*.jpg"))[:PICTURES]
    with ravl.load(run) as model:
        predictor = model.predictor
        together = seconds(lambda: model.caption(images), 3)
        alone = seconds(lambda: [model.caption(image) for image in images[:8]], 3) / 8
        greedy = seconds(lambda: model.caption(images, how=Decoding(num_beams=1)), 3)
        parts: dict[str, float] = {}
        captioner, _ = predictor._ready()
        with (
            timed(predictor, "_look", parts, "vision"),
            timed(captioner.generator, "read", parts, "reading"),
            timed(captioner.generator.writer.__class__, "write", parts, "writing, with reading"),
            timed(captioner.generator, "log_probabilities", parts, "rating the memory's texts"),
        ):
            began = time.perf_counter()
            model.caption(images)
            whole = time.perf_counter() - began
    lines: Lines = [
        {"captioning": "batched", "pictures/s": round(PICTURES / together, 1), "ratio": 1.0},
        {
            "captioning": "one by one",
            "pictures/s": round(1 / alone, 1),
            "ratio": round(PICTURES * alone / together, 2),
        },
        {
            "captioning": "batched, greedy",
            "pictures/s": round(PICTURES / greedy, 1),
            "ratio": round(greedy / together, 2),
        },
    ]
    return lines + [
        {"part": name, "share of time": f"{100 * spent / whole:.0f} %"}
        for name, spent in parts.items()
    ]


@contextmanager
def timed(owner: Any, name: str, parts: dict[str, float], part: str) -> Iterator[None]:
    """Within it, the time that a method takes is added up."""
    method = getattr(owner, name)

    def measured(*given: Any, **how: Any) -> Any:
        began = time.perf_counter()
        try:
            return method(*given, **how)
        finally:
            parts[part] = parts.get(part, 0.0) + time.perf_counter() - began

    own = name in vars(owner)
    setattr(owner, name, measured)
    try:
        yield
    finally:
        setattr(owner, name, method) if own else delattr(owner, name)
