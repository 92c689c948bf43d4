"""What a run answers to pictures that are known: as it would answer anybody, but without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravl.memory import Memory, Row
from ravl.tasks import reference
from ravl.tasks.model import Model
from ravl.tasks.reference import answers_to, askable
from ravl.training.examples import one_of_each_picture, read_labelled
from tests.refitting.test_tasks import CASES, fitted


def test_one_of_each_picture_is_drawn() -> None:
    rows = [Row(number, f"{number}") for number in (7, 7, 7, 2, 2, 9)]
    drawn = {
        tuple(one_of_each_picture(rows, np.random.default_rng(seed)).tolist()) for seed in range(40)
    }
    assert drawn == {(a, b, 5) for a in (0, 1, 2) for b in (3, 4)}


@pytest.mark.parametrize("name", ["match-vote", "caption-vote", "ask-vote"])
def test_as_anybody_is_answered(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    with fitted(case, tmp_path) as (memory, run), Model(run, memory) as model:
        with Memory.create(tmp_path / "new.ravl", case.encoder()) as new:
            new.add(case.paints(tmp_path / "new", 8, first=500))
            examples = read_labelled(new, memory, askable(model))
            found = answers_to(model, examples)
        asked = [answer.asked for answer in found]
        pictures = [row.path for row in examples.rows]
        given = [pictures] if name.startswith("caption") else [pictures, asked]
        again = getattr(model, str(model.task))(*given)
        for one, other in zip(found, again, strict=True):
            assert one.said == other.said
            assert one.confidence == pytest.approx(other.confidence, abs=1e-4)
            assert [e.id for e in one.evidence] == [e.id for e in other.evidence]
        own = read_labelled(memory, memory, askable(model))
        monkeypatch.setattr(reference, "MOST", 6)
        found = answers_to(model, own)
        assert len(found) == 6, "of many a part"
        assert max(e.similarity for one in found for e in one.evidence) < 0.99999
