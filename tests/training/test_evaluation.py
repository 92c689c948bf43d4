from __future__ import annotations

from ravl.data import Rejected
from ravl.evaluation import Score
from ravl.training.evaluation import answer_rows, evaluation_json


def asked(retrieval: bool, vote_only: bool) -> int:
    """Three different answers for three ways to answer."""
    return 10 * retrieval + vote_only


def test_a_run_with_a_model_answers_in_three_ways() -> None:
    rows = answer_rows(asked, has_model=True)
    assert rows == {"with_retrieval": 10, "no_retrieval": 0, "vote": 11}
    assert answer_rows(asked, has_model=False) == {"with_retrieval": 10}


def test_each_row_is_compared_with_the_one_with_retrieval() -> None:
    def score(value: float) -> dict[str, Score]:
        return {"accuracy": Score(value, value, value)}

    found = evaluation_json(
        "classify",
        answer_rows(asked, has_model=True),
        score,
        lambda after, before: score(after - before),
        [Rejected("a.jpg", "it is no picture")] * 12,
        pictures=7,
        pairs=9,
    )
    assert [found["pictures"], found["pairs"], found["set_aside"]] == [7, 9, 12]
    assert len(found["reasons"]) == 10
    assert {name: row["accuracy"]["value"] for name, row in found["rows"].items()} == {
        "with_retrieval": 10,
        "no_retrieval": 0,
        "vote": 11,
    }
    differences = {name: row["accuracy"]["value"] for name, row in found["differences"].items()}
    assert differences == {"with_retrieval - no_retrieval": 10, "with_retrieval - vote": -1}
