"""What a server answers, against the same model called in a loop without one.

`clothing_small`: pictures of its validation split are uploaded as the JPEG files that they are, and
texts are searched for, by 1, 8 and 64 clients that each ask again as soon as they are answered.
The *loop* opens, classifies or searches the same in one process, 32 at a time. The clients take a
part of the two cores that the server has. Then: the same runs exported to ONNX and served without
torch; how long a server takes to start; what memory each loaded run takes.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ravl
from benchmarks.labelled import memory_of
from benchmarks.load import Load, form, load, served
from benchmarks.report import Lines, picture_set, seconds
from ravl.retrieval import Query
from ravl.tasks.fit import fit

CLIENTS = (1, 8, 64)
REQUESTS = {1: 100, 8: 300, 64: 600}
WARM, EXPORTED = 30, 200  # requests before the measurement, and to an exported run
TOGETHER = 32
TINY = {
    "CLIENTS": (1, 2),
    "REQUESTS": {1: 2, 2: 4},
    "WARM": 1,
    "EXPORTED": 4,
    "TOGETHER": 4,
}
TEXTS = ("a red checked shirt", "a straw hat", "blue jeans", "a long black dress", "shoes")


def run() -> Lines:
    folder, rows = picture_set("clothing_small")
    held = [row for row in rows if row.get("split") == "validation"][:200]
    files = [(folder / row["image"]).read_bytes() for row in held]
    lines: Lines = []
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        runs = fitted(work)
        for part in (throughput(work, runs, files), exports(work, runs, files), starts(work, runs)):
            for line in part:
                print(line, flush=True)
                lines.append(line)
    return lines


def fitted(work: Path) -> dict[str, Path]:
    """Runs of one memory, fitted briefly: what they are worth is measured elsewhere."""
    found = {name: work / name for name in ("linear", "fusion", "texts")}
    with memory_of("clothing_small", work) as memory:
        test = 'split = "validation"'
        fit("classify", memory, out=found["linear"], model="linear", test=test, progress=False)
        fit(
            "classify",
            memory,
            out=found["fusion"],
            model="fusion",
            test=test,
            epochs=1,
            progress=False,
        )
    with memory_of("tuxpaint_stamps", work) as memory:
        fit(
            "caption",
            memory,
            out=found["texts"],
            model="generator",
            compare="hidden",
            epochs=1,
            regions=0,
            test_share=0.2,
            progress=False,
        )
    return found


def throughput(work: Path, runs: dict[str, Path], files: list[bytes]) -> Iterator[dict[str, Any]]:
    """Classifying and searching: by clients, with and without batches, and in a loop."""
    asked = {
        "classify": lambda i: form("/v1/classify", [files[i % len(files)]]),
        "search, picture": lambda i: form("/v1/search", [files[i % len(files)]]),
        "search, text": lambda i: form("/v1/search", [], text=f"{TEXTS[i % len(TEXTS)]} {i}"),
    }
    loops = in_a_loop(runs["linear"], work, files)
    for how in ("on", "off"):
        with served(runs["linear"], *(() if how == "on" else ("--together", "1"))) as server:
            for what, ask in asked.items():
                load(server.url, ask, 8, WARM)
                for clients in CLIENTS:
                    found = load(server.url, ask, clients, REQUESTS[clients])
                    yield {
                        "what": what,
                        "batching": how,
                        "clients": clients,
                        **_told(found),
                        "of the loop": round(found.rate / loops[what], 2),
                    }
    for what, rate in loops.items():
        yield {"in a loop": what, "a second": round(rate, 1)}


def in_a_loop(place: Path, work: Path, files: list[bytes]) -> dict[str, float]:
    """Answers a second of the same without a server, 32 at a time."""
    uploads = [work / f"{i}.jpg" for i in range(len(files))]
    for path, file in zip(uploads, files, strict=True):
        path.write_bytes(file)
    parts = [uploads[i : i + TOGETHER] for i in range(0, len(uploads), TOGETHER)]
    texts = [[f"{TEXTS[i % len(TEXTS)]} {i}" for i in range(TOGETHER)] for _ in range(10)]
    with ravl.load(place) as model:
        memory = model.memory
        works: dict[str, tuple[Callable[[], Any], int]] = {
            "classify": (lambda: [model.classify(part) for part in parts], len(files)),
            "search, picture": (
                lambda: [memory.search([Query(image=p) for p in part]) for part in parts],
                len(files),
            ),
            "search, text": (
                lambda: [memory.search(part) for part in texts],
                TOGETHER * len(texts),
            ),
        }
        found = {name: count / seconds(answer, 1) for name, (answer, count) in works.items()}
    gc.collect()
    return found


def exports(work: Path, runs: dict[str, Path], files: list[bytes]) -> Iterator[dict[str, Any]]:
    """The same runs with torch, exported, and exported in whole numbers."""
    from ravl.exports.run import export_run

    for name, what in (("fusion", "classify"), ("texts", "caption")):
        places = {"torch": runs[name]}
        for kind, int8 in (("ONNX", False), ("ONNX int8", True)):
            places[kind] = work / f"{name} {kind}"
            export_run(runs[name], places[kind], int8=int8)
        for kind, place in places.items():
            with served(place) as server:
                ask = lambda i: form(f"/v1/{what}", [files[i % len(files)]])  # noqa: B023, E731
                load(server.url, ask, 8, WARM)
                found = load(server.url, ask, 8, EXPORTED)
                yield {
                    "run": f"{what} ({name})",
                    "runs on": kind,
                    "clients": 8,
                    **_told(found),
                    "MB": round(server.megabytes),
                    "ready after, s": round(server.seconds, 1),
                }


def starts(work: Path, runs: dict[str, Path]) -> Iterator[dict[str, Any]]:
    """Until a server is ready, and the memory that it holds then."""
    for what, places in {
        "the memory alone": [work / "clothing_small.ravl"],
        "a linear run": [runs["linear"]],
        "a linear and a fusion run": [runs["linear"], runs["fusion"]],
        "a captioner": [runs["texts"]],
    }.items():
        with served(*places) as server:
            yield {
                "serves": what,
                "ready after, s": round(server.seconds, 1),
                "MB": round(server.megabytes),
            }


def _told(found: Load) -> dict[str, Any]:
    return {
        "answers/s": round(found.rate, 1),
        **{f"p{p}, ms": found.milliseconds(p) for p in (50, 95, 99)},
        "not answered": sum(status != 200 for status in found.statuses),
    }
