from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ravl.memory import Row
from ravl.refitting.page import EXAMPLES, _changed
from ravl.training.paired_results import CHALLENGER, CHAMPION, PairedResults

NEWS: Any = SimpleNamespace(examples=SimpleNamespace(source=None))


def examined(before: list[float], after: list[float], quality: str | None = None) -> PairedResults:
    """Answers of two models that are worth so much."""
    count = len(before)

    def nothing(*_: Any) -> dict[str, Any]:
        return {}

    return PairedResults(
        "pictures",
        [Row(i, str(i)) for i in range(count)],
        np.arange(count),
        [f"question {i}" for i in range(count)],
        [f"truth {i}" for i in range(count)],
        {
            CHAMPION: [(f"old {i}", 0.5) for i in range(count)],
            CHALLENGER: [(f"new {i}", 0.7) for i in range(count)],
        },
        {CHAMPION: np.array(before), CHALLENGER: np.array(after)},
        nothing,
        nothing,
        quality,
    )


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    monkeypatch.setattr("ravl.refitting.page.thumbnail", lambda *_: None)


def test_whose_answer_changed_which_way():
    better, worse = _changed(NEWS, examined([0, 1, 1, 0, 0], [1, 1, 0, 0, 1]))
    assert (better.title, worse.title) == ("From wrong to right", "From right to wrong")
    assert "2 of 5 test pictures" in better.note and "1 of 5 test pictures" in worse.note
    (example,) = worse.examples
    assert (example.query_text, example.truth) == ("question 2", "truth 2")
    said = [(a.name, a.answer, a.confidence, a.right) for a in example.answers]
    assert said == [(CHAMPION, "old 2", 0.5, True), (CHALLENGER, "new 2", 0.7, False)]


def test_of_texts_those_that_changed_most_come_first():
    before, after = [0.2, 0.9, 0.4, 0.5], [0.3, 0.1, 1.4, 0.5]
    better, worse = _changed(NEWS, examined(before, after, "CIDEr-D"))
    assert (better.title, worse.title) == ("Better", "Worse")
    assert "higher CIDEr-D: 2 of 4" in better.note
    assert [e.truth for e in better.examples] == ["truth 2", "truth 0"]
    assert [a.right for a in better.examples[0].answers] == [False, True]


def test_no_more_than_a_page_bears():
    (group,) = _changed(NEWS, examined([0] * 100, [1] * 100))
    assert len(group.examples) == EXAMPLES
    assert _changed(NEWS, examined([1, 0], [1, 0])) == []
