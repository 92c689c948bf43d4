from __future__ import annotations

import numpy as np
import pytest

from ravl.tasks.caption.image_text_score import ImageTextScorer
from tests.helpers import ColourEncoder, draw, random_head


@pytest.fixture
def fits() -> ImageTextScorer:
    return ImageTextScorer(random_head(48), random_head(48), ColourEncoder())


def test_scores_are_cosines_of_each_pictures_own_candidates(fits: ImageTextScorer) -> None:
    encoder = ColourEncoder()
    features = encoder.features(
        [encoder.prepare(draw(i, c)) for i, c in enumerate(("red", "blue"))]
    )
    found = fits(features, [["red", "blue"], ["blue"]])
    assert [len(line) for line in found] == [2, 1]
    read = fits.text(encoder.embed_texts(["red", "blue"]))
    seen = fits.picture(features)
    assert found[0] == pytest.approx(read @ seen[0], abs=1e-5)
    assert found[1] == pytest.approx(read[1:] @ seen[1], abs=1e-5)
    assert np.abs(np.concatenate(found)).max() <= 1 + 1e-5


def test_every_text_is_read_once(fits: ImageTextScorer) -> None:
    encoder = fits.base
    assert isinstance(encoder, ColourEncoder)
    fits(np.zeros((3, 48), np.float32), [["red", "blue"], ["red"], ["blue", "red"]])
    assert encoder.read == 2


def test_without_candidates_there_is_nothing_to_score(fits: ImageTextScorer) -> None:
    assert [len(line) for line in fits(np.zeros((2, 48), np.float32), [[], []])] == [0, 0]
    found = fits(np.zeros((2, 48), np.float32), [[], ["red"]])
    assert [len(line) for line in found] == [0, 1]
