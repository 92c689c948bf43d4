"""Answers to rows of the memory: as to their pictures, which are not looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravl.tasks.labels import stored_rows as known_rows
from ravl.tasks.labels.model import LabelPipeline
from ravl.tasks.labels.stored_rows import answers_to_rows
from ravl.tasks.model import Model


@pytest.fixture(params=["linear", "tags"])
def labels(request: pytest.FixtureRequest, fitted: Path, by_name: None) -> Iterator[LabelPipeline]:
    with Model(fitted / request.param) as model:
        assert isinstance(model.predictor, LabelPipeline)
        yield model.predictor


def test_rows_are_answered_as_their_pictures_are(
    labels: LabelPipeline, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(known_rows, "BATCH", 3)
    datastore = labels.label_predictor.task.datastore(labels.memory, labels.label_predictor.keys)
    chosen = np.array([5, 0, 17, 40, 9, 30, 2], np.int64)
    found = answers_to_rows(labels, datastore, chosen)
    looked = labels.look([labels.memory.picture(datastore.rows[i]) for i in chosen])
    wanted = labels.results(looked, [datastore.groups[i : i + 1] for i in chosen])
    assert [answer.said for answer in found] == [answer.said for answer in wanted]
    for one, other, i in zip(found, wanted, chosen, strict=True):
        assert one.confidence == pytest.approx(other.confidence, abs=1e-3)
        assert [each.id for each in one.evidence] == [each.id for each in other.evidence]
        assert datastore.rows[i].id not in {each.id for each in one.evidence}
    assert answers_to_rows(labels, datastore, chosen[:0]) == []


def test_a_tower_of_the_run_sees_the_pictures(
    labels: LabelPipeline, monkeypatch: pytest.MonkeyPatch
):
    seen: list[Any] = []

    def tuned(pictures: list[Any]) -> Any:
        seen.extend(pictures)
        return datastore.features[: len(pictures)]

    datastore = labels.label_predictor.task.datastore(labels.memory, labels.label_predictor.keys)
    monkeypatch.setattr(labels, "has_tower", True)
    monkeypatch.setattr(labels, "tuned", tuned)
    answers_to_rows(labels, datastore, np.array([4, 8], np.int64))
    wanted = [labels.memory.picture(datastore.rows[i]).tobytes() for i in (4, 8)]
    assert [picture.tobytes() for picture in seen] == wanted
