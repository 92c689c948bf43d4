"""The label matrix of a live view: after any edits it is what one made anew would be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ravl.data import QA
from ravl.encoders.base import Array
from ravl.memory import Memory
from ravl.models.linear import Standardizer
from ravl.models.propagation import propagate
from ravl.models.vote import Vote
from ravl.retrieval.datastore import read_datastore
from ravl.runs.evidence_arrays import EvidenceArrays
from ravl.store import blocks
from ravl.tasks.ask.targets import ask_task
from ravl.tasks.labels import live
from ravl.tasks.labels.live import EvidenceSource, LabelSource
from ravl.tasks.labels.predictor import LabelPredictor
from ravl.tasks.labels.row_labels import labels_of
from ravl.tasks.labels.targets import LabelTargets
from ravl.tasks.labels.votes import LabelMatrix
from tests.edits import Edits

LABELS = ["green", "red", "nothing says this"]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "SIZE", 4)


@pytest.fixture
def edits(empty: Memory, tmp_path: Path) -> Edits:
    made = Edits(empty, tmp_path / "drawn", 0)
    for _ in range(8):
        made.add()
    return made


def predictor(targets: LabelTargets, memory: Memory, spread: bool = False) -> LabelPredictor:
    """What a source asks of a predictor."""
    from ravl.models.gate import NUM_GATE_FEATURES, SMOOTHING, Gate

    features = targets.datastore(memory).features
    gate = Gate(
        True, np.zeros(NUM_GATE_FEATURES, np.float32), 1.0, SMOOTHING, np.full(3, 1 / 3, np.float32)
    )
    return LabelPredictor(
        targets,
        LABELS,
        targets.keys(features),
        Standardizer.of(features),
        Vote(4),
        gate,
        gate,
        spread=spread,
    )


def targets_of(name: str, memory: Memory) -> LabelTargets:
    if name.startswith("ask"):
        return replace(ask_task(memory), generated=name.endswith("generated"))
    task, _, rest = name.partition(" ")
    column = "generated_label" if rest == "column" else None
    return LabelTargets("tag" if task == "tag" else "classify", column, rest == "generated")


@pytest.mark.parametrize(
    "name", ["classify", "classify generated", "classify column", "tag", "ask", "ask generated"]
)
@pytest.mark.parametrize("seed", range(2))
def test_after_any_edits_the_labels_are_what_they_would_be_anew(edits, name, seed):
    memory = edits.memory
    edits.random = np.random.default_rng(seed)
    targets = targets_of(name, memory)
    made = predictor(targets, memory)
    source, read = LabelSource.of(made, memory), EvidenceSource(made.standard, targets, memory)
    rows = targets.source(memory)
    for _ in edits.all(15):
        found = source.at(rows.view())
        with Memory.open(memory.path, memory.encoder) as other:
            datastore = targets.datastore(other, made.keys)
            anew = LabelMatrix.of(datastore, targets, LABELS)
            expected = EvidenceArrays.of(anew, made.standard(datastore.features), other, targets)
        assert list(found.datastore.rows) == list(datastore.rows)
        assert found.datastore.groups.tolist() == datastore.groups.tolist()
        np.testing.assert_allclose(found.datastore.keys, datastore.keys, atol=1e-6)
        assert (found.names, found.known) == (anew.names, anew.known)
        np.testing.assert_array_equal(found.labels, anew.labels)
        np.testing.assert_array_equal(found.worth, anew.worth)
        np.testing.assert_allclose(found.counts, anew.counts, rtol=1e-6)
        for part in ("sums", "counts", "total", "rows"):
            np.testing.assert_allclose(
                getattr(found.sums, part), getattr(anew.sums, part), atol=1e-4, err_msg=part
            )
        evidence, every = read.at(found), np.arange(len(datastore)).reshape(1, -1)
        for part in ("features", "labels", "texts", "has_label", "has_text"):
            np.testing.assert_allclose(
                getattr(evidence, part)[every][0], getattr(expected, part), atol=1e-5, err_msg=part
            )


def test_runs_of_a_memory_share_what_its_rows_say(memory):
    targets = LabelTargets("classify")
    first, second = predictor(targets, memory), predictor(targets, memory)
    a, b = LabelSource.of(first, memory), LabelSource.of(second, memory)
    view = memory.live.view()
    assert a.at(view).datastore is b.at(view).datastore
    assert labels_of(memory, targets) is labels_of(memory, LabelTargets("classify"))


@pytest.mark.parametrize("seed", range(2))
def test_a_small_memory_propagates_after_each_edit(edits, seed):
    memory, targets = edits.memory, LabelTargets("classify")
    edits.random = np.random.default_rng(seed)
    made = predictor(targets, memory, spread=True)
    source = LabelSource.of(made, memory)
    for _ in edits.all(10):
        found = source.at(memory.live.view())
        anew = LabelMatrix.of(read_datastore(memory, made.keys), targets, LABELS, spread=True)
        assert found.names == anew.names
        np.testing.assert_allclose(found.labels, anew.labels, atol=1e-4)
        np.testing.assert_allclose(found.worth, anew.worth, atol=1e-4)
        for part in ("sums", "counts", "total", "rows"):
            np.testing.assert_allclose(
                getattr(found.sums, part), getattr(anew.sums, part), atol=1e-3, err_msg=part
            )


def test_a_large_memory_propagates_again_when_many_rows_have_changed(memory, monkeypatch):
    monkeypatch.setattr(live, "EXACT", 4)
    monkeypatch.setattr(live, "LAG", 0.1)  # of 16 rows: two edits
    targets = LabelTargets("classify")
    silent, other = [row.id for row in memory.rows()][:2]
    memory.update(silent, label="")
    source = LabelSource.of(predictor(targets, memory, spread=True), memory)
    calls: list[int] = []

    def counted(keys: Array, labels: Array) -> tuple[Array, Array]:
        calls.append(len(keys))
        return propagate(keys, labels)

    monkeypatch.setattr(live, "propagate", counted)
    first = source.at(memory.live.view())
    assert calls == [16] and first.worth[0] > 0
    memory.update(other, label="zebra")
    second = source.at(memory.live.view())
    assert calls == [16] and second.names[-1] == "zebra"
    novel = second.labels[1]
    assert novel[-1] == 1 and novel.sum() == 1 and second.worth[1] == 1  # counts at once
    np.testing.assert_allclose(second.labels[0, : len(first.names)], first.labels[0])
    memory.update(other, label="")
    third = source.at(memory.live.view())
    assert calls == [16] and third.worth[1] == 0  # says nothing until labels are propagated again
    memory.delete([row.id for row in memory.rows()][-2:])
    fourth = source.at(memory.live.view())
    assert calls == [16, 14] and fourth.worth[1] > 0


def test_a_label_copies_no_keys_of_answered_questions(edits):
    memory, targets = edits.memory, ask_task(edits.memory)
    source, rows = LabelSource.of(predictor(targets, memory), memory), targets.source(memory)
    first = source.at(rows.view())
    asked = first.datastore.rows[3]
    memory.update(asked.id, label="other")
    second = source.at(rows.view())
    assert second.datastore.blocks is first.datastore.blocks
    memory.update(asked.id, qa=[QA("something else?", ("yes",))])
    third = source.at(rows.view())
    assert third.datastore.blocks is not first.datastore.blocks and "yes" in third.names
