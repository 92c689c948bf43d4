"""Run benchmarks by name, or all; each writes results/NAME.json and results/NAME.md."""

from __future__ import annotations

import sys
from importlib import import_module

from benchmarks.report import write

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
)


def main() -> None:
    chosen = sys.argv[1:] or list(NAMES)
    unknown = set(chosen) - set(NAMES)
    if unknown:
        raise SystemExit(
            f"There is no benchmark {', '.join(unknown)}; there are: {', '.join(NAMES)}."
        )
    for name in chosen:
        module = import_module(f"benchmarks.{name}")
        print(f"== {name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        write(name, module.__doc__ or "", module.run())


if __name__ == "__main__":
    main()
