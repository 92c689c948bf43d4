from __future__ import annotations

import numpy as np

from ravl.data.pictures import decode
from ravl.encoders.base import normalise
from ravl.encoders.builtin import SEMANTIC
from ravl.encoders.space import devise_vectors
from tests.helpers import shared_set


def features_of_stamps(builtin, names):
    folder = shared_set("tuxpaint_stamps") / "images"
    return builtin.features([builtin.prepare(decode(folder / f"{n}_png.jpg")) for n in names])


def test_guesses_are_unit_vectors_for_any_features():
    features = np.random.default_rng(0).gamma(0.3, 1.0, (5, 1280)).astype(np.float32)
    features[1] = 0  # a picture in which the network saw nothing
    found = devise_vectors(features)
    assert found.shape == (5, SEMANTIC)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_no_features_no_guesses():
    assert devise_vectors(np.zeros((0, 1280), np.float32)).shape == (0, SEMANTIC)


def test_negative_features_count_as_nothing_seen():
    assert np.isfinite(devise_vectors(np.full((1, 1280), -1.0, np.float32))).all()


def test_drawings_never_seen_are_near_what_they_show(builtin):
    names = {
        "animals__birds__pink_flamingo": "a flamingo",
        "animals__mammals__pig": "a pig",
        "animals__mammals__equines__zebra": "a zebra",
    }
    features = features_of_stamps(builtin, names)
    texts = builtin.embed_texts(list(names.values()))[:, :SEMANTIC]
    similarity = devise_vectors(features) @ texts.T
    assert np.diag(similarity).min() > 0
    assert np.trace(similarity) / 3 > (similarity.sum() - np.trace(similarity)) / 6
    pictures = normalise(
        devise_vectors(features) + normalise(builtin.project(features)[:, :SEMANTIC])
    )
    np.testing.assert_array_equal((texts @ pictures.T).argmax(axis=1), np.arange(len(names)))
