"""The page of a refit, from what was compared."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ravl.evaluation import added_names
from ravl.pages.fit_parts import Answer, ExampleGroup, ReportExample
from ravl.pages.refit_report import NewLabel, NewPicture, refit_report
from ravl.pages.score_table import DifferenceRow, ScoreRow, ScoreTable
from ravl.refitting.champion import Champion
from ravl.refitting.comparing import FROZEN, NEWEST, TOGETHER, Comparison
from ravl.refitting.memory_changes import MemoryChanges
from ravl.tasks.contract import Task
from ravl.training.paired_results import CHALLENGER, CHAMPION, PairedResults
from ravl.training.report_parts import thumbnail

PICTURES = 24  # new ones on the page
LABELS = 30  # of the new pictures
EXAMPLES = 24  # whose answer changed, each way
SUBTITLES = {CHAMPION: "what answered so far", CHALLENGER: "with what is new"}
CAPTIONS = {
    TOGETHER: ("Both test splits together", "What is decided by."),
    FROZEN: (
        "The frozen test split",
        "What the champion was judged by from the start; nothing ever learns from it.",
    ),
    NEWEST: ("The newest test split", "A share of what was labelled since, held out from both."),
}


def tables_of(task: Task, comparison: Comparison) -> list[ScoreTable]:
    """Scores of both on each split, by the measures of the task."""
    wanted = (*task.measures, *added_names())
    unit = comparison.examined.unit
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
                f"{caption}: {len(chosen):,} {unit}",
                note,
                measures,
                [ScoreRow(who, SUBTITLES[who], scores[who], who == better) for who in SUBTITLES],
                [DifferenceRow(f"{CHALLENGER} − {CHAMPION}", comparison.differences[part])],
            )
        )
    return tables


def page_of(
    name: str,
    at: str,
    verdict: str,
    promoted: bool,
    champion: Champion,
    news: MemoryChanges,
    comparison: Comparison,
) -> str:
    """The page, as HTML."""
    return refit_report(
        f"Refit of {name}",
        verdict,
        promoted,
        _about(at, news),
        tables_of(champion.task, comparison),
        _labels(champion, news),
        _pictures(champion, news),
        _changed(news, comparison.examined),
    )


def _about(at: str, news: MemoryChanges) -> list[tuple[str, str]]:
    splits = news.splits
    return [
        ("when", at),
        ("memory", f"version {news.version:,}"),
        (
            "new",
            f"{len(news.fresh):,} labelled pictures, {len(news.changed):,} labelled anew, "
            f"{len(news.gone):,} gone from training",
        ),
        (
            "trained on",
            f"{len(splits.train):,} pictures, "
            f"{len(np.intersect1d(splits.train, news.fresh)):,} of them new",
        ),
        ("chosen by", f"{len(splits.validation):,} pictures"),
        ("judged by", f"{len(news.frozen):,} that stay, {len(news.newest):,} of the newest"),
    ]


def _labels(champion: Champion, news: MemoryChanges) -> list[NewLabel]:
    old = np.setdiff1d(news.splits.train, news.fresh)
    before = Counter(n for i in old for n in champion.hooks.says(news.examples.rows[i]))
    widest = max(news.counts.values(), default=1)
    most = sorted(news.counts.items(), key=lambda item: (-item[1], item[0]))[:LABELS]
    return [NewLabel(name, count, before[name], widest) for name, count in most]


def _pictures(champion: Champion, news: MemoryChanges) -> list[NewPicture]:
    """Some of what is new, drawn by chance."""
    drawn = np.random.default_rng(0).permutation(news.fresh)[:PICTURES]
    found = []
    for i in sorted(drawn.tolist()):
        row = news.examples.rows[i]
        uri = thumbnail(news.examples.source, row)
        if uri is not None:
            found.append(NewPicture(uri, champion.hooks.words(row), row.id))
    return found


def _changed(news: MemoryChanges, examined: PairedResults) -> list[ExampleGroup]:
    """Examples whose answer became better or worse; those by most come first, drawn by chance."""
    gain = examined.worth[CHALLENGER] - examined.worth[CHAMPION]
    if examined.quality is None:
        kinds = (
            ("From wrong to right", "the champion is wrong, the challenger right", 1),
            ("From right to wrong", "the champion is right, the challenger wrong", -1),
        )
    else:
        kinds = (
            ("Better", f"the challenger's has the higher {examined.quality}", 1),
            ("Worse", f"the challenger's has the lower {examined.quality}", -1),
        )
    groups = []
    for title, note, sign in kinds:
        drawn = np.random.default_rng(0).permutation(np.flatnonzero(sign * gain > 0))
        note = f"{note}: {len(drawn):,} of {len(gain):,} test {examined.unit}"
        order = drawn[np.argsort(-sign * gain[drawn], kind="stable")][:EXAMPLES]
        examples = [_example(news, examined, i) for i in order.tolist()]
        if examples:
            groups.append(ExampleGroup(title, note, examples))
    return groups


def _example(news: MemoryChanges, examined: PairedResults, i: int) -> ReportExample:
    best = max(its[i] for its in examined.worth.values())
    answers = []
    for who in (CHAMPION, CHALLENGER):
        good = bool(examined.worth[who][i] == best)
        verdict = "" if examined.quality is None else "better" if good else "worse"
        answers.append(Answer(who, *examined.answers[who][i], good, verdict))
    picture = thumbnail(news.examples.source, examined.rows[i])
    return ReportExample(picture, examined.asked[i], examined.truth[i], answers)
