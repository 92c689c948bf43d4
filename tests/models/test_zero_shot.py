from __future__ import annotations

import numpy as np
import pytest

from ravl.errors import DataError
from ravl.models.zero_shot import label_vectors, zero_shot
from tests.helpers import COLOURS, draw


def test_colours_by_their_names_alone(encoder):
    pictures = encoder.embed_pictures([draw(i, name) for i, name in enumerate(COLOURS)])
    found = zero_shot(pictures, label_vectors(encoder, list(COLOURS)), True)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)
    assert (found.argmax(1) == np.arange(8)).mean() >= 0.75
    tags = zero_shot(pictures, label_vectors(encoder, list(COLOURS)), False)
    assert (tags.argmax(1) == found.argmax(1)).all()
    assert ((tags > 0) & (tags <= 0.5)).all()


def test_a_label_is_the_mean_of_its_templates(encoder):
    one, other = (label_vectors(encoder, ["red"], [t]) for t in ("a {}", "{} blue thing"))
    both = label_vectors(encoder, ["red"], ["a {}", "{} blue thing"])
    expected = (one + other) / np.linalg.norm(one + other)
    np.testing.assert_allclose(both, expected, atol=1e-5)
    assert encoder.read == 4


def test_underscores_are_spaces(encoder):
    with_space, with_line = (label_vectors(encoder, [n], ["{}"]) for n in ("dark red", "dark_red"))
    np.testing.assert_allclose(with_space, with_line)


@pytest.mark.parametrize(
    ("templates", "says"),
    [
        ((), "There is no template"),
        (("a photo",), r"'a photo' must hold \{\} once"),
        (("{} and {}",), r"must hold \{\} once"),
    ],
)
def test_templates_that_cannot_work(encoder, templates, says):
    with pytest.raises(DataError, match=says):
        label_vectors(encoder, ["red"], templates)
