from __future__ import annotations

import numpy as np
import pytest

from ravl.models.cca import Covariances
from ravl.training.dual_encoder import closed_form as closed
from ravl.training.dual_encoder.closed_form import RIDGES, closed_form
from ravl.training.dual_encoder.heads import TrainableHead
from ravl.training.dual_encoder.pairs import Pairs, relevant
from ravl.training.dual_encoder.settings import RetrieverSettings


def world(count: int = 240) -> tuple[Pairs, np.ndarray, np.ndarray]:
    """Pictures with two texts each, whose vectors (2n, 6) share three directions with them."""
    random = np.random.default_rng(0)
    common = random.normal(size=(count, 3))
    seen = common @ random.normal(size=(3, 8)) + 0.3 * random.normal(size=(count, 8))
    twice = np.repeat(common, 2, axis=0)
    read = twice @ random.normal(size=(3, 6)) + 0.3 * random.normal(size=(2 * count, 6))
    pairs = Pairs(
        rows=[str(i) for i in range(count)],
        features=seen.astype(np.float32),
        groups=np.arange(count),
        labels=[None] * count,
        texts=[f"text {i}" for i in range(2 * count)],
        owners=np.repeat(np.arange(count), 2),
        which=np.arange(2 * count),
    )
    return pairs, pairs.features, read.astype(np.float32)


def fitted(**changes: object) -> closed.ClosedForm:
    pairs, seen, read = world()
    return closed_form(pairs, seen, read, np.arange(160), np.arange(160, 240), 3)


def test_what_belongs_together():
    pairs, _, _ = world(6)
    which, of_text, of_picture = relevant(pairs, np.array([1, 4]))
    assert which.tolist() == [2, 3, 8, 9]
    assert [p.tolist() for p in of_text] == [[0], [0], [1], [1]]
    assert [t.tolist() for t in of_picture] == [[0, 1], [2, 3]]


def test_validation_pictures_are_found():
    found = fitted()
    assert found.recall > 0.5  # by chance it would be 0.1
    assert {head.dimension for head in found.heads} == {3}


def test_the_validation_part_chooses_the_ridges(monkeypatch):
    wanted = (RIDGES[5], RIDGES[0])
    places = []

    def heads(self: Covariances, dimension: int, *ridges: float) -> object:
        places.append(ridges)
        return real(self, dimension, *ridges)

    real = Covariances.heads
    monkeypatch.setattr(Covariances, "heads", heads)
    monkeypatch.setattr(
        closed,
        "early_recall",
        lambda *_: -sum(abs(np.log(a / b)) for a, b in zip(places[-1], wanted, strict=True)),
    )
    assert fitted().ridges == wanted  # also at the end of the grid
    assert len(places) == len(set(places))  # none is fitted twice


def test_training_begins_as_the_closed_form():
    pairs, seen, _ = world()
    head = fitted().heads[0]
    again = TrainableHead(head, RetrieverSettings(dropout=0.0)).eval().export()
    np.testing.assert_allclose(again(seen), head(seen), atol=1e-6)


@pytest.mark.parametrize(
    "changes", [{"hidden": 8}, {"tune_vision": "top:1"}, {"teacher": "hf:somebody/clip"}]
)
def test_a_closed_form_trains_nothing(changes):
    from ravl.errors import DataError

    with pytest.raises(DataError, match="model is cca, a closed form, which trains nothing"):
        RetrieverSettings(model="cca", **changes)
