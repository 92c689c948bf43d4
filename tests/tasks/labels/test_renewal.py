"""A run whose memory has changed much: what the memory says is what it says without a run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ravl
from ravl.memory import Memory
from ravl.runs.learned import SPLIT_FILE, learned_hashes
from ravl.runs.run import open_run
from ravl.tasks.fit import fit
from ravl.tasks.labels.model import UntrainedLabels
from ravl.tasks.labels.predictor import Queries
from tests.helpers import ColourEncoder
from tests.tasks.labels.test_self_training import NAMES, clusters

NOTHING = np.zeros(0, np.int64)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a memory of sixty pictures with a label and 300 without, and its run."""
    folder = tmp_path_factory.mktemp("before")
    with Memory.create(folder / "shop.ravl", ColourEncoder()) as memory:
        memory.add(clusters(360, 60))
        fit("classify", memory, out=folder / "run", model="linear", progress=False)
    return folder


@pytest.fixture
def shop(before: Path, tmp_path: Path) -> Iterator[Memory]:
    """A copy of the memory."""
    with Memory.open(shutil.copy(before / "shop.ravl", tmp_path), ColourEncoder()) as memory:
        yield memory


@pytest.fixture
def pipeline(before: Path, tmp_path: Path, shop: Memory) -> Any:
    """A copy of the run, at work."""
    shutil.copytree(before / "run", tmp_path / "run")
    return ravl.load(tmp_path / "run", shop).predictor


def label(memory: Memory, count: int) -> None:
    """Give so many of the pictures without a label the right one."""
    silent = [row for row in memory.rows() if not row.label][:count]
    for row in silent:
        memory.update(row.id, label=NAMES[int(str(row.columns["kind"]))])


def judged(pipeline: Any, features: Any, **how: Any) -> Any:
    return pipeline.judge(Queries(features), [NOTHING] * len(features), **how)


def features_of(memory: Memory) -> Any:
    return memory.live.view().features[np.arange(40)]


def test_a_small_edit_changes_no_predictor(shop, pipeline):
    before = pipeline.label_predictor
    label(shop, 5)
    assert len(pipeline.judge(Queries(features_of(shop)), [NOTHING] * 40).names) == len(NAMES)
    assert pipeline.label_predictor is before


def test_a_memory_that_has_grown_answers_as_it_does_without_a_run(shop, pipeline, tmp_path):
    features = features_of(shop)
    before = pipeline.label_predictor
    judged(pipeline, features)
    label(shop, 300)
    memory_says = judged(pipeline, features, vote_only=True)
    alone = judged(UntrainedLabels("classify", shop), features)
    assert memory_says.names == alone.names
    np.testing.assert_array_equal(
        memory_says.probabilities.argmax(1), alone.probabilities.argmax(1)
    )
    after = pipeline.label_predictor
    assert after is not before
    assert after.head is before.head
    assert after.gate.counts.sum() == 360
    again = ravl.load(tmp_path / "run", shop).predictor  # another process, later
    np.testing.assert_allclose(
        judged(again, features).probabilities, judged(pipeline, features).probabilities, atol=1e-5
    )


def test_once_renewed_it_stays_until_another_fifth_has_changed(shop, pipeline):
    features = features_of(shop)
    label(shop, 200)
    judged(pipeline, features)
    renewed = pipeline.label_predictor
    label(shop, 10)
    judged(pipeline, features)
    assert pipeline.label_predictor is renewed
    for row in [row for row in shop.rows() if row.label][60:]:  # back to what was fitted
        shop.update(row.id, label="")
    judged(pipeline, features)
    assert pipeline.label_predictor is not renewed


def test_the_gate_is_fitted_by_pictures_that_the_head_has_not_seen(
    shop, pipeline, tmp_path, monkeypatch
):
    """Labels by chance in the new rows: what the head says of them is worth nothing."""
    from ravl.tasks.labels import renewal

    looked: list[Any] = []
    real = renewal._with_gate

    def spy(predictor: Any, labels: Any, rows: Any) -> Any:
        looked.append([row.hash for row in labels.datastore.view.rows_at(rows)])
        return real(predictor, labels, rows)

    monkeypatch.setattr(renewal, "_with_gate", spy)
    label(shop, 250)
    judged(pipeline, features_of(shop))
    learned = learned_hashes(open_run(tmp_path / "run"))
    assert learned is not None and 30 < len(learned) < 60
    assert len(looked[0]) >= 250 and not learned & set(looked[0])


@pytest.mark.parametrize("how", [{"k": 5}, {"whiten": "no"}])
def test_what_the_settings_decided_is_kept(shop, tmp_path, how):
    fit("classify", shop, out=tmp_path / "run", model="linear", progress=False, **how)
    pipeline: Any = ravl.load(tmp_path / "run", shop).predictor
    before = pipeline.label_predictor
    label(shop, 300)
    judged(pipeline, features_of(shop))
    assert pipeline.label_predictor is before


def test_too_few_labels_left_leave_the_run_as_it_was(shop, pipeline):
    before = pipeline.label_predictor
    for row in [row for row in shop.rows() if row.label != NAMES[0]]:
        shop.update(row.id, label="")
    judged(pipeline, features_of(shop))
    assert pipeline.label_predictor is before


def test_a_run_that_does_not_say_what_it_learned_keeps_its_gate(shop, pipeline, tmp_path):
    gate = pipeline.label_predictor.gate
    (tmp_path / "run" / SPLIT_FILE).unlink()
    label(shop, 300)
    judged(pipeline, features_of(shop))
    np.testing.assert_array_equal(pipeline.label_predictor.gate.weights, gate.weights)


def test_tags_follow_as_well(empty, tmp_path):
    empty.add(clusters(360, 360))
    rows = list(empty.rows())
    for i, row in enumerate(rows):
        empty.update(row.id, label="", tags=(row.label,) if i < 80 else ())
    fit("tag", empty, out=tmp_path / "run", model="linear", progress=False)
    pipeline: Any = ravl.load(tmp_path / "run", empty).predictor
    features = features_of(empty)
    judged(pipeline, features)
    for row in rows[80:]:
        empty.update(row.id, tags=(NAMES[int(str(row.columns["kind"]))],))
    found = judged(pipeline, features)
    predictor = pipeline.label_predictor
    assert predictor.gate.counts.sum() == 360
    assert len(predictor.thresholds) == len(NAMES)
    truth = np.array([int(str(row.columns["kind"])) for row in rows[:40]])
    assert (np.array(found.names)[found.probabilities.argmax(1)] == np.array(NAMES)[truth]).all()
