"""The report of a search: its best trial first, escaped, and whole without a best one."""

from __future__ import annotations

import re
from itertools import pairwise

from ravl.pages.tune_report import TrialLine, tune_report
from tests.pages.test_fit_report import ELSEWHERE
from tests.pages.test_search_page import EVIL, Page


def trial(number: int, score: float | None, state: str = "complete", **parameters) -> TrialLine:
    return TrialLine(number, state, score, 12.3, parameters)


TRIALS = [trial(0, 0.7, k="4"), trial(1, None, "failed"), trial(2, 0.8, k="8", rate="0.01")]
HISTORY = [(0.0, 0.7), (1.0, 0.7), (2.0, 0.8)]


def report(
    trials=TRIALS,
    importances=(("rate", 0.2), ("k", 0.8)),
    best=2,
    measure="accuracy",
    history=HISTORY,
    title="Search",
    about=(),
) -> str:
    return tune_report(title, about, trials, importances, best, measure, history)


def test_the_best_trial_opens_the_page_and_is_marked():
    page = Page(report())
    assert "accuracy, best trial 80.0 % trial 2 k 8 rate 0.01" in page.text
    assert "2 complete ★ best 80.0 % 12 8 0.01" in page.text
    assert "1 failed – 12 – –" in page.text
    assert page.text.count("★") == 1
    assert "is-best" in [row.get("class") for row in page.all("tr")]


def test_what_mattered_most_comes_first():
    assert "What mattered k 80 % rate 20 %" in Page(report()).text


def test_the_best_so_far_is_a_stair():
    page = Page(report())
    (chart, *_) = page.all("svg")
    assert chart["aria-label"] == (
        "accuracy by trial: best so far from 70.0 % to 80.0 %, best 80.0 % at 2"
    )
    (line,) = page.all("polyline")
    points = [tuple(map(float, p.split(","))) for p in (line["points"] or "").split()]
    assert len(points) == 5
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(points))
    loose = [circle for circle in page.all("circle") if circle.get("class") == "loose"]
    assert len(loose) == 2  # a failed trial has no score


def test_a_measure_that_is_no_share():
    page = Page(report(measure="log_loss"))
    assert "log loss, best trial 0.800" in page.text
    assert "best so far 0.7 → 0.8" in page.text


def test_empty_parts_are_left_out():
    page = Page(report(trials=[], importances=[], best=None, history=[]))
    assert not page.all("section") and not page.all("li")
    assert page.text.endswith("Search")


def test_no_trial_was_best():
    page = Page(report(trials=[trial(0, None, "failed")], importances=(), best=None, history=[]))
    assert "★" not in page.text
    assert "0 failed –" in page.text


def test_many_trials_are_folded():
    page = Page(report(trials=[trial(i, 0.5) for i in range(70)], best=60))
    assert "20 more trials, the best among them" in page.text
    assert len(page.all("tr")) == 72


def test_html_in_what_users_wrote_is_only_text():
    trials = [TrialLine(0, EVIL, 0.5, 1.0, {EVIL: EVIL})]
    html = report(trials, [(EVIL, 0.5)], 0, EVIL, [(0, 0.5)], EVIL, [(EVIL, EVIL)])
    page = Page(html)
    assert not ELSEWHERE.search(re.sub(r"on\w+=alert", "", html))
    assert not page.all("script") and not page.all("img")
    assert page.text.count(" ".join(EVIL.split())) == 13
