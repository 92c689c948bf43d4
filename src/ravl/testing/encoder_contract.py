"""What ravl expects of every encoder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from PIL import Image

from ravl.encoders import Encoder, Fingerprint, load_encoder
from ravl.encoders.base import Array, probe_picture
from ravl.errors import EncoderError

TEXTS = ["a red shirt", "dog", "two people on a wooden bench near the sea", "shirt", "红格子衬衫"]

_loaded = cache(load_encoder)


class EncoderContract:
    """Subclass this and set ``spec``, or override the fixture ``encoder``.

    >>> class TestToyEncoder(EncoderContract):
    ...     spec = "toy:8"
    """

    spec: str  # the name that ravl.load_encoder finds the encoder by

    @pytest.fixture
    def encoder(self) -> Encoder:
        """The encoder under test, loaded once."""
        return _loaded(self.spec)

    @pytest.fixture
    def pictures(self) -> list[Image.Image]:
        """Four pictures: three shapes of one, and one of a single colour."""
        probe = probe_picture()
        turned = probe.transpose(Image.Transpose.ROTATE_90)
        return [probe, turned, probe.crop((0, 0, 90, 90)), Image.new("RGB", (50, 40), "red")]

    def test_attributes(self, encoder: Encoder) -> None:
        assert encoder.dimension > 0
        assert encoder.feature_dimension > 0
        assert encoder.picture_size > 0
        assert encoder.batch_size > 0

    def test_the_spec_loads_the_same_encoder(self, encoder: Encoder) -> None:
        again = load_encoder(encoder.spec, encoder.state())
        assert again.spec == encoder.spec
        assert again.fingerprint.matches(encoder.fingerprint)
        assert again.fingerprint.same_vision(encoder.fingerprint)

    def test_wide_features_stand_behind_the_others(
        self, encoder: Encoder, pictures: list[Image.Image]
    ) -> None:
        prepared = [encoder.prepare(picture) for picture in pictures]
        seen, read = encoder.wide_features(prepared), encoder.wide_texts(TEXTS)
        assert seen.shape == (len(pictures), encoder.feature_dimension + encoder.wide_dimension)
        assert read.shape == (len(TEXTS), encoder.dimension + encoder.wide_text_dimension)
        stored = encoder.features(prepared)
        np.testing.assert_allclose(seen[:, : encoder.feature_dimension], stored, atol=1e-3)
        own = encoder.embed_texts(TEXTS)
        np.testing.assert_allclose(read[:, : encoder.dimension], own, atol=1e-3)

    @pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (33, 47), (640, 480)])
    def test_prepare_takes_any_shape(self, encoder: Encoder, size: tuple[int, int]) -> None:
        picture = Image.effect_noise(size, 90).convert("RGB")
        before = picture.tobytes()
        prepared = encoder.prepare(picture)
        assert prepared.dtype == np.float32
        assert prepared.ndim == 3
        assert prepared.shape[0] == 3
        assert np.isfinite(prepared).all()
        assert prepared.nbytes < 20e6
        assert picture.tobytes() == before
        assert np.isfinite(encoder.embed_pictures([picture])).all()

    def test_prepare_in_threads(self, encoder: Encoder, pictures: list[Image.Image]) -> None:
        alone = [encoder.prepare(p) for p in pictures]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(encoder.prepare, pictures * 5))
        for i, prepared in enumerate(together):
            np.testing.assert_array_equal(prepared, alone[i % len(pictures)])

    def test_three_steps_make_a_picture_vector(
        self, encoder: Encoder, pictures: list[Image.Image]
    ) -> None:
        prepared = [encoder.prepare(p) for p in pictures]
        features = encoder.features(prepared)
        assert features.shape == (len(pictures), encoder.feature_dimension)
        assert features.dtype == np.float32
        kept, vectors = encoder.encode_prepared(prepared)
        np.testing.assert_array_equal(kept, features)
        if encoder.projects:
            np.testing.assert_allclose(encoder.project(features), vectors, atol=1e-5)
        else:
            with pytest.raises(EncoderError, match="must be encoded again"):
                encoder.project(features)
        assert_unit(vectors, len(pictures), encoder)
        np.testing.assert_allclose(encoder.embed_pictures(pictures), vectors, atol=1e-4)
        assert vectors[0] @ vectors[3] < 0.999  # other pictures, other vectors

    def test_pictures_do_not_depend_on_their_batch(
        self, encoder: Encoder, pictures: list[Image.Image]
    ) -> None:
        prepared = [encoder.prepare(p) for p in pictures]
        one_by_one = np.concatenate([encoder.features([p]) for p in prepared])
        scale = float(np.abs(one_by_one).max())
        np.testing.assert_allclose(
            encoder.features(prepared) / scale, one_by_one / scale, atol=1e-4
        )
        many = [prepared[i % len(prepared)] for i in range(encoder.batch_size + 3)]
        features = encoder.features(many)
        assert features.shape == (len(many), encoder.feature_dimension)
        np.testing.assert_allclose(
            features[-1] / scale, one_by_one[(len(many) - 1) % 4] / scale, atol=1e-4
        )

    def test_grid(self, encoder: Encoder, pictures: list[Image.Image]) -> None:
        prepared = [encoder.prepare(p) for p in pictures]
        grid = encoder.patch_features(prepared)
        n, patches, channels = grid.shape
        assert n == len(pictures)
        assert patches > 1
        assert channels > 1
        assert grid.dtype == np.float32
        np.testing.assert_allclose(
            encoder.patch_features(prepared[1:2])[0], grid[1], atol=1e-4, rtol=1e-3
        )

    def test_texts(self, encoder: Encoder) -> None:
        vectors = encoder.embed_texts(TEXTS)
        assert_unit(vectors, len(TEXTS), encoder)
        assert vectors[0] @ vectors[1] < 0.999

    def test_texts_keep_their_order_in_any_batch(self, encoder: Encoder) -> None:
        many = [f"{TEXTS[i % 4]} {'and more ' * (i % 3)}{i}" for i in range(90)]
        vectors = encoder.embed_texts(many)
        alone = np.concatenate([encoder.embed_texts([t]) for t in many[:12]])
        np.testing.assert_allclose(vectors[:12], alone, atol=1e-4)
        backwards = encoder.embed_texts(many[::-1])[::-1]
        np.testing.assert_allclose(vectors, backwards, atol=1e-4)

    @pytest.mark.parametrize("text", ["", " ", "\n\0", "é" * 3, "\ud83d", "👩‍👩‍👧", "word " * 5000])
    def test_odd_texts(self, encoder: Encoder, text: str) -> None:
        vectors = encoder.embed_texts(["a dog", text])
        assert vectors.shape == (2, encoder.dimension)
        assert np.isfinite(vectors).all()
        np.testing.assert_allclose(vectors[0], encoder.embed_texts(["a dog"])[0], atol=1e-4)

    def test_of_nothing_comes_nothing(self, encoder: Encoder) -> None:
        assert encoder.embed_texts([]).shape == (0, encoder.dimension)
        assert encoder.embed_pictures([]).shape == (0, encoder.dimension)
        assert encoder.features([]).shape == (0, encoder.feature_dimension)
        none = encoder.patch_features([])
        assert none.shape[0] == 0
        assert (
            none.shape[1:] == encoder.patch_features([encoder.prepare(probe_picture())]).shape[1:]
        )
        for features, vectors in (encoder.encode_prepared([]), encoder.encode_pictures([])):
            assert features.shape == (0, encoder.feature_dimension)
            assert vectors.shape == (0, encoder.dimension)
        if encoder.projects:
            assert encoder.project(features).shape == (0, encoder.dimension)

    def test_fingerprint(self, encoder: Encoder) -> None:
        fingerprint = encoder.fingerprint
        assert fingerprint.spec == encoder.spec
        again = Fingerprint.from_json(fingerprint.to_json())
        assert again.matches(fingerprint)
        assert again.same_vision(fingerprint)
        assert again.digest == fingerprint.digest
        assert again.spec == encoder.spec


def assert_unit(vectors: Array, n: int, encoder: Encoder) -> None:
    """There are n vectors of the shared space, float32, each of length 1."""
    assert vectors.shape == (n, encoder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
