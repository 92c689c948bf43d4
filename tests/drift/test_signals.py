from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ravl.memory import Row
from ravl.runs.answers import Answer, Classification, Evidence, Tagging
from ravl.runs.signals import Signals
from ravl.tasks.ask.results import Reply
from ravl.tasks.caption.results import Caption
from ravl.tasks.match.results import Matching
from tests.drift.samples import sample

COMMON: dict[str, Any] = {
    "confidence": 0.9,
    "abstained": False,
    "gate": 0.5,
    "scores": {},
    "memory": {"a": 1.0},
    "model": {"a": 1.0},
    "evidence": (),
}


def answer(**given: Any) -> Classification:
    return Classification(**{**COMMON, "label": "a", **given})


def rows(*similarity: float) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(Row(i, f"r{i}", hash=f"{i}"), value, 0.1) for i, value in enumerate(similarity)
    )


def test_likeness_is_the_mean_of_the_five_nearest():
    found = Signals.of([answer(evidence=rows(0.1, 0.9, 0.8, 0.7, 0.6, 0.5)), answer()])
    assert found.numbers["similarity"].tolist() == pytest.approx([0.7, 0.0])


def test_passages_are_not_like_a_picture():
    passage = Evidence(Row(9, "text"), 0.99, 0.0)
    found = Signals.of([answer(evidence=(passage, *rows(0.4, 0.2)))])
    assert found.numbers["similarity"].tolist() == pytest.approx([0.3])


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (Matching(**COMMON, text="a hat", fits=True, score=0.9), ("fits",)),
        (Reply(**COMMON, question="what?", answer="a hat"), ("a hat",)),
        (Reply(**COMMON, question="what?", answer="a hat", open=True), None),
        (Caption(**COMMON, text="a hat on a chair"), None),
    ],
)
def test_what_is_written_freely_has_no_mix_and_no_disagreement(
    one: Answer, names: tuple[str, ...] | None
) -> None:
    found = Signals.of([one, one])
    assert found.answers == (None if names is None else [names] * 2)
    assert ("disagreement" in found.numbers) == (names is not None)
    assert set(found.numbers) >= {"similarity", "confidence"} and len(found) == 2
    again = Signals.from_json(found.to_json())
    assert again.answers == found.answers and len(again) == 2
    assert again.then(found).take([0, 3]).answers == (None if names is None else [names] * 2)
    assert Signals.from_json(Signals({}, []).to_json()).then(found).answers == found.answers


def test_disagreement_is_what_the_two_do_not_share():
    found = Signals.of(
        [
            answer(),
            answer(memory={"a": 1.0}, model={"b": 1.0}),
            answer(memory={"a": 0.5, "b": 0.5}, model={"a": 1.0}),
        ]
    )
    assert found.numbers["disagreement"].tolist() == pytest.approx([0, 1, 2 / 3], abs=1e-4)


def test_what_was_kept_is_equal_to_the_same_seen_anew():
    signals = Signals.of([answer(confidence=1 / 3, evidence=rows(2 / 3, 1 / 7))])
    again = Signals.from_json(signals.to_json())
    assert {n: v.tolist() for n, v in again.numbers.items()} == {
        n: v.tolist() for n, v in signals.numbers.items()
    }


def test_a_run_that_only_votes_has_no_disagreement():
    assert set(Signals.of([answer(model={})]).numbers) == {"similarity", "confidence"}


def test_tags_are_all_said():
    tagged = Tagging(
        confidence=0.9, abstained=False, gate=1.0, scores={}, memory={}, model={}, tags=("a", "b")
    )
    assert Signals.of([tagged]).answers == [("a", "b")]


def test_json_and_back():
    signals = sample(np.random.default_rng(0), 7)
    again = Signals.from_json(signals.to_json())
    assert again.answers == list(signals.answers or [])
    for name, values in signals.numbers.items():
        assert again.numbers[name] == pytest.approx(values, abs=1e-4)
    with pytest.raises(ValueError, match="length"):
        Signals.from_json({**signals.to_json(), "similarity": [0.5]})
    with pytest.raises(ValueError, match="length"):
        Signals.from_json({"similarity": [0.5], "confidence": [], "answers": None})
    with pytest.raises(KeyError):
        Signals.from_json({})


def test_then_and_take():
    random = np.random.default_rng(0)
    a, b = sample(random, 3), sample(random, 2)
    both = a.then(b)
    assert len(both) == 5 and both.take([3, 4]).answers == list(b.answers or [])
    assert len(Signals({}, []).then(a)) == 3
