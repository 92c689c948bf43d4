"""A memory alone answers classify and tag by its own rows."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import ravl
from ravl.data import Example
from ravl.errors import DataError, QueryError
from ravl.kept import forget_fitted
from ravl.memory import Memory
from ravl.models.class_means import KeySums
from ravl.models.propagation import propagate
from ravl.retrieval.datastore import Neighbours
from ravl.retrieval.live_datastore import projection_of
from ravl.store.top_k import top_k
from ravl.tasks.labels import untrained
from ravl.tasks.labels.calibrating import best_means
from ravl.tasks.labels.evaluate import answer_examples
from ravl.tasks.labels.keys.whitening import SHRINKAGES, Whitening
from ravl.tasks.labels.model import UntrainedLabels
from ravl.tasks.labels.targets import LabelTargets
from ravl.training.examples import read_labelled
from tests.helpers import draw
from tests.labelled import leak, shades
from tests.tasks.labels.test_self_training import clusters


def bytes_of(picture) -> bytes:
    out = io.BytesIO()
    picture.save(out, "png")
    return out.getvalue()


def bytes_in(example: Example) -> bytes:
    assert isinstance(example.picture, bytes)
    return example.picture


@pytest.fixture
def shop(empty, tmp_path) -> Memory:
    empty.add(shades(tmp_path / "pictures", 80))
    return empty  # type: ignore[no-any-return]


def answered(pipeline: Any, examples: Any) -> tuple[float, float]:
    """Share of right answers to the memory's own pictures, each without itself, and confidence."""
    found: Any = answer_examples(pipeline, examples, np.random.default_rng(0))
    return share_right(found, examples.rows), float(np.mean([a.confidence for a in found]))


def share_right(answers: Any, examples: Any) -> float:
    return float(np.mean([a.label == e.label for a, e in zip(answers, examples, strict=True)]))


def examples_of(memory: Memory, name: str = "classify"):
    return read_labelled(memory, memory, LabelTargets(name).of)


def test_its_labels_answer_with_evidence(shop):
    model = ravl.load(shop)
    answer = model.classify(bytes_of(draw(3, "red")))
    assert answer.label == "red"
    assert answer.evidence
    assert 0 < answer.confidence <= 1
    tags = model.tag(bytes_of(draw(3, "red")))
    assert set(tags.tags) <= {tag for row in shop for tag in row.tags}
    with pytest.raises(DataError, match="only the neighbours' vote answers"):
        model.classify(bytes_of(draw(3, "red")), retrieval=False)


def test_rows_that_do_not_see_themselves_are_labelled_right(shop):
    pipeline = UntrainedLabels("classify", shop)
    examples = examples_of(shop)
    right, sure = answered(pipeline, examples)
    assert right > 0.9
    assert sure == pytest.approx(right, abs=0.2)


def test_labels_by_chance_are_not_known_by_heart(empty, tmp_path):
    """Each picture has a retouched copy of the same label: no row is judged by its copy."""
    empty.add(leak(tmp_path / "leak"))
    pipeline = UntrainedLabels("classify", empty)
    examples = examples_of(empty)
    right, sure = answered(pipeline, examples)
    assert right < 0.7
    assert sure < 0.75


def test_an_edit_counts_at_once(shop, tmp_path):
    model = ravl.load(shop)
    new = bytes_of(draw(5, "purple"))
    assert model.classify(new).label != "violet"
    shop.add(
        Example(f"v{i}", picture=bytes_of(draw(i, "purple")), label="violet") for i in range(4)
    )
    assert model.classify(new).label == "violet"
    shop.delete(where='label = "violet"')
    assert "violet" not in model.classify(new).scores


def test_it_is_measured_again_when_a_fifth_has_changed(shop, monkeypatch):
    calls = []
    whole = untrained.measured

    def counted(*given):
        calls.append(1)
        return whole(*given)

    monkeypatch.setattr(untrained, "measured", counted)
    model = ravl.load(shop)
    new = bytes_of(draw(3, "red"))
    for _ in range(3):
        model.classify(new)
    assert len(calls) == 1
    ids = [row.id for row in shop]
    shop.update(ids[0], label="odd")
    model.classify(new)
    assert len(calls) == 1
    shop.delete(ids[:30])
    model.classify(new)
    assert len(calls) == 2


@pytest.mark.parametrize("count", [2, 10])
def test_a_few_labelled_rows_vote(empty, tmp_path, count):
    empty.add(shades(tmp_path / "pictures", 40))
    for i, row in enumerate(list(empty)):
        if i >= count:
            empty.update(row.id, label="")
    names = {row.label for row in empty if row.label}
    if len(names) < 2:
        pytest.skip("one label")
    assert ravl.load(empty).classify(bytes_of(draw(3, "red"))).label in names


def test_a_memory_without_labels_says_what_to_do(empty, tmp_path):
    empty.add([Example("a", picture=bytes_of(draw(0, "red")))])
    model = ravl.load(empty)
    with pytest.raises(DataError, match="No row has a label.*--label NAME"):
        model.classify(bytes_of(draw(3, "red")))
    with pytest.raises(DataError, match="No row has a tag"):
        model.tag(bytes_of(draw(3, "red")))
    empty.update("a", label="x")
    with pytest.raises(DataError, match="All rows have the label 'x'"):
        model.classify(bytes_of(draw(3, "red")))
    with pytest.raises(QueryError, match="without training"):
        model.match(bytes_of(draw(3, "red")), "a text")


def test_labels_are_propagated_where_that_is_likelier(empty):
    """Three overlapping kinds, a tenth of the pictures say which: all of them tell the kinds."""
    empty.add(clusters(360, 36, noise=2.4))
    fresh = clusters(90, 90, seed=3, noise=2.4)
    assert UntrainedLabels("classify", empty).label_predictor.spread
    whole = ravl.load(empty).classify([bytes_in(e) for e in fresh])
    empty.delete([row.id for row in empty if not row.label])
    alone = ravl.load(empty).classify([bytes_in(e) for e in fresh])
    assert share_right(whole, fresh) > share_right(alone, fresh) + 0.03


def test_labels_by_chance_are_not_propagated_into_confidence(empty):
    empty.add(clusters(200, 60, chance=True))
    pipeline = UntrainedLabels("classify", empty)
    _, sure = answered(pipeline, examples_of(empty))
    assert sure < 0.75


def slowly(plain: Any, found: Any, folds: Any, others: Any, view: Any) -> list[float]:
    """The log loss of each predictor that is tried, every key made anew from the features."""
    directions = projection_of(view, 512)
    table, every = found.table, np.vstack([found.features, others])
    labels = np.zeros((len(every), table.shape[1]), np.float32)
    labels[: len(table)] = table

    def loss(keys_of: Any, spread: bool) -> float:
        features = every if spread else found.features
        votes, scores = np.zeros_like(table), np.zeros_like(table)
        for fold in folds:
            rest, seen = np.setdiff1d(np.arange(len(features)), fold), labels.copy()
            seen[fold] = 0
            keys = keys_of(seen if spread else seen[: len(table)], rest)
            shares, worth = seen[: len(features)], np.ones(len(features), np.float32)
            if spread:
                shares, worth = propagate(keys(features), seen)
            known, looked = keys(features[rest]), keys(features[fold])
            similar, places = top_k(known, looked, untrained.VOTE.k)
            votes[fold] = untrained.VOTE(Neighbours(places, similar), shares[rest], worth[rest])
            sums = KeySums.of(known, shares[rest] * worth[rest][:, None])
            scores[fold] = sums.scores(looked, found.exclusive)
        counts = table.sum(0)
        if spread:
            whole, worth = propagate(keys_of(labels, np.arange(len(every)))(every), labels)
            counts = (whole * worth[:, None]).sum(0)
        means = best_means(votes, scores, table, counts, float(counts.sum()), found.exclusive)
        return untrained._with_gate(plain, found, means[2])[0]

    def whitened(share: float) -> Any:
        return lambda seen, rest: Whitening.of(
            directions, found.features[rest], seen[rest]
        ).with_shrinkage(share)

    def by_all(seen: Any, _: Any) -> Any:
        shares, worth = propagate(plain.keys(every), seen)
        return Whitening.of(plain.keys, every, shares * worth[:, None]).with_shrinkage(
            untrained.SHRINKAGE
        )

    tried = [loss(lambda *_: plain.keys, False), *(loss(whitened(s), False) for s in SHRINKAGES)]
    if len(others):
        tried += [loss(lambda *_: plain.keys, True), loss(by_all, True)]
    return tried


@pytest.mark.parametrize("labelled", [180, 60])
def test_what_is_shared_between_tries_changes_nothing(empty, monkeypatch, labelled):
    empty.add(clusters(180, labelled, noise=2.4))
    given: list[Any] = []
    judged: list[float] = []
    best, gate = untrained._best, untrained._with_gate

    def noted(*arguments):
        found = gate(*arguments)
        judged.append(found[0])
        return found

    def kept(*arguments):
        given.extend(arguments)
        with monkeypatch.context() as patch:
            patch.setattr(untrained, "_with_gate", noted)
            return best(*arguments)

    monkeypatch.setattr(untrained, "_best", kept)
    UntrainedLabels("classify", empty)
    assert judged == pytest.approx(slowly(*given), abs=1e-5)
    assert len(judged) == (4 if labelled == 180 else 6)


def test_another_process_finds_what_was_fitted_until_a_row_changes(empty, monkeypatch):
    empty.add(clusters(240, 240))
    fits = []
    best = untrained._best

    def counted(*given):
        fits.append(1)
        return best(*given)

    monkeypatch.setattr(untrained, "_best", counted)
    forget_fitted()
    looked = bytes_in(clusters(1, 1, seed=5)[0])
    answers = []
    for _ in range(2):
        with Memory.open(empty.path, empty.encoder) as memory:
            answers.append(ravl.load(memory).classify(looked))
    assert len(fits) == 1
    assert answers[0].scores == answers[1].scores
    assert answers[0].confidence == answers[1].confidence
    empty.update(next(iter(empty)).id, label="another")
    with Memory.open(empty.path, empty.encoder) as memory:
        ravl.load(memory).classify(looked)
    assert len(fits) == 2
