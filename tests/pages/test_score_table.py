"""Tables of scores: places that can be read as a chart, and lines for a terminal."""

from __future__ import annotations

import pytest

from ravl.evaluation import Score
from ravl.pages.score_table import DifferenceRow, ScoreRow, ScoreTable, shown, terminal_table

BETTER, WORSE, UNCLEAR = Score(0.04, 0.02, 0.06), Score(-0.04, -0.06, -0.02), Score(0, -0.01, 0.01)


def score(value: float) -> Score:
    return Score(value, value - 0.03, value + 0.03)


def four_rows() -> ScoreTable:
    titles = [
        "zero-shot without memory",
        "neighbour vote only, no training",
        "fine-tuned without retrieval",
        "fine-tuned with retrieval",
    ]
    rows = [
        ScoreRow(
            title,
            "",
            {
                "accuracy": score(0.5 + 0.1 * i),
                "macro_f1": score(0.4 + 0.1 * i),
                "log_loss": score(1.1 - 0.2 * i),
            },
            best=i == 3,
        )
        for i, title in enumerate(titles)
    ]
    gain = {"accuracy": Score(0.1234, 0.1012, 0.1456), "macro_f1": UNCLEAR, "log_loss": WORSE}
    minus = DifferenceRow("fine-tuned with retrieval minus neighbour vote only", gain)
    measures = ["accuracy", "macro_f1", "log_loss"]
    return ScoreTable("Products", "", measures, rows, [minus])


TERMINAL = """\
                                    accuracy                macro F1            log loss
zero-shot without memory            50.0 % (47.0-53.0)      40.0 % (37.0-43.0)  1.10 (1.07-1.13)
neighbour vote only, no training    60.0 % (57.0-63.0)      50.0 % (47.0-53.0)  [0.900]
fine-tuned without retrieval        70.0 % (67.0-73.0)      60.0 % (57.0-63.0)  [0.700]
fine-tuned with retrieval *         80.0 % (77.0-83.0)      70.0 % (67.0-73.0)  [0.500]

fine-tuned with retrieval minus     +12.3 (+10.1 to +14.6)  0 (-1.0 to +1.0)    [-0.040]
neighbour vote only                 better                  not clear           better"""
LONG = {
    "[0.900]": "0.900 (0.870-0.930)",
    "[0.700]": "0.700 (0.670-0.730)",
    "[0.500]": "0.500 (0.470-0.530)",
    "[-0.040]": "-0.040 (-0.060 to -0.020)",
}


def test_the_terminal_shows_aligned_rows_and_differences_below():
    expected = TERMINAL
    for short, words in LONG.items():  # a line of this file ends at 100 columns
        expected = expected.replace(short, words)
    assert terminal_table(four_rows()) == expected.splitlines()


def test_three_measures_fit_the_terminal():
    lines = terminal_table(four_rows())
    assert max(map(len, lines)) <= 110
    assert all(line == line.rstrip() for line in lines)
    assert all(line.isascii() for line in lines)


def test_the_terminal_does_without_differences_and_missing_measures():
    table = ScoreTable("", "", ["AUC"], [ScoreRow("衬衫 model", "", {}), ScoreRow("b\x1b", "", {})])
    assert terminal_table(table) == [
        " " * 36 + "AUC",
        "衬衫 model" + " " * 26 + "-",  # each Chinese character takes two columns
        "b" + " " * 35 + "-",
    ]


@pytest.mark.parametrize(
    ("name", "difference", "verdict"),
    [
        ("accuracy", BETTER, "better"),
        ("accuracy", WORSE, "worse"),
        ("accuracy", UNCLEAR, ""),
        ("log_loss", BETTER, "worse"),
        ("log_loss", WORSE, "better"),
        ("ECE", WORSE, "better"),
        ("ECE", UNCLEAR, ""),
        ("accuracy", Score(0.1, 0.0, 0.2), ""),
    ],
)
def test_verdicts(name, difference, verdict):
    rows = [DifferenceRow("a minus b", {name: difference})]
    ((_, (cell,)),) = shown(ScoreTable("", "", [name], [], rows)).differences
    assert cell is not None
    assert cell.words.verdict == verdict


def test_a_column_is_a_chart_on_one_scale():
    (_, (first, *_)), *_, (_, (last, *_)) = shown(four_rows()).rows
    assert first is not None and last is not None
    assert (first.low, last.high) == (0, 100)
    assert first.low < first.at < first.high < last.low < last.at < last.high


def test_zero_is_in_the_middle_of_differences():
    rows = [DifferenceRow("", {"AUC": s}) for s in (BETTER, Score(0, 0, 0))]
    table = shown(ScoreTable("", "", ["AUC"], [], rows))
    better, nothing = (cells[0] for _, cells in table.differences)
    assert better is not None and nothing is not None
    assert (nothing.cell.low, nothing.cell.at, nothing.cell.high) == (50, 50, 50)
    assert 50 < better.cell.low < better.cell.at < better.cell.high == 100


def test_equal_scores_need_no_scale():
    table = shown(ScoreTable("", "", ["AUC"], [ScoreRow("", "", {"AUC": Score(1, 1, 1)})]))
    ((_, (cell,)),) = table.rows
    assert cell is not None
    assert (cell.low, cell.at, cell.high) == (0, 0, 0)
    assert table.names == ["AUC"]


def test_all_zero_differences_stay_in_their_column():
    rows = [DifferenceRow("", {"AUC": Score(0, 0, 0)})]
    ((_, (cell,)),) = shown(ScoreTable("", "", ["AUC"], [], rows)).differences
    assert cell is not None
    assert cell.cell.at == 50
    assert (cell.words.value, cell.words.verdict) == ("0 points", "")
