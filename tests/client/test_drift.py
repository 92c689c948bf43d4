"""What a server has seen of drift, as the client tells it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ravl
from ravl.client.info import DriftInfo
from ravl.errors import DataError, QueryError
from tests.client.conftest import KINDS, Running
from tests.labelled import shades
from tests.serving.helpers import png
from tests.waiting import PATIENCE, wait_until


@pytest.fixture
def watched(runs: Path, running: Running, tmp_path: Path) -> str:
    """The address of a server whose run linear is watched, in windows of twenty."""
    shades(tmp_path / "then", 40, first=1000)
    ravl.detect_drift(runs / "linear", tmp_path / "then", reference=tmp_path / "then")
    (runs / "vote" / "reference.json").unlink()
    return running(runs / "linear", runs / "vote", drift_window=20, drift_rate=0.02)[0]


def told(client: Any, until: Callable[[DriftInfo], Any]) -> DriftInfo:
    """What is told, once all answers have been counted."""
    found: list[DriftInfo] = []

    def asked() -> Any:
        found.append(client.drift("linear"))
        return until(found[-1])

    wait_until(asked)
    return found[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_drift(watched: str, connect, kind: str):
    client = connect(watched, kind)
    found = client.drift("linear")
    assert (found.drifted, found.p, found.ended, found.since) == (None, None, None, None)
    assert str(found) == (
        "No result yet: 0 of the 20 pictures have come that are compared with fitting time."
    )
    client.classify([png("red", i) for i in range(24)], run="linear")
    found = told(client, lambda f: f.windows)
    assert (found.run, found.drifted, found.windows, found.alarms) == ("linear", True, 1, 1)
    assert (found.window, found.waiting, found.rate, found.reference) == (20, 4, 0.02, 40)
    assert found.ended and found.since == found.ended
    assert str(found) == found.said and found.said.startswith("Drift: 20 pictures against 40")
    by_name = {signal.name: signal for signal in found.signals}
    assert list(by_name) == ["similarity", "confidence", "disagreement", "answers"]
    answers: Any = by_name["answers"]
    assert answers.drifted and answers.size == "large" and answers.p == found.p
    assert answers.then == {"blue": 0.25, "green": 0.25, "red": 0.25, "yellow": 0.25}
    assert answers.now["red"] == 1.0 and "red 25 % → 100 %" in answers.said


def test_drift_as_json_is_what_the_server_tells(watched: str, connect):
    import httpx2 as httpx

    client = connect(watched)
    client.classify([png("red", i) for i in range(20)], run="linear")
    found = told(client, lambda f: f.windows)
    assert found.to_json() == httpx.get(f"{watched}/v1/runs/linear/drift", timeout=PATIENCE).json()


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_no_drift_is_a_sentence(watched: str, connect, kind: str):
    client = connect(watched, kind)
    for name in ("none", "ein Lauf?", "a%2Fb"):
        with pytest.raises(QueryError, match=f"There is no run {re.escape(repr(name))} here"):
            client.drift(name)
    with pytest.raises(QueryError, match="There is no such address"):
        client.drift("a/b")
    with pytest.raises(DataError, match="'vote' has no reference .* --reference PICTURES"):
        client.drift("vote")
