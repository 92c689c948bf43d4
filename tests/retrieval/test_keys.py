from __future__ import annotations

import numpy as np
import pytest

from ravl.retrieval.key_projection import (
    DIRECTIONS,
    KeyProjection,
    Principal,
    power_of,
    signed_power,
)


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)


def test_keys_are_unit_vectors_of_centred_features(features):
    keys = KeyProjection.of(features + 7)
    found = keys(features + 7)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    assert abs(found.mean()) < 0.05  # without centring all keys would point the same way
    assert np.abs((keys(features + 7) @ keys(features + 7).T)[~np.eye(40, dtype=bool)]).mean() < 0.5


def test_only_features_that_are_never_negative_are_square_rooted(features):
    assert power_of(features) == 1.0
    assert power_of(np.abs(features)) == 0.5
    assert power_of(features[:0]) == 1.0
    np.testing.assert_allclose(signed_power(np.array([[-4.0, 9.0]]), 0.5), [[-2, 3]])
    assert KeyProjection.of(np.abs(features)).power == 0.5


def test_many_features_are_reduced_to_their_principal_directions():
    random = np.random.default_rng(1)
    width = DIRECTIONS + 44
    spread = np.linspace(3, 0.01, width).astype(np.float32)
    wide = random.normal(size=(600, width)).astype(np.float32) * spread
    keys = KeyProjection.of(wide)
    assert keys(wide).shape == (600, DIRECTIONS)
    kept = ((wide - keys.mean) @ keys.directions).var()
    assert kept * DIRECTIONS > 0.95 * (wide - keys.mean).var() * width
    np.testing.assert_allclose(
        keys.directions.T @ keys.directions, np.eye(DIRECTIONS), atol=1e-4
    )  # orthonormal, so that cosines stay


@pytest.mark.parametrize("width", [12, DIRECTIONS + 8])
def test_arrays_and_back(width):
    features = np.random.default_rng(2).random((30, width)).astype(np.float32)
    keys = KeyProjection.of(features)
    again = KeyProjection.from_arrays(keys.arrays())
    np.testing.assert_array_equal(again(features), keys(features))
    assert again.power == 0.5


def test_one_picture_has_a_key_of_numbers(features):
    assert np.isfinite(KeyProjection.of(features[:1])(features[:1])).all()


def test_turned_keys_are_the_same_by_the_identity_and_others_by_a_matrix(features):
    keys = KeyProjection.of(features)
    np.testing.assert_array_equal(
        keys.rotated(np.eye(12, dtype=np.float32))(features), keys(features)
    )
    matrix = np.random.default_rng(3).normal(size=(12, 5)).astype(np.float32)
    found = keys.rotated(matrix)
    assert found(features).shape == (40, 5)
    expected = keys.project(features) @ matrix
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found(features), expected, atol=1e-5)
    again = KeyProjection.from_arrays(found.arrays())
    np.testing.assert_array_equal(again(features), found(features))


def test_principal_directions_are_found_once_for_keys_of_any_width():
    features = np.random.default_rng(0).normal(size=(700, 600)).astype(np.float32)
    principal = Principal.of(features)
    for directions in (256, 512):
        made, anew = principal.keys(directions), KeyProjection.of(features, directions)
        np.testing.assert_array_equal(made.directions, anew.directions)
        np.testing.assert_array_equal(made.mean, anew.mean)
    few = Principal.of(features[:, :300])
    np.testing.assert_array_equal(few.keys(512).directions, np.eye(300))
    again = Principal.of_kept(principal.kept())
    np.testing.assert_array_equal(again.axes, principal.axes)
    assert again.power == principal.power
