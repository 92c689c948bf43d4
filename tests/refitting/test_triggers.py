"""Drift of what came in, for runs that are asked about pictures with texts and questions."""

from __future__ import annotations

from pathlib import Path

import pytest

import ravl
from ravl.data import Example
from ravl.refitting.triggers import has_drifted
from ravl.tasks.model import Model
from tests.drift.test_tasks import noisy
from tests.refitting.test_tasks import CASES, fitted


@pytest.mark.parametrize("name", ["match-vote", "caption-vote", "ask-linear"])
def test_what_came_in_is_asked_about_with_its_own_texts(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    with fitted(case, tmp_path) as (memory, run), Model(run, memory) as model:
        since = memory.version
        then = case.paints(tmp_path / "then", 60, first=1000)
        ravl.detect_drift(model, then, reference=then)
        memory.add([Example("a", then[0].picture)])
        assert not has_drifted(model, since), "one picture is too few"
        memory.delete(["a"])
        memory.add(case.paints(tmp_path / "now", 30, first=2000))
        assert not has_drifted(model, since)
        since = memory.version
        memory.add(noisy(case.paints(tmp_path / "new", 30, first=3000)))
        assert has_drifted(model, since)
