"""The report of a retriever's run: figures as JSON, and a page with example searches."""

from __future__ import annotations

import numpy as np

from ravl.evaluation import Score
from ravl.files.whole_file import write_text
from ravl.json_types import JsonObject
from ravl.memory import Memory
from ravl.pages.render import row_uri
from ravl.pages.retriever_report import Example, ShownHit, Table, retriever_report
from ravl.runs.run import write_json
from ravl.tasks.search.held import Held, Metrics, Space
from ravl.tasks.search.results import RetrieverReport
from ravl.training.dual_encoder.pairs import Ints, Pairs
from ravl.training.dual_encoder.settings import RetrieverSettings

EXAMPLES = 8  # queries on the page, drawn by chance and not by how well they go
SHOWN = 5  # hits of each
SIDE = 120  # of a thumbnail, in pixels


def write_report(
    report: RetrieverReport,
    memory: Memory,
    pairs: Pairs,
    held: Held,
    metrics: Metrics,
    sizes: dict[str, int],
    settings: RetrieverSettings,
) -> None:
    """Write ``report.html`` and, last of all, ``metrics.json``: the run has ended."""
    about = [
        ("memory", str(memory.path)),
        ("encoder now", memory.encoder.spec + _kept(report)),
        ("pictures", ", ".join(f"{name} {size:,}" for name, size in sizes.items())),
        (
            "texts",
            f"{len(pairs.texts):,}, and {pairs.unread:,} left out that the encoder cannot read",
        ),
        ("level", _levels(report)),
        ("training", f"{report.seconds:.0f} s, {len(report.curve)} epochs, loss {settings.loss}"),
        ("hubness correction", f"{report.hubness:g}, chosen on the validation split"),
    ]
    tables = [
        Table(
            f"{direction}, {len(held.chosen):,} test pictures, {len(held.which):,} texts",
            _lines(moments),
        )
        for direction, moments in metrics.items()
    ]
    page = retriever_report(
        "ravl: the retriever, before and after training",
        about,
        tables,
        _examples(memory, pairs, held, report.hubness, settings.seed),
        report.curve,
    )
    write_text(report.out / "report.html", page)
    record: JsonObject = {
        "task": "search",
        "encoder": memory.encoder.spec,
        "pictures": sizes,
        "adopted": report.adopted,
        "hubness": report.hubness,
        "seconds": report.seconds,
        "level": report.level,
        "levels": report.levels,
        "curve": report.curve,
        "metrics": report.metrics,
    }
    write_json(report.out / "metrics.json", record)


def _levels(report: RetrieverReport) -> str:
    found = ", ".join(f"{name} {100 * recall:.1f} %" for name, recall in report.levels.items())
    return f"{report.level}; R@10 of the validation split, mean of both directions: {found}"


def _kept(report: RetrieverReport) -> str:
    return "" if report.adopted else " (as before: training gained nothing on the validation split)"


def _lines(
    moments: dict[str, dict[str, Score]],
) -> list[tuple[str, dict[str, tuple[Score, Score, Score]]]]:
    """Lines of a table: the trained space, also without hubness correction if that was measured."""
    before, lines = moments["before"], []
    for title, prefix in (("trained", ""), ("trained, hubs not corrected", "uncorrected_")):
        if f"{prefix}after" in moments:
            after, change = moments[f"{prefix}after"], moments[f"{prefix}difference"]
            lines.append((title, {n: (before[n], after[n], change[n]) for n in before}))
    return lines


def _examples(memory: Memory, pairs: Pairs, held: Held, hubness: float, seed: int) -> list[Example]:
    """Searches for some test texts, before and after."""
    random = np.random.default_rng(seed)
    queries = np.sort(random.permutation(len(held.which))[:EXAMPLES])
    return [
        Example(
            pairs.texts[held.which[query]],
            _hits(memory, pairs, held, held.before, 0.0, query),
            _hits(memory, pairs, held, held.after, hubness, query),
        )
        for query in queries.tolist()
    ]


def _hits(
    memory: Memory, pairs: Pairs, held: Held, space: Space, strength: float, query: int
) -> list[ShownHit]:
    scores = space.pictures @ space.texts[query] - strength * space.hubs[0]
    best: Ints = np.argsort(-scores)[:SHOWN]
    right = set(held.of_text[query].tolist())
    hits = []
    for i in best.tolist():
        row = memory.get(pairs.rows[held.chosen[i]])
        hits.append(ShownHit(row_uri(memory, row, SIDE), row.caption, i in right))
    return hits
