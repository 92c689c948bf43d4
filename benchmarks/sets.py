"""What training the retriever gains on other collections, on a fifth that was held out.

Clothes learn from their labels, clip art from titles and keywords, stamps from their
descriptions. R@10 is that of texts that look for their picture among the held-out ones and the
reverse; P@5 is the share of the five nearest pictures with the query's label (of stamps: the
category).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import Lines, picture_set
from ravl.data import ColumnNames
from ravl.memory import Memory
from ravl.tasks.search.fit import fit_retriever
from ravl.training.dual_encoder.settings import RetrieverSettings

LABELS = {"clothing_small": None, "openclipart": None, "tuxpaint_stamps": "category"}
SETTINGS = RetrieverSettings(test_share=0.2)
TINY = {"SETTINGS": RetrieverSettings(epochs=1, test_share=0.2)}
ASKED = {
    "text -> picture": "R@10",
    "picture -> text": "R@10",
    "picture -> picture": "P@5 same label",
}


def run() -> Lines:
    lines: Lines = []
    for name, label in LABELS.items():
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "m.ravl"
            with Memory.create(file) as memory:
                table = picture_set(name)[0] / "annotations.jsonl"
                memory.index(table, columns=ColumnNames(label=label), progress=False)
                report = fit_retriever(memory, Path(folder) / "run", SETTINGS, progress=False)
            for way, measure in ASKED.items():
                if way not in report.metrics:
                    continue
                line = _line(report.metrics, way, measure)
                lines.append({"set": name, "seconds": report.seconds, **line})
                print(lines[-1], flush=True)
    return lines


def _line(metrics: dict[str, Any], way: str, measure: str) -> dict[str, str]:
    def words(moment: str) -> str:
        score = metrics[way][moment][measure]
        value, low, high = (100 * score[end] for end in ("value", "low", "high"))
        return f"{value:.1f} % ({low:.1f} to {high:.1f})"

    return {
        "way": f"{way}, {measure}",
        **{moment: words(moment) for moment in ("before", "after", "difference")},
    }
