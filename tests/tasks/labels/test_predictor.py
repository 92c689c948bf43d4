"""The predictor on arrays: vote, model, gate, labels that only the memory knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ravl.data import Example
from ravl.errors import DataError
from ravl.memory import Row
from ravl.models.class_means import ClassMeans
from ravl.models.gate import NUM_GATE_FEATURES, Gate
from ravl.models.linear import HeadFit, Loss, Standardizer
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Datastore, read_datastore
from ravl.retrieval.key_projection import KeyProjection
from ravl.runs.evidence_arrays import EvidenceArrays
from ravl.tasks.labels import votes as evidence
from ravl.tasks.labels.predictor import LabelPredictor, Queries
from ravl.tasks.labels.targets import LabelTargets
from tests.labelled import bank_of, random_picture

NAMES = ["a", "b", "c"]
TASK = LabelTargets("classify")


def world(n: int = 60, seed: int = 0):
    """Features (n, 12) of four kinds, and which."""
    random = np.random.default_rng(seed)
    kinds = np.arange(n) % 4
    centres = np.random.default_rng(9).normal(size=(4, 12)) * 2
    return (centres[kinds] + random.normal(size=(n, 12))).astype(np.float32), kinds


@pytest.fixture
def datastore() -> Datastore:
    """A third each of a, b, c; the fourth kind is unlabelled."""
    features, kinds = world()
    return bank_of(features, [[*NAMES, None][k] for k in kinds])


@pytest.fixture
def predictor(datastore) -> LabelPredictor:
    features, kinds = world(seed=1)
    known = kinds < 3
    head = HeadFit(features[known], np.eye(3, dtype=np.float32)[kinds[known]], Loss(True))(1e-3)
    gate = Gate(
        True, np.zeros(NUM_GATE_FEATURES, np.float32), 1.0, 0.02, np.full(3, 1 / 3, np.float32)
    )
    return LabelPredictor(
        TASK,
        NAMES,
        KeyProjection.of(datastore.features),
        Standardizer.of(datastore.features),
        Vote(8),
        gate,
        replace(gate, smoothing=0.1),
        head,
    )


def answered(predictor: LabelPredictor, datastore: Datastore, queries: Queries, **how):
    label_matrix = evidence.LabelMatrix.of(
        datastore, predictor.task, predictor.labels, predictor.spread
    )
    near = predictor.neighbours(queries, label_matrix, how.get("k"), how.get("hidden"))
    return predictor.answer(queries, label_matrix, near, **how)


def check(found) -> None:
    np.testing.assert_allclose(found.probabilities.sum(1), 1, rtol=1e-4)
    np.testing.assert_allclose(found.votes.sum(1), 1, rtol=1e-4)
    np.testing.assert_allclose(found.shares.sum(1), found.gate, atol=1e-4)
    assert found.probabilities.shape == found.own.shape == (len(found.gate), len(found.names))
    assert np.isfinite(found.probabilities).all()


def test_answers_are_distributions_and_shares_sum_to_the_gate(predictor, datastore):
    features, kinds = world(seed=2)
    found = answered(predictor, datastore, Queries(features))
    check(found)
    known = kinds < 3
    assert (found.probabilities.argmax(1) == kinds)[known].mean() > 0.95
    expected = 0.5 * found.votes + 0.5 * found.own
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)


def test_rows_without_a_label_are_no_neighbours(predictor, datastore):
    features, kinds = world(seed=2)
    found = answered(predictor, datastore, Queries(features[kinds == 3]))
    labels = [datastore.rows[i].label for i in found.neighbours.positions.ravel()]
    assert None not in labels
    check(found)


def test_vote_alone_and_model_alone(predictor, datastore):
    queries = Queries(world(seed=2)[0])
    vote = answered(predictor, datastore, queries, vote_only=True)
    check(vote)
    assert (vote.gate == 1).all()
    assert not vote.own.any()
    alone = predictor.without(queries)
    assert (alone.gate == 0).all()
    assert not alone.votes.any()
    assert alone.neighbours is None
    np.testing.assert_allclose(alone.probabilities.sum(1), 1, rtol=1e-5)
    sharp = replace(predictor, alone=0.1).without(queries)
    assert sharp.probabilities.max(1).mean() > alone.probabilities.max(1).mean()
    with pytest.raises(
        DataError, match="only the neighbours' vote answers.*--model linear or fusion"
    ):
        replace(predictor, head=None).without(queries)
    check(answered(replace(predictor, head=None), datastore, queries))


def test_another_k(predictor, datastore):
    queries = Queries(world(9, seed=2)[0])
    for k in (1, 3, 500):
        found = answered(predictor, datastore, queries, k=k)
        check(found)
        assert found.neighbours.found.sum(1).tolist() == [min(k, 45)] * 9


def test_what_is_hidden_is_in_no_class_mean(predictor, datastore):
    """Hiding rows answers as a memory without them does, whatever their labels say."""
    wrong = replace(
        datastore,
        rows=[replace(row, label="c") if i < 5 else row for i, row in enumerate(datastore.rows)],
    )
    with_means = replace(predictor, means=ClassMeans(True, 8.0), means_weight=1.0)
    queries, hidden = Queries(datastore.features[:5]), [datastore.groups[:5]] * 5
    shown = answered(with_means, wrong, queries)
    found = answered(with_means, wrong, queries, hidden=hidden)
    gone = answered(with_means, wrong.only(np.arange(len(wrong)) >= 5), queries)
    np.testing.assert_allclose(found.votes, gone.votes, atol=1e-6)
    assert np.abs(shown.votes - gone.votes).max() > 3e-4


@pytest.mark.parametrize("vote_only", [True, False])
def test_nobody_may_be_seen(predictor, datastore, vote_only):
    queries = Queries(world(3)[0])
    hidden = [datastore.groups] * 3
    found = answered(predictor, datastore, queries, hidden=hidden, vote_only=vote_only)
    check(found)
    assert not found.neighbours.found.any()
    if not vote_only:
        np.testing.assert_allclose(found.probabilities, found.own, atol=1e-6)


def test_a_label_that_only_the_memory_knows(predictor, datastore):
    """The fourth kind is unknown to the model: rows that name it answer it, and then no more."""
    features, kinds = world(seed=2)
    queries = Queries(features)
    before = answered(predictor, datastore, queries)
    assert before.names == NAMES
    rows = [replace(r, label=r.label or "new") for r in datastore.rows]
    more = Datastore(rows, datastore.features, datastore.groups, datastore.keys)
    after = answered(predictor, more, queries)
    check(after)
    assert after.names == [*NAMES, "new"]
    assert (after.probabilities.argmax(1) == kinds).mean() > 0.95
    assert not after.own[:, 3].any()
    again = answered(predictor, more.only(np.array([r.label != "new" for r in rows])), queries)
    assert again.names == NAMES
    np.testing.assert_allclose(again.probabilities, before.probabilities, atol=1e-5)


def test_new_labels_take_nothing_where_they_have_no_votes(predictor, datastore):
    rows = [*datastore.rows, Row(99, "far", hash="h", label="new")]
    features = np.vstack([datastore.features, datastore.features[:1]])
    keys = np.vstack([datastore.keys, -datastore.keys.mean(0, keepdims=True)])
    more = Datastore(rows, features, np.append(datastore.groups, 99), keys.astype(np.float32))
    queries = Queries(world(12, seed=2)[0])
    old, new = answered(predictor, datastore, queries), answered(predictor, more, queries)
    voted = new.votes[:, 3] > 0
    assert not voted.all()
    np.testing.assert_allclose(new.probabilities[~voted, :3], old.probabilities[~voted], atol=1e-5)


def test_a_rare_new_label_is_balanced(predictor, datastore):
    """Three rows of it among many: by the number of heads alone it would be outvoted."""
    features, kinds = world(seed=2)
    fourth = np.flatnonzero(np.arange(60) % 4 == 3)
    rows = list(datastore.rows)
    for i in fourth[:3]:
        rows[i] = replace(rows[i], label="new")
    more = Datastore(rows, datastore.features, datastore.groups, datastore.keys)
    found = answered(predictor, more, Queries(features[kinds == 3]), k=12)
    assert found.probabilities[:, 3].mean() > 3 / 12 + 0.1


def test_tags_of_their_own(datastore):
    features, kinds = world(seed=1)
    rows = [
        replace(r, label=None, tags=(*((r.label,) if r.label else ()), "drawn"))
        for r in datastore.rows
    ]
    tagged = Datastore(rows, datastore.features, datastore.groups, datastore.keys)
    names = ["a", "b", "drawn"]
    targets = np.stack([kinds == 0, kinds == 1, np.ones(60)], 1).astype(np.float32)
    head = HeadFit(features, targets, Loss(False))(1e-4)
    gate = Gate(False, np.zeros(NUM_GATE_FEATURES, np.float32), 1.0, 0.02, targets.mean(0))
    predictor = LabelPredictor(
        LabelTargets("tag"),
        names,
        KeyProjection.of(datastore.features),
        Standardizer.of(datastore.features),
        Vote(8),
        gate,
        gate,
        head,
        thresholds=np.array([0.3, 0.4, 0.6], np.float32),
    )
    found = answered(predictor, tagged, Queries(world(seed=2)[0]))
    assert found.names == [*names, "c"]  # only the memory knows it
    np.testing.assert_allclose(found.shares.sum(1), found.gate, atol=1e-4)
    assert found.probabilities[:, 2].min() > 0.7
    assert found.probabilities[kinds == 2, 3].min() > 0.5 > found.probabilities[kinds == 0, 3].max()
    np.testing.assert_allclose(predictor.limits(found.names), [0.3, 0.4, 0.6, 0.5])


def test_propagated_labels_vote(datastore, predictor):
    """Of each kind one row has a label; the others say what it says, but are believed less."""
    rows = [r if i < 3 else replace(r, label=None) for i, r in enumerate(datastore.rows)]
    few = Datastore(rows, datastore.features, datastore.groups, datastore.keys)
    features, kinds = world(seed=2)
    sparse = evidence.LabelMatrix.of(few, TASK, NAMES)
    spread = evidence.LabelMatrix.of(few, TASK, NAMES, spread=True)
    assert sparse.worth.sum() == 3
    assert (spread.worth > 0).sum() > 30
    found = answered(replace(predictor, spread=True), few, Queries(features))
    check(found)
    assert (found.votes.argmax(1) == kinds)[kinds < 3].mean() > 0.9
    hidden = evidence.LabelMatrix.of(few, TASK, NAMES, spread=True, hidden=np.arange(60) < 3)
    assert not hidden.labels.any()  # whose labels are hidden tells nobody
    assert not hidden.worth.any()


def test_what_the_reader_reads(memory):
    memory.add([Example("bare", random_picture(0))])
    datastore = read_datastore(memory)
    label_matrix = evidence.LabelMatrix.of(datastore, TASK, ["green", "red"])
    found = EvidenceArrays.of(label_matrix, datastore.features, memory, TASK)
    assert found.labels.shape == found.texts.shape == (17, 48)
    where = {row.id: i for i, row in enumerate(datastore.rows)}
    green, other = where["green_001.png"], where["green_009.png"]
    np.testing.assert_allclose(found.labels[green], found.labels[other])
    np.testing.assert_allclose(
        found.labels[green], memory.encoder.embed_texts(["green"])[0], atol=1e-5
    )
    texts = memory.encoder.embed_texts(["a green picture", "number 1"]).sum(0)
    np.testing.assert_allclose(found.texts[green], texts / np.linalg.norm(texts), atol=2e-3)
    bare = where["bare"]
    assert found.has_text.sum() == 16
    assert found.has_label.sum() == 16
    assert not found.has_text[bare] | found.has_label[bare]
    assert not found.labels[bare].any() | found.texts[bare].any()
