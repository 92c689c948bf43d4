"""The report of a training: one file, escaped, whose marks do not depend on colour."""

from __future__ import annotations

import re

import pytest

from ravl.evaluation import Score
from ravl.pages.render import data_uri
from ravl.pages.retriever_report import Example, ShownHit, Table, retriever_report
from tests.helpers import draw
from tests.pages.test_search_page import EVIL, Page

PICTURE = data_uri(draw(0, "red"))
CURVE = [(0.0, 0.2), (60.0, 0.31), (120.0, 0.35), (180.0, 0.34)]


def change(before: float, after: float, low: float, high: float) -> tuple[Score, Score, Score]:
    spread = 0.02 * max(before, 1)
    return (
        Score(before, before - spread, before + spread),
        Score(after, after - spread, after + spread),
        Score(after - before, low, high),
    )


def table(**measures: tuple[Score, Score, Score]) -> Table:
    names = {name.replace("at", "@"): scores for name, scores in measures.items()}
    return Table("Products", [("text to picture", names)])


def report(tables=(), examples=(), curve=(), title="Report", about=(), unit="step") -> str:
    return retriever_report(title, list(about), list(tables), list(examples), list(curve), unit)


def full(words: str = "words") -> str:
    hits = [ShownHit(PICTURE, words, True), ShownHit(None, words, False)]
    examples = [Example(words, hits, hits), Example(words, hits, [], PICTURE)]
    scores = {words: change(0.2, 0.3, 0.05, 0.15)}
    return report(
        [Table(words, [(words, scores)])], examples, CURVE, words, [(words, words)], words
    )


def test_the_page_is_one_file_without_scripts():
    html = full()
    assert not re.search(r"https?:|<script|<link|<iframe|@import|url\(|href=|srcset=", html)
    assert all((i["src"] or "").startswith("data:image/jpeg;") for i in Page(html).all("img"))
    (policy,) = [m["content"] for m in Page(html).all("meta") if "http-equiv" in m]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert html.index("</style>") < html.index("<body>")


def test_html_in_what_users_wrote_is_only_text():
    html = full(EVIL)
    read = Page(html)
    assert "<script" not in html
    assert not read.all("script")
    assert all(set(image) == {"src", "alt"} for image in read.all("img"))
    assert read.text.count(" ".join(EVIL.split())) == 16
    assert EVIL in (read.all("svg")[0]["aria-label"] or "")


def test_pictures_have_a_description():
    hits = [ShownHit(PICTURE, "a shirt", True), ShownHit(PICTURE, "", False)]
    read = Page(report(examples=[Example("", hits, [], PICTURE), Example("红格子衬衫", [], [])]))
    assert [image["alt"] for image in read.all("img")] == [
        "the query picture",
        "a shirt",
        "a picture without a caption",
    ]
    assert "This picture" in read.text
    assert "“红格子衬衫”" in read.text


def test_the_right_hit_is_marked_in_words_too():
    before = [ShownHit(PICTURE, "wrong one", False), ShownHit(None, "lost one", True)]
    read = Page(report(examples=[Example("query", before, [ShownHit(PICTURE, "found", True)])]))
    assert "1. wrong one" in read.text
    assert "no picture 2. ✓ right lost one after 1. ✓ right found" in read.text
    cards = [item["class"] for item in read.all("li")]
    assert cards == ["card", "card right", "card right"]


def test_scores_are_shown_with_their_intervals():
    text = Page(report([table(Rat1=change(0.251, 0.302, 0.03, 0.07))])).text
    assert "text to picture measure before → after difference" in text
    assert "R@1 25.1 % 23.1–27.1 30.2 % 28.2–32.2 +5.1 points +3.0 to +7.0 ✓ better" in text


@pytest.mark.parametrize(
    ("name", "scores", "words"),
    [
        ("Rat1", change(0.3, 0.2, -0.15, -0.05), "−10.0 points −15.0 to −5.0 ✗ worse"),
        ("Rat1", change(0.2, 0.3, -0.01, 0.2), "+10.0 points −1.0 to +20.0 not clear"),
        ("median_rank", change(12, 7, -6, -4), "−5 −6 to −4 ✓ better"),
        ("median_rank", change(7, 12, 4, 6), "+5 +4 to +6 ✗ worse"),
        ("median_rank", change(7, 7.5, 0, 2), "+0.50 0 to +2.00 not clear"),
        ("MRR", change(0.25, 0.3125, 0.05, 0.07), "+0.062 +0.050 to +0.070 ✓ better"),
        ("MRR", change(0.25, 0.25, 0.00001, 0.00002), "0 0 to 0 not clear"),
    ],
)
def test_a_difference_is_marked_only_where_it_is_clear(name, scores, words):
    read = Page(report([table(**{name: scores})]))
    assert words in read.text
    classes = {span.get("class") for span in read.all("span")}
    assert ("better" in classes) == ("✓" in words)
    assert ("worse" in classes) == ("✗" in words)


def test_other_measures_can_be_plain_or_lower():
    scores = {"seconds": change(3, 2, -1.5, -0.5)}
    own = Table("Time", [("search", scores)], frozenset({"seconds"}), frozenset({"seconds"}))
    assert "seconds 3.00 2.94–3.06 2.00 1.94–2.06 " in (text := Page(report([own])).text)
    assert "−1.00 −1.50 to −0.50 ✓ better" in text


def test_the_curve_says_what_it_shows():
    (chart,) = Page(report(curve=CURVE, unit="seconds")).all("svg")
    assert chart["role"] == "img"
    assert chart["aria-label"] == (
        "Validation recall by seconds: from 20.0 % to 34.0 %, best 35.0 % at 120"
    )


@pytest.mark.parametrize(
    "curve", [[(0, 0.0)], [(0, 1.0), (5, 1.0)], CURVE, [(i, i / 99) for i in range(100)]]
)
def test_the_curve_stays_in_its_frame(curve):
    (drawn,) = Page(report(curve=curve)).all("polyline")
    points = [tuple(map(float, p.split(","))) for p in (drawn["points"] or "").split()]
    assert len(points) == len(curve)
    assert all(52 <= x <= 380 and 24 <= y <= 166 for x, y in points)
    assert [x for x, _ in points] == sorted(x for x, _ in points)


def test_parts_may_be_missing():
    read = Page(report())
    assert not read.all("section")
    assert read.text.endswith("Report")
    assert "Nothing found." in Page(report(examples=[Example("query", [], [])])).text


@pytest.mark.parametrize("uri", ["https://example.org/a.jpg", "a.jpg", "data:text/html,hello"])
def test_pictures_from_elsewhere_are_refused(uri):
    with pytest.raises(ValueError, match="must be a data URI"):
        ShownHit(uri, "", True)
    with pytest.raises(ValueError, match="must be a data URI"):
        Example("", [], [], uri)
