"""Charts: everything drawn lies in its frame, on round numbers, and is told in words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravl.pages.charts import DRAWN, line_chart, reliability_chart

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
POINTS = st.lists(st.tuples(st.integers(0, 1000).map(float), NUMBERS), min_size=1, max_size=60)


@given(st.lists(POINTS, min_size=1, max_size=3))
def test_lines_stay_in_their_frame(lists):
    chart = line_chart([("line", points) for points in lists], "epoch", percent=False)
    assert chart is not None
    low, high = chart.frame.up
    every = [y for points in lists for _, y in points]
    rounding = 1e-6 * (high - low)
    assert low - rounding <= min(every) and max(every) <= high + rounding
    for line in chart.lines:
        assert all(51.9 <= x <= 380.1 and 23.9 <= y <= 166.1 for x, y in line.points)
    assert [height for height, _ in chart.rules] == [166, 95, 24]


@pytest.mark.parametrize(
    ("numbers", "percent", "words"),
    [
        ([0.13, 1.62], False, ["0", "1", "2"]),
        ([0.31, 0.34], False, ["0.3", "0.32", "0.34"]),
        ([1200, 3700], False, ["0", "2,000", "4,000"]),
        ([0.0], False, None),
        ([-3, 5], False, ["-5", "0", "5"]),
        ([0.61, 0.89], True, ["60 %", "75 %", "90 %"]),
        ([1.0, 1.0], True, ["96 %", "98 %", "100 %"]),
    ],
)
def test_the_numbers_beside_a_chart_are_round(numbers, percent, words):
    chart = line_chart([("", list(enumerate(numbers)))], "epoch", percent)
    assert chart is not None
    if words:
        assert [w for _, w in chart.rules] == words
    assert len({w for _, w in chart.rules}) == 3


def test_no_points_are_no_chart():
    assert line_chart([], "epoch", True) is None
    assert line_chart([("empty", [])], "epoch", True) is None
    assert line_chart([("failed", [(0, math.nan), (1, math.inf)])], "epoch", False) is None


def test_points_that_are_not_finite_are_left_out():
    chart = line_chart([("loss", [(0, 2.0), (1, math.nan), (2, 1.0)])], "epoch", False)
    assert chart is not None
    assert len(chart.lines[0].points) == 2
    assert chart.words == "loss from 2 to 1"


def test_only_a_single_line_of_shares_has_its_best_marked():
    points = [(0.0, 0.2), (1.0, 0.5), (2.0, 0.4)]
    one = line_chart([("a", points)], "epoch", True)
    two = line_chart([("a", points), ("b", points)], "epoch", True)
    loss = line_chart([("a", points)], "epoch", False)
    assert one is not None and two is not None and loss is not None
    assert one.best == (216, one.frame.y(0.5), "50.0 %")
    assert two.best is None and loss.best is None
    assert one.words == "a from 20.0 % to 40.0 %, best 50.0 % at 1"
    assert [line.summary for line in two.lines] == ["20.0 % → 40.0 %"] * 2


@pytest.mark.parametrize("count", [1, 2, 500, 501, 12_345])
def test_long_lines_are_thinned_and_keep_their_end(count):
    chart = line_chart([("", [(float(i), i / count) for i in range(count)])], "step", True)
    assert chart is not None
    (line,) = chart.lines
    assert min(count, DRAWN // 2) <= len(line.points) <= DRAWN
    assert line.points[-1][0] == (380 if count > 1 else 52)


def test_loose_points_are_in_the_frame_too():
    chart = line_chart([("best", [(0, 0.5), (5, 0.5)])], "trial", True, [(3, 0.1), (9, math.nan)])
    assert chart is not None
    assert len(chart.dots) == 1
    assert chart.dots[0][1] <= 166
    assert not chart.lines[0].dots


def test_calibration_is_drawn_and_told():
    chart = reliability_chart([(0.25, 0.0, 10), (1.0, 1.0, 1000)])
    assert chart.words == "25 % sure, 0 % right (10); 100 % sure, 100 % right (1,000)"
    (low, high) = chart.dots
    assert low[1] == chart.frame.y(0) and low[3] == chart.frame.y(0.25)
    assert high[1] == high[3] == chart.frame.y(1)
    assert low[2] < high[2]
    across, up = (chart.frame.x(1) - chart.frame.x(0), chart.frame.y(0) - chart.frame.y(1))
    assert across == up  # or the diagonal would not be one
