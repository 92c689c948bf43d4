"""The encoder: pictures and texts in, vectors of one shared space out."""

from __future__ import annotations

import base64
import hashlib
import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ravl.errors import EncoderError
from ravl.json_types import JsonRecord, JsonValue
from ravl.untrusted import damage_of, parse_json

Array = NDArray[np.float32]
Numbers = NDArray[Any]  # an array of any type

Side = Literal["pictures", "texts"]  # each has its own network
SIDES: tuple[Side, ...] = ("pictures", "texts")

PROBE_TEXT = "a red checked shirt on a wooden table, 木桌上的红格子衬衫"
TRAINED = "trained:"  # prefix of the names of trained encoders
LONGEST_NAME = 4096  # characters; it may hold the path of a folder
OF_ENCODER = "Take the file from a copy of before, or make it again."
SAME = 0.999  # minimum cosine of two probe vectors of the same encoder


class Encoder(ABC):
    """Turns pictures and texts into L2-normalised vectors that can be compared by dot product.

    Pictures are encoded in three steps, so each step runs once and in the cheapest place:

    1. :meth:`prepare`, resizing and cropping, runs in the threads that decode files; 2.
    :meth:`features`, the network, runs in batches; the memory stores its result; 3.
    :meth:`project`, from features to the shared space, is cheap; it can be trained and repeated
    without decoding a picture again.

    :meth:`encode_prepared` does the last two. Encoders that run several networks on a picture
    store the features of the first, and set ``projects`` to False: their vectors cannot be computed
    from stored features.

    Implementations set ``spec`` (the name that :func:`ravl.encoders.load_encoder` finds it by: the
    name of its entry point, and after a colon what the constructor takes, if anything),
    ``dimension`` (d, of the shared space), ``feature_dimension`` (F, of the picture features),
    ``picture_size`` (side of the network's input in pixels) and ``batch_size`` (pictures per
    batch); and where there are wide features, ``wide_dimension`` and ``wide_text_dimension``.
    """

    spec: str
    dimension: int
    feature_dimension: int
    picture_size: int
    batch_size: int
    projects: bool = True
    wide_dimension: int = 0
    wide_text_dimension: int = 0

    @classmethod
    def from_spec(
        cls,
        spec: str,
        state: Mapping[str, bytes] | None = None,  # noqa: ARG003 (for those that override it)
        base: Encoder | None = None,  # noqa: ARG003
    ) -> Encoder:
        """The encoder of a name: here the class, called with what stands after the first colon.

        An encoder with :meth:`state` overrides this. Its state comes out of a memory's file, which
        somebody else may have made: never unpickle them.

        Args:
            spec: ``"SCHEME"`` or ``"SCHEME:REST"``.
            state: what :meth:`state` gave; None if no memory keeps it.
            base: a base encoder that the caller has loaded already, for trained heads.

        Raises:
            EncoderError: the constructor takes nothing and there is a rest, or the other way round.
        """
        scheme, _, rest = spec.partition(":")
        given = [rest] if rest else []
        make: Callable[..., Encoder] = cls
        try:
            inspect.signature(make).bind(*given)
        except TypeError as error:
            form = scheme if rest else f"{scheme}:NAME"
            raise EncoderError(f"There is no encoder {spec!r}. Write {form!r}.") from error
        return make(*given)

    @abstractmethod
    def prepare(self, picture: Image.Image) -> Array:
        """One RGB picture -> the network's input (3, H, W). Safe to call from several threads."""

    @abstractmethod
    def features(self, prepared: Sequence[Array]) -> Array:
        """Prepared pictures (n, each (3, H, W)) -> pooled features (n, F), not normalised."""

    @abstractmethod
    def patch_features(self, prepared: Sequence[Array]) -> Array:
        """Prepared pictures (n, each (3, H, W)) -> one vector per patch, (n, patches, channels)."""

    @abstractmethod
    def project(self, features: Array) -> Array:
        """Pooled features (n, F) -> vectors of the shared space (n, d), L2-normalised."""

    def encode_prepared(self, prepared: Sequence[Array]) -> tuple[Array, Array]:
        """Prepared pictures (n) -> features (n, F), to be stored, and vectors (n, d)."""
        features = self.features(prepared)
        return features, self.project(features)

    @abstractmethod
    def embed_texts(self, texts: Sequence[str]) -> Array:
        """Texts (n) -> vectors of the shared space (n, d), L2-normalised. Long texts are cut."""

    def wide_features(self, prepared: Sequence[Array]) -> Array:
        """Prepared pictures (n) -> features, and behind them the wide ones, (n, F + wide)."""
        return self.features(prepared)

    def wide_texts(self, texts: Sequence[str]) -> Array:
        """Texts (n) -> vectors, and behind them their wide features, (n, d + wide)."""
        return self.embed_texts(texts)

    def state(self) -> dict[str, bytes]:
        """Files from which a memory can load this encoder; empty if its name is enough."""
        return {}

    def supports_language(self, text: str) -> bool:  # noqa: ARG002 (for those that override it)
        """False for a text in an unknown language; it can then only be found by words."""
        return True

    def is_compatible(self, vectors: Fingerprint, sides: Sequence[Side] = SIDES) -> bool:
        """True if vectors with this fingerprint can be compared with vectors of this encoder.

        Args:
            vectors: the fingerprint of their encoder.
            sides: what will be encoded; only the networks of these are loaded and compared.
        """
        if "pictures" in sides and not _same(vectors.picture, self._picture_probe[1]):
            return False
        return "texts" not in sides or _same(vectors.text, self._text_probe)

    def embed_pictures(self, pictures: Sequence[Image.Image]) -> Array:
        """RGB pictures (n) -> vectors of the shared space (n, d), L2-normalised."""
        return self.encode_pictures(pictures)[1]

    def encode_pictures(self, pictures: Sequence[Image.Image]) -> tuple[Array, Array]:
        """RGB pictures (n) -> features (n, F) and vectors (n, d)."""
        if not pictures:
            empty = (np.zeros((0, n), np.float32) for n in (self.feature_dimension, self.dimension))
            return next(empty), next(empty)
        batches = range(0, len(pictures), self.batch_size)
        looked = [
            self.encode_prepared([self.prepare(p) for p in pictures[i : i + self.batch_size]])
            for i in batches
        ]
        return np.concatenate([f for f, _ in looked]), np.concatenate([v for _, v in looked])

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """The output of this encoder on a fixed picture and text; costs one small batch."""
        features, picture = self._picture_probe
        return Fingerprint(self.spec, features, picture, self._text_probe)

    @cached_property
    def _picture_probe(self) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """Features and vector of a fixed picture."""
        features, vectors = self.encode_prepared([self.prepare(probe_picture())])
        return features[0].astype(np.float16), vectors[0].astype(np.float16)

    @cached_property
    def _text_probe(self) -> NDArray[np.float16]:
        vector: NDArray[np.float16] = self.embed_texts([PROBE_TEXT])[0].astype(np.float16)
        return vector


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Identifies an encoder by its output, so wrong preprocessing is detected, too.

    A hash of the weights would miss a checkpoint loaded with another model's preprocessing, and a
    hash of the outputs would differ between machines in the last bits; so the outputs on a fixed
    probe are stored and compared by cosine.

    Args:
        spec: the encoder's name, for messages.
        features: features of the probe picture, (F,) float16.
        picture: vector of the probe picture, (d,) float16.
        text: vector of the probe text, (d,) float16.
    """

    spec: str
    features: NDArray[np.float16]
    picture: NDArray[np.float16]
    text: NDArray[np.float16]

    def matches(self, other: Fingerprint) -> bool:
        """True if vectors of both encoders can be compared."""
        # The name of a trained encoder is a hash of its heads; the probe may hardly differ.
        if self.spec.startswith(TRAINED) and other.spec.startswith(TRAINED):
            return self.spec == other.spec
        return _same(self.picture, other.picture) and _same(self.text, other.text)

    def same_vision(self, other: Fingerprint) -> bool:
        """True if both compute the same picture features, so stored features can be reused."""
        return _same(self.features, other.features)

    def same_text(self, other: Fingerprint) -> bool:
        """True if both compute the same text vectors."""
        return _same(self.text, other.text)

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that identify the encoder in messages."""
        values = np.concatenate([self.picture, self.text]).astype("<f2").tobytes()
        return hashlib.sha256(values).hexdigest()[:12]

    def to_json(self) -> str:
        """As JSON text, for the memory's file and the run's folder."""
        parts = {k: _pack(getattr(self, k)) for k in ("features", "picture", "text")}
        return json.dumps({"spec": self.spec, **parts})

    @classmethod
    def from_json(cls, text: str) -> Fingerprint:
        """The inverse of :meth:`to_json`.

        Raises:
            EncoderError: the text is not a fingerprint.
        """
        with damage_of("The fingerprint of an encoder", OF_ENCODER, EncoderError):
            return cls.from_record(parse_json(text))

    @classmethod
    def from_record(cls, record: JsonRecord) -> Fingerprint:
        """The same, of JSON that was parsed."""
        with damage_of("The fingerprint of an encoder", OF_ENCODER, EncoderError):
            parts = {k: _unpack(k, record[k]) for k in ("features", "picture", "text")}
            if parts["picture"].shape != parts["text"].shape:
                raise ValueError("its vectors have different lengths")
            return cls(spec=_spec(record["spec"]), **parts)


def probe_picture() -> Image.Image:
    """A fixed picture; its colours, frequencies and sides reveal wrong preprocessing."""
    return Image.fromarray(_probe_pixels(), "RGB")


@cache
def _probe_pixels() -> NDArray[np.uint8]:
    """Of :func:`probe_picture`, (200, 320, 3)."""
    y, x = np.mgrid[0:200, 0:320].astype(np.float64)
    waves = [np.sin(x / 7 + y / 31), np.cos(x / 23 - y / 5), np.sin(x * y / 900)]
    pixels = np.stack([127.5 + 127 * w for w in waves], axis=-1)
    pixels[40:90, 200:300] = (220, 30, 30)
    return pixels.astype(np.uint8)


def normalise(vectors: NDArray[np.floating]) -> Array:
    """Rows of (n, d) divided by their L2 norm; rows of zeros stay zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Array = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return unit


def _same(a: NDArray[np.float16], b: NDArray[np.float16]) -> bool:
    if a.shape != b.shape:
        return False
    x, y = a.astype(np.float64), b.astype(np.float64)
    return bool(x @ y >= SAME * np.linalg.norm(x) * np.linalg.norm(y))


def _pack(values: NDArray[np.float16]) -> str:
    return base64.b64encode(values.astype("<f2").tobytes()).decode()


def _unpack(name: str, text: JsonValue) -> NDArray[np.float16]:
    values = np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(np.float16)
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"{name!r} holds no numbers, or some that are not finite")
    return values


def _spec(name: JsonValue) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise ValueError("'spec' is not the name of an encoder")
    return name
