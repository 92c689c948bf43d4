"""The page of a comparison: signals then and now, and the pictures that the memory knows least."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ravl.drift.report import TITLES, Drift, words_of
from ravl.encoders.base import Array
from ravl.errors import PictureError
from ravl.memory import Memory, Picture
from ravl.pages.charts import Chart, line_chart
from ravl.pages.render import given_uri, render, row_uri
from ravl.runs.signals import ANSWERS, nearest

SHOWN = 24  # pictures
NEIGHBOURS = 4  # of each
MIXED = 40  # answers whose shares are listed
BINS = 20  # of a distribution
SIDE = 160  # of a thumbnail, in pixels


def drift_page(drift: Drift, memory: Memory, title: str) -> str:
    """A self-contained HTML page.

    Args:
        drift: what was found.
        memory: that answered; neighbours' pictures are read from it.
        title: of the page.
    """
    names = [tested.name for tested in drift.signals]
    charts = [(TITLES[name], _chart(drift, name)) for name in names if name != ANSWERS]
    return render(
        "drift.html",
        title=title,
        drift=drift,
        signals=[(tested, TITLES[tested.name], words_of(tested.p)) for tested in drift.signals],
        charts=[(name, chart) for name, chart in charts if chart is not None],
        mix=_mix(drift),
        furthest=[
            (
                asked,
                _picture(asked.picture),
                [
                    (each, row_uri(memory, each.row, SIDE))
                    for each in nearest(asked.answer, NEIGHBOURS)
                ],
            )
            for asked in drift.furthest[:SHOWN]
        ],
    )


def _mix(drift: Drift) -> list[tuple[str, float, float]]:
    """Answers with their shares then and now, what changed most first; empty without a list."""
    mix = next((tested for tested in drift.signals if tested.name == ANSWERS), None)
    if mix is None or not isinstance(mix.then, Mapping) or not isinstance(mix.now, Mapping):
        return []
    then, now = mix.then, mix.now
    order = sorted(then, key=lambda name: -abs(now[name] - then[name]))[:MIXED]
    return [(name, then[name], now[name]) for name in order]


def _chart(drift: Drift, name: str) -> Chart | None:
    """The shares of pictures by the number's value, then and now."""
    then, now = drift.then.numbers[name], drift.now.numbers[name]
    both = np.concatenate([then, now])
    edges = np.linspace(float(both.min()), float(both.max()) + 1e-6, BINS + 1)
    middles = (edges[1:] + edges[:-1]) / 2

    def line(values: Array) -> list[tuple[float, float]]:
        counts, _ = np.histogram(values, edges)
        return [(float(x), float(c) / len(values)) for x, c in zip(middles, counts, strict=True)]

    chart = line_chart([("fitting time", line(then)), ("now", line(now))], name, True)
    if chart is None:
        return None
    means = [f"mean {values.mean():.2f}" for values in (then, now)]
    lines = [replace(one, summary=mean) for one, mean in zip(chart.lines, means, strict=True)]
    return replace(chart, lines=lines)


def _picture(given: Picture) -> str | None:
    try:
        return given_uri(given, SIDE)
    except PictureError:
        return None
