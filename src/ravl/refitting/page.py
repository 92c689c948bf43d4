"""The page of a refit, from what was compared."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from ravl.pages.fit_parts import Answer, ExampleGroup, ReportExample
from ravl.pages.refit_report import NewLabel, NewPicture, refit_report
from ravl.pages.score_table import DifferenceRow, ScoreRow, ScoreTable
from ravl.refitting.comparing import (
    CHALLENGER,
    CHAMPION,
    FROZEN,
    NEWEST,
    TOGETHER,
    Comparison,
)
from ravl.refitting.news import News
from ravl.training.page_parts import MEASURES, thumbnail

PICTURES = 24  # new ones on the page
LABELS = 30  # of the new pictures
EXAMPLES = 24  # whose answer changed, each way
SUBTITLES = {CHAMPION: "what answered so far", CHALLENGER: "with what is new"}
CAPTIONS = {
    TOGETHER: ("Both test parts together", "What is decided by."),
    FROZEN: (
        "The frozen test part",
        "What the champion was judged by from the start; nothing ever learns from it.",
    ),
    NEWEST: ("The newest test part", "A share of what was labelled since, held out from both."),
}


def tables_of(comparison: Comparison) -> list[ScoreTable]:
    """Scores of both on each part."""
    wanted = MEASURES[comparison.task.judged]
    tables = []
    for part, chosen in comparison.parts.items():
        scores, (caption, note) = comparison.scores[part], CAPTIONS[part]
        measures = [m for m in wanted if m in scores[CHAMPION]]
        if not measures or (part == TOGETHER and NEWEST not in comparison.parts):
            continue
        gain = comparison.differences[part].get(comparison.metric)
        better = CHALLENGER if gain is not None and gain.value > 0 else CHAMPION
        tables.append(
            ScoreTable(
                f"{caption}: {len(chosen):,} pictures", note, measures,
                [ScoreRow(who, SUBTITLES[who], scores[who], who == better) for who in SUBTITLES],
                [DifferenceRow(f"{CHALLENGER} − {CHAMPION}", comparison.differences[part])],
            )
        )  # fmt: skip
    return tables


def page_of(
    name: str, at: str, verdict: str, promoted: bool, news: News, comparison: Comparison
) -> str:
    """The page, as HTML."""
    return refit_report(
        f"Refit of {name}", verdict, promoted, _about(at, news),
        tables_of(comparison), _labels(news, comparison), _pictures(news, comparison),
        _changed(news, comparison),
    )  # fmt: skip


def _about(at: str, news: News) -> list[tuple[str, str]]:
    parts = news.parts
    return [
        ("when", at),
        ("memory", f"version {news.version:,}"),
        ("new", f"{len(news.fresh):,} labelled pictures, {len(news.changed):,} labelled anew, "
                f"{len(news.gone):,} gone from training"),
        ("trained on", f"{len(parts.train):,} pictures, "
                       f"{len(np.intersect1d(parts.train, news.fresh)):,} of them new"),
        ("chosen by", f"{len(parts.validation):,} pictures"),
        ("judged by", f"{len(news.frozen):,} that stay, {len(news.newest):,} of the newest"),
    ]  # fmt: skip


def _labels(news: News, comparison: Comparison) -> list[NewLabel]:
    old = np.setdiff1d(news.parts.train, news.fresh)
    before = Counter(n for i in old for n in comparison.task.of(news.labelled.rows[i]))
    widest = max(news.counts.values(), default=1)
    most = sorted(news.counts.items(), key=lambda item: (-item[1], item[0]))[:LABELS]
    return [NewLabel(name, count, before[name], widest) for name, count in most]


def _pictures(news: News, comparison: Comparison) -> list[NewPicture]:
    """Some of what is new, drawn by chance."""
    drawn = np.random.default_rng(0).permutation(news.fresh)[:PICTURES]
    found = []
    for i in sorted(drawn.tolist()):
        row = news.labelled.rows[i]
        uri = thumbnail(news.labelled.source, row)
        if uri is not None:
            found.append(NewPicture(uri, ", ".join(comparison.task.of(row)), row.id))
    return found


def _changed(news: News, comparison: Comparison) -> list[ExampleGroup]:
    after, before = comparison.right(CHALLENGER), comparison.right(CHAMPION)
    kinds = (
        ("From wrong to right", "the champion is wrong, the challenger right", after & ~before),
        ("From right to wrong", "the champion is right, the challenger wrong", before & ~after),
    )
    groups = []
    for title, note, chosen in kinds:
        drawn = np.random.default_rng(0).permutation(np.flatnonzero(chosen))[:EXAMPLES]
        note = f"{note}: {int(chosen.sum()):,} of {len(chosen):,} test pictures"
        examples = [_example(news, comparison, int(i), (before, after)) for i in drawn]
        if examples:
            groups.append(ExampleGroup(title, note, examples))
    return groups


def _example(
    news: News, comparison: Comparison, i: int,
    right: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> ReportExample:  # fmt: skip
    row = comparison.labelled.rows[i]
    answers = [
        Answer(who, *comparison.answer(who, i), bool(its[i]))
        for who, its in zip((CHAMPION, CHALLENGER), right, strict=True)
    ]
    truth = ", ".join(comparison.task.of(row)) or "nothing"
    return ReportExample(thumbnail(news.labelled.source, row), None, truth, answers)
