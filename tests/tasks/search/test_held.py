from __future__ import annotations

import json

import numpy as np
import pytest

from ravl.encoders.base import Array, normalise
from ravl.tasks.search.held import STRENGTHS, Held, Space, best_hubness, measure, to_json
from ravl.training.dual_encoder.pairs import Ints
from tests.helpers import trained_on
from tests.training.painted import Scrambled

PICTURES, EACH, SIZE = 30, 2, 20


def points(count: int, seed: int) -> Array:
    return normalise(np.random.default_rng(seed).normal(size=(count, SIZE)))


def space(pictures: Array, texts: Array, datastore: Array | None = None) -> Space:
    datastore = points(200, 9) if datastore is None else datastore
    return Space(pictures, texts, datastore, datastore)


def held(before: Space, after: Space, labels: list[str | None] | None = None) -> Held:
    """Two texts to each picture."""
    owners = np.repeat(np.arange(PICTURES), EACH)
    texts = np.arange(PICTURES * EACH)
    return Held(
        chosen=np.arange(PICTURES),
        which=texts,
        of_text=list(owners[:, None]),
        of_picture=list(texts.reshape(PICTURES, EACH)),
        labels=labels or [None] * PICTURES,
        before=before,
        after=after,
    )


@pytest.fixture
def right() -> Space:
    """Every text lies where its picture does."""
    pictures = points(PICTURES, 0)
    return space(pictures, np.repeat(pictures, EACH, axis=0))


@pytest.fixture
def wrong() -> Space:
    """Texts lie anywhere."""
    return space(points(PICTURES, 0), points(PICTURES * EACH, 1))


def test_from_chance_to_all_found(right, wrong):
    metrics = measure(held(wrong, right), 0.0, seed=0)
    assert list(metrics) == ["text -> picture", "picture -> text"]
    for moments in metrics.values():
        assert moments["after"]["R@10"].value == 1
        assert moments["before"]["R@10"].value < 0.6
        gain = moments["after"]["R@10"].value - moments["before"]["R@10"].value
        assert moments["difference"]["R@10"].value == pytest.approx(gain)
        assert moments["difference"]["R@10"].clear
    assert metrics["text -> picture"]["after"]["MRR"].value == 1
    assert metrics["picture -> text"]["after"]["MRR"].value == 0.5  # its two texts are a tie


def test_no_change_is_no_difference(wrong):
    for moments in measure(held(wrong, wrong), 0.0, seed=0).values():
        assert moments["before"] == moments["after"]
        for change in moments["difference"].values():
            assert (change.value, change.low, change.high) == (0, 0, 0)


def test_intervals_hold_their_values_and_are_json(right, wrong):
    labels: list[str | None] = ["fox" if i % 2 else "owl" for i in range(PICTURES)]
    metrics = measure(held(wrong, right, labels), 0.5, seed=0)
    for moments in metrics.values():
        for scores in moments.values():
            assert all(s.low <= s.value <= s.high for s in scores.values())
    record = json.loads(json.dumps(to_json(metrics)))
    assert set(record["text -> picture"]["after"]["R@10"]) == {"value", "low", "high"}


def test_what_the_correction_adds_is_told_apart(wrong):
    moments = measure(held(wrong, wrong), 0.5, seed=0)["text -> picture"]
    assert moments["uncorrected_after"] == moments["before"]
    assert moments["uncorrected_difference"]["R@10"].value == 0
    assert moments["after"] != moments["before"]


def test_pictures_alike_are_measured_where_labels_are_frequent(right, wrong):
    mixed = points(PICTURES, 3)
    apart = np.zeros((PICTURES, SIZE), np.float32)
    apart[np.arange(PICTURES), np.arange(PICTURES) % 2] = 1
    labels: list[str | None] = ["fox" if i % 2 else "owl" for i in range(PICTURES)]
    one = held(space(mixed, wrong.texts), space(apart, wrong.texts), labels)
    scores = measure(one, 0.0, seed=0)["picture -> picture"]
    assert scores["after"]["P@5 same label"].value == 1
    assert scores["before"]["P@5 same label"].value < 0.8
    rare: list[str | None] = [f"thing {i % 10}" for i in range(PICTURES)]
    for few in (rare, [None] * 26 + ["fox"] * 4):
        assert "picture -> picture" not in measure(held(wrong, right, few), 0.0, seed=0)


def hubby() -> Space:
    """The first pictures are near to all texts, and so are found for each of them."""
    common = np.eye(SIZE, dtype=np.float32)[0]
    pictures = points(PICTURES, 0)
    texts = normalise(np.repeat(pictures, EACH, axis=0) + 2 * common)
    pictures[:12] = normalise(0.1 * pictures[:12] + common)
    datastore = normalise(points(200, 9) + 2 * common)
    return Space(pictures, texts, points(200, 8), datastore)


def test_the_strength_that_helps_is_chosen(right):
    strength = best_hubness(held(right, hubby()))
    assert strength in STRENGTHS
    assert strength > 0
    found = measure(held(right, hubby()), strength, 0)["text -> picture"]
    assert found["after"]["R@10"].value > found["uncorrected_after"]["R@10"].value


def test_where_it_does_not_help_it_is_left_out(right):
    assert best_hubness(held(right, right)) == 0


def test_a_part_is_taken_from_a_memory(pairs, painted):
    base = Scrambled()
    after = trained_on(base)
    chosen: Ints = np.arange(3, 64, 5)
    train = np.setdiff1d(np.arange(64), chosen)
    part = Held.take(pairs, chosen, train, base, after)
    texts = [pairs.texts[i] for i in part.which]
    assert sorted(texts) == sorted(t for i in chosen for t in painted.get(pairs.rows[i]).texts)
    for pictures, text in zip(part.of_text, texts, strict=True):
        (picture,) = pictures
        assert text in painted.get(pairs.rows[chosen[picture]]).texts
    for texts_of, picture in zip(part.of_picture, chosen, strict=True):
        assert {texts[t] for t in texts_of} == set(painted.get(pairs.rows[picture]).texts)
    assert part.labels == [painted.get(pairs.rows[i]).label for i in chosen]
    np.testing.assert_allclose(part.after.texts, after.embed_texts(texts))
    np.testing.assert_allclose(part.before.pictures, base.project(pairs.features[chosen]))
    assert part.before.bank_pictures.shape == (len(train), 48)
    assert part.before.bank_texts.shape == (2 * len(train), 48)
