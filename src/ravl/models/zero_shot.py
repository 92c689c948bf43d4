"""Zero-shot: labels by their names alone, without training and without a memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ravl.encoders import Encoder
from ravl.encoders.base import Array, normalise
from ravl.errors import DataError
from ravl.models.gate import probabilities

TEMPLATES = ("a photo of a {}", "a picture of {}", "{}")
SHARPNESS = 20.0  # what cosines are multiplied by before the softmax


def label_vectors(
    encoder: Encoder, labels: Sequence[str], templates: Sequence[str] = TEMPLATES
) -> Array:
    """One vector per label, (C, d): the mean of its name in all templates (Radford et al. 2021).

    Args:
        encoder: the encoder of the texts.
        labels: names; underscores are read as spaces.
        templates: each with one ``{}`` for the name.

    Raises:
        DataError: a template has no ``{}``, or there is none.
    """
    if not templates:
        raise DataError("There is no template to put labels in. Give one, such as 'a photo of {}'.")
    if bad := [t for t in templates if t.count("{}") != 1]:
        raise DataError(
            f"The template {bad[0]!r} must hold {{}} once, for the label's name, as in "
            "'a photo of {}'."
        )
    names = [label.replace("_", " ") for label in labels]
    texts = [template.replace("{}", name) for name in names for template in templates]
    vectors = encoder.embed_texts(texts)
    return normalise(vectors.reshape(len(names), len(templates), -1).mean(1))


def zero_shot(vectors: Array, labels: Array, exclusive: bool) -> Array:
    """Probabilities (n, C) by cosine; useful as a ranking, not calibrated.

    Args:
        vectors: of the pictures, (n, d).
        labels: what :func:`label_vectors` gives, (C, d).
        exclusive: True for one label a picture, False for tags.
    """
    scores = SHARPNESS * (vectors @ labels.T)
    if not exclusive:  # the probability of a tag depends on its lead over the other tags
        scores = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(probabilities(scores, exclusive), np.float32)
