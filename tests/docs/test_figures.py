from __future__ import annotations

import pytest

from tests.docs import figures
from tests.docs.pages import DOCS, ROOT, WRITTEN

# What the tutorials show was printed by their own commands, which test_tutorial.py runs.
TUTORIALS = (DOCS / "tutorial.md", DOCS / "zh" / "tutorial.md")
LINES = [
    {"row": "vote", "accuracy": "87.1 % (83.4-90.6)", "recalls": "21.4/49.6/63.4"},
    {"row": "model", "accuracy": "90.3 % (± 2.2)"},
]


@pytest.mark.parametrize(
    "path", [p for p in WRITTEN if p not in TUTORIALS], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_figures_are_those_of_the_results(path):
    found = figures.problems(path.read_text("utf-8"))
    assert not found, "\n".join(found)


@pytest.fixture
def told(monkeypatch):
    monkeypatch.setattr(figures, "results", lambda name: LINES)


MARK = "<!-- figures\nx: vote | model / accuracy\n-->\n\n"


@pytest.mark.parametrize(
    "text",
    [
        "| a | 87.1 % (83.4 to 90.6) | 90.3 % (± 2.2) |",
        "It rose from 87 to 90 % (± 2.2) in 5 runs.",
        "从 87 升到 90.3 %",
    ],
)
def test_figures_that_agree(told, text):
    assert not figures.problems(MARK + text)
    assert not figures.problems(MARK + text + "\n\n```\n0.5\n```\nPython 3.11, R@10, `x=0.1`")


@pytest.mark.parametrize(
    "text",
    [
        "87.2 % and 90.3 %",  # not the result
        "90.3 % and 87.1 %",  # not their order
        "87.1 %",  # one is missing
        "87.1 % and 90.3 %, 0.4 more",  # one too many
        "87.1 % (83.4 to 90.7) and 90.3 %",  # another interval
        "86 to 90 %",
    ],
)
def test_figures_that_differ(told, text):
    assert figures.problems(MARK + text)


def test_figures_without_a_reference_are_noticed(told):
    for text in (
        "It is right in 90 % of cases.",
        "from 12 to 14 %",
        "CIDEr-D is 0.52",
        "高 3 个百分点",
    ):
        assert figures.problems(text)
        assert not figures.problems(f"<!-- figures: none: an example -->\n\n{text}")


def test_references_that_lead_nowhere_are_noticed(told):
    assert figures.problems("<!-- figures: x: nobody / accuracy -->\n\n1")
    assert figures.problems("<!-- figures: x: accuracy -->\n\n1")
    assert not figures.problems("<!-- figures: x: vote / recalls #3 -->\n\n63.4 %")
