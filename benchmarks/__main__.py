"""Run benchmarks by name, or all; each writes results/NAME.json and results/NAME.md.

``--tiny FOLDER`` runs them on a few painted pictures and writes to that folder, to see that they
run. A benchmark that fails does not stop the others; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

from benchmarks.report import write
from benchmarks.tiny import tiny

NAMES = (
    "startup",
    "searching",
    "indexing",
    "quality",
    "encoders",
    "retriever",
    "transfer",
    "labelled",
    "evidence",
    "memory_pays",
    "towers",
    "steps",
    "matching",
    "multilingual",
    "space",
    "joint",
    "reembedding",
    "sets",
    "reranking",
    "captions",
    "drawings",
    "serving",
    "soak",
    "syncing",
    "checking",
    "drift",
    "suggest",
    "stream",
    "edit_then_answer",
    "scale",
)


def main(words: Sequence[str] | None = None) -> int:
    """Run what the command line names; returns the exit code."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--tiny", type=Path, metavar="FOLDER", help="a folder to write to")
    given = parser.parse_args(words)
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"There is no benchmark {', '.join(sorted(unknown))}.")
    chosen = given.names or NAMES
    failed: dict[str, Exception] = {}
    for name in chosen:
        try:
            module = import_module(f"benchmarks.{name}")
            about = module.__doc__ or ""
            print(f"== {name}: {about.splitlines()[0]}", flush=True)
            with tiny(given.tiny) if given.tiny else nullcontext():
                write(name, about, module.run())
        except Exception as error:
            traceback.print_exc()
            failed[name] = error
    for name, reason in failed.items():
        print(f"{name} failed: {type(reason).__name__}: {reason}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
