"""The report of a fit: one file, escaped, that opens with what retrieval gained."""

from __future__ import annotations

import re

import pytest

from ravl.evaluation import Score
from ravl.pages.fit_report import (
    Answer,
    CalibrationChart,
    Confusion,
    Curves,
    DifferenceRow,
    EvidenceItem,
    ExampleGroup,
    FitPage,
    LabelLine,
    ReportExample,
    ScoreRow,
    ScoreTable,
    Series,
    fit_report,
)
from ravl.pages.render import data_uri
from tests.helpers import draw
from tests.pages.test_score_table import BETTER, UNCLEAR, WORSE, four_rows
from tests.pages.test_search_page import EVIL, Page

PICTURE = data_uri(draw(0, "red"))
ELSEWHERE = re.compile(r"https?:|<script|<link|<iframe|@import|url\(|href=\"(?!#)|srcset=| on\w+=")


def example(words: str = "words", gate: float | None = 0.25) -> ReportExample:
    answers = [Answer("without", words, 0.4, False), Answer("with", words, 0.8, True)]
    evidence = [
        EvidenceItem(PICTURE, words, words, 0.91, 0.6, True),
        EvidenceItem(None, "", "", 0.5, 0.1, False),
    ]
    return ReportExample(PICTURE, words, words, answers, gate, evidence)


def full(words: str = "words") -> FitPage:
    scores = {words: Score(0.5, 0.4, 0.6)}
    row, difference = ScoreRow(words, words, scores, True), DifferenceRow(words, scores)
    table = ScoreTable(words, words, [words], [row], [difference])
    return FitPage(
        title=words,
        about=[(words, words)],
        rows=table,
        tables=[table],
        calibration=[CalibrationChart(words, [(0.3, 0.2, 5), (0.9, 1.0, 7)], 0.07)],
        curves=[Curves(words, words, False, [Series(words, [(0, 2.0), (1, 1.0)])])],
        labels=label_lines(40, words),
        confusion=Confusion([words, words + "2"], [[3, 1], [0, 4]]),
        text_report=words,
        examples=[ExampleGroup(words, words, [example(words)] * 8)],
    )


def label_lines(count: int, words: str = "label") -> list[LabelLine]:
    return [LabelLine(f"{words} {i}", i, 0.5, 0.6, 0.5 + i / 1000, 0.51) for i in range(count)]


def only(**parts) -> FitPage:
    return FitPage("Report", [], four_rows(), **parts)


def read(**parts) -> Page:
    return Page(fit_report(only(**parts)))


def confusions(count: int) -> Confusion:
    matrix = [[10 if i == j else (i * j) % 7 for j in range(count)] for i in range(count)]
    return Confusion([f"label {i}" for i in range(count)], matrix)


def test_the_page_is_one_file_without_scripts():
    html = fit_report(full())
    page = Page(html)
    assert not ELSEWHERE.search(html)
    assert all((i["src"] or "").startswith("data:image/jpeg;") for i in page.all("img"))
    (policy,) = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert html.index("</style>") < html.index("<body>")


def test_html_in_what_users_wrote_is_only_text():
    html = fit_report(full(EVIL))
    page = Page(html)
    assert "<script" not in html
    assert not page.all("script")
    assert all(set(image) <= {"src", "alt", "loading"} for image in page.all("img"))
    tags = {name for name, _ in Page(fit_report(full())).tags}
    assert {name for name, _ in page.tags} == tags
    for _, attributes in page.tags:
        assert not re.search(r"[^\d.%;:a-z-]", attributes.get("style") or "")
    assert page.text.count(" ".join(EVIL.split())) > 80


def test_every_anchor_leads_somewhere():
    page = Page(fit_report(full()))
    targets = [(a["href"] or "")[1:] for a in page.all("a")]
    assert len(targets) == 8
    assert set(targets) <= {attributes.get("id") for _, attributes in page.tags}


def test_the_page_opens_with_what_was_gained_and_the_four_rows():
    text = read().text.partition("Report :root")[2]  # the title, then the style
    assert "} Report What retrieval changed: fine-tuned with retrieval minus" in text
    gained = text.index("fine-tuned with retrieval minus neighbour vote only")
    assert gained < text.index("zero-shot without memory") < text.index("★ best")
    tiles = "accuracy +12.3 points +10.1 to +14.6 ✓ better, beyond chance macro F1 0 points "
    assert tiles + "−1.0 to +1.0 not clear: may be chance" in text
    assert "accuracy 80.0 % 77.0–83.0 macro F1 70.0 % 67.0–73.0 log loss 0.500" in text


@pytest.mark.parametrize(
    ("score", "words", "mark"),
    [
        (BETTER, "✓ better", "is-better"),
        (WORSE, "✗ worse", "is-worse"),
        (UNCLEAR, "not clear", "is-unclear"),
    ],
)
def test_a_difference_is_marked_in_words_and_colour(score, words, mark):
    rows = [ScoreRow("a", "", {"AUC": Score(0.8, 0.7, 0.9)})]
    table = ScoreTable("", "", ["AUC"], rows, [DifferenceRow("a minus b", {"AUC": score})])
    page = Page(fit_report(FitPage("Report", [], table)))
    assert page.text.count(words) == 2  # above the table and in it
    assert mark in [cell.get("class") for cell in page.all("td")]
    assert f"tile {mark}" in [tile.get("class") for tile in page.all("li")]


def test_empty_parts_are_left_out():
    page = read(
        calibration=[CalibrationChart("empty", [], 0.0)],
        curves=[Curves("empty", "epoch", True, [Series("empty", [])])],
        confusion=Confusion([], []),
        examples=[ExampleGroup("empty", "", [])],
    )
    assert not page.all("section") and not page.all("a") and not page.all("svg")
    assert "empty" not in page.text
    assert not Page(fit_report(FitPage("", [], ScoreTable("", "", [], [])))).all("section")


def test_measures_that_a_row_lacks():
    rows = [ScoreRow("vote", "", {}), ScoreRow("linear", "", {"AUC": Score(0.8, 0.7, 0.9)})]
    differences = [DifferenceRow("minus", {})]
    table = ScoreTable("", "", ["AUC"], rows, differences)
    text = Page(fit_report(FitPage("Report", [], table))).text
    assert "vote AUC – linear AUC 80.0 % 70.0–90.0 minus AUC –" in text


def test_labels_are_sorted_by_gain_and_the_rest_is_folded():
    html = fit_report(only(labels=label_lines(500)))
    page = Page(html)
    assert len(page.all("tr")) == 6 + 2 + 500
    first, rest = html.split("<details>")
    assert first.index("label 499<") < first.index("label 470<")
    assert "label 469<" in rest and "label 469<" not in first
    assert "470 more labels, down to a gain of −1.0 points" in page.text
    assert "raised the F1 of 489 and lowered that of 10 of 500" in page.text
    assert "label 499 +48.9 51.0 99.9 50.0 60.0 499" in page.text


def test_few_labels_are_not_folded():
    page = read(labels=[LabelLine("shirt", 1, 1, 1, 1, 1)])
    assert not page.all("details")
    assert "shirt 0 100.0 100.0" in page.text


def test_few_confusions_are_a_shaded_table():
    page = read(confusion=confusions(20))
    cells = [cell for cell in page.all("td") if "--n" in (cell.get("style") or "")]
    assert sum(cell["class"] == "right" for cell in cells) == 20
    assert all(0 < float((cell["style"] or "")[4:]) <= 1 for cell in cells)
    assert "label 1 answered as label 2: " in str(cells)
    assert len(page.all("tr")) == 6 + 21


def test_many_confusions_are_a_list_of_the_most_frequent():
    page = read(confusion=confusions(21))
    assert "The most frequent confusions" in page.text
    assert len(page.all("tr")) == 6 + 21
    assert "label 1 label 6 6 (" in page.text


def test_confusions_need_a_square():
    for matrix in ([[1]], [[1, 2], [3]], [[1, 2], [3, 4], [5, 6]]):
        with pytest.raises(ValueError, match="2 labels need 2 rows and columns"):
            Confusion(["a", "b"], matrix)


def test_a_model_without_mistakes_has_no_list():
    matrix = [[int(i == j) for j in range(30)] for i in range(30)]
    assert "0 wrong answers" in read(confusion=Confusion([str(i) for i in range(30)], matrix)).text


def test_calibration_and_curves_say_what_they_show():
    both = [Series("training", [(0, 2.0), (9, 0.5)]), Series("validation", [(0, 2.1), (9, 0.7)])]
    page = read(
        calibration=[CalibrationChart("after", [(0.3, 0.2, 5)], 0.1)],
        curves=[Curves("Loss", "epoch", False, both)],
    )
    pictures = [svg["aria-label"] for svg in page.all("svg") if svg.get("role") == "img"]
    assert pictures == [
        "Accuracy by confidence: 30 % sure, 20 % right (5)",
        "Loss by epoch: training from 2 to 0.5; validation from 2.1 to 0.7",
    ]
    assert "after ECE 10.0 %" in page.text
    assert "validation 2.1 → 0.7" in page.text


def test_an_example_shows_answers_and_evidence():
    page = read(examples=[ExampleGroup("For the better", "by chance", [example("shirt")])])
    assert "“shirt” truth shirt ✗ wrong without shirt 40 % ✓ right with shirt 80 %" in page.text
    assert "the memory's share in the decision 25 %" in page.text
    assert "shirt shirt ✓ agrees like 0.91, share 60 %" in page.text
    assert "no picture ≠ differs like 0.50, share 10 %" in page.text


def test_an_example_may_lack_most():
    bare = ReportExample(None, None, "shirt", [])
    page = read(examples=[ExampleGroup("Few", "", [bare, example(gate=0.0)])])
    assert "plain" in (page.all("article")[0]["class"] or "")
    assert page.text.count("share in the decision") == 1  # 0 is shown, None is not


def test_pictures_have_a_description():
    item = ReportExample(
        PICTURE,
        None,
        "shirt",
        [],
        None,
        [EvidenceItem(PICTURE, "", "", 1, 1, True), EvidenceItem(PICTURE, "coat", "", 1, 1, True)],
    )
    page = read(examples=[ExampleGroup("One", "", [item])])
    assert [image["alt"] for image in page.all("img")] == [
        "a picture of: shirt",
        "a picture of the memory",
        "coat",
    ]


def test_many_examples_are_folded():
    page = read(examples=[ExampleGroup("Many", "", [example()] * 9)])
    assert "3 more" in page.text
    assert len(page.all("article")) == 9
    assert len(page.all("details")) == 1


@pytest.mark.parametrize("uri", ["https://example.org/a.jpg", "a.jpg", "data:text/html,hello"])
def test_pictures_from_elsewhere_are_refused(uri):
    with pytest.raises(ValueError, match="must be a data URI"):
        EvidenceItem(uri, "", "", 1, 1, True)
    with pytest.raises(ValueError, match="must be a data URI"):
        ReportExample(uri, None, "", [])


def test_bars_stay_in_their_place():
    answers = [Answer("a", "b", 1.0000001, True), Answer("a", "b", -0.0001, True)]
    html = fit_report(
        only(examples=[ExampleGroup("", "", [ReportExample(None, None, "", answers)])])
    )
    assert 'style="width:100.0%"' in html and 'style="width:0.0%"' in html
