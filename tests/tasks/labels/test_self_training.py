"""Pictures without a label teach the head, where held-out examples say so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ravl.data import Example
from ravl.memory import Memory
from ravl.tasks.fit import fit
from ravl.tasks.labels.head import fit_head
from ravl.tasks.labels.self_training import self_trained
from ravl.training.fit_report import FitReport
from tests.labelled import random_picture
from tests.planted import picture
from tests.tasks.labels.test_dataset import grounded

NAMES = ("a", "b", "c")


def clusters(
    count: int, labelled: int, seed: int = 0, chance: bool = False, noise: float = 1.6
) -> list[Example]:
    """Pictures of three overlapping kinds; so many say which."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(len(NAMES), 48))
    examples = []
    for i in range(count):
        kind = i % len(NAMES)
        said = int(random.integers(len(NAMES))) if chance else kind
        vector = (centres[kind] + noise * random.normal(size=48)).astype(np.float32)
        label = NAMES[said] if i < labelled else ""
        examples.append(
            Example(f"{seed}-{i}", picture=picture(vector), label=label, columns={"kind": kind})
        )
    return examples


def tried(memory: Memory, work: Path, **options: str):
    """The head before and after, what was tried, and the data."""
    with grounded(memory, work, **options) as (data, _):
        head, logits = fit_head(data)
        return head, *self_trained(data, head, logits), data


def test_they_teach_what_few_labels_do_not_tell(empty, tmp_path):
    empty.add(clusters(360, 30))
    head, again, logits, found, data = tried(empty, tmp_path / "w")
    assert found is not None and found.kept
    assert len(found.unlabelled.features) == 330
    assert 100 < found.learned <= 330
    assert found.gain > found.error > 0
    assert len(logits) == len(data.train) + len(data.validation)
    rows = [row for row in data.datastore.rows if not row.label]
    kinds = np.array([row.columns["kind"] for row in rows])
    features = data.datastore.features[[not row.label for row in data.datastore.rows]]
    names = [NAMES.index(name) for name in data.labels]

    def right(some: object) -> float:
        return float((np.array(names)[some(features).argmax(1)] == kinds).mean())  # type: ignore[operator]

    assert right(again) > right(head) + 0.03


def test_labels_by_chance_teach_nothing(empty, tmp_path):
    empty.add(clusters(360, 60, chance=True))
    head, again, _, found, _ = tried(empty, tmp_path / "w")
    assert found is not None and not found.kept
    assert again is head
    assert "not used" in found.note()


def test_where_it_is_not_tried(empty, tmp_path):
    empty.add(clusters(120, 105))
    assert tried(empty, tmp_path / "few")[3] is None  # 15 have no label
    empty.add(clusters(60, 0, seed=1))
    assert tried(empty, tmp_path / "enough")[3] is not None
    assert tried(empty, tmp_path / "no", self_training="no")[3] is None


def test_tags_are_not_taught(empty, tmp_path):
    said = [
        Example(f"t{i}", picture=random_picture(i), tags=("x",) if i % 2 else ("x", "y"))
        for i in range(40)
    ]
    empty.add([*said, *clusters(60, 0)])
    with grounded(empty, tmp_path / "w", task="tag") as (data, _):
        head, logits = fit_head(data)
        assert self_trained(data, head, logits)[2] is None


@pytest.mark.parametrize("asked", ["auto", "no"])
def test_a_run_says_what_they_taught(empty, tmp_path, asked):
    empty.add(clusters(360, 60))
    report = fit(
        "classify", empty, out=tmp_path / "run", model="linear", self_training=asked, progress=False
    )
    assert isinstance(report, FitReport)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert ("self_training" in metrics) == (asked == "auto")
    assert any("without a label" in note for note in report.notes) == (asked == "auto")
    if asked == "auto":
        assert metrics["self_training"]["unlabelled"] == 300
