"""A caption without any training or memory: the name of what the encoder sees."""

from __future__ import annotations

from ravl.encoders import Encoder
from ravl.encoders.base import Array
from ravl.encoders.builtin_parts import class_names
from ravl.models.zero_shot import label_vectors, zero_shot

TEMPLATE = "a photo of {}"


def named(encoder: Encoder, features: Array) -> list[str]:
    """One text for each picture: the likeliest of ImageNet's thousand classes, in a template.

    What a pretrained dual encoder can say by itself; it knows no sentences.

    Args:
        encoder: pretrained.
        features: of the pictures' frozen tower, (n, F).
    """
    names = class_names()
    vectors = label_vectors(encoder, names, (TEMPLATE,))
    found = zero_shot(encoder.project(features), vectors, exclusive=True).argmax(1)
    return [TEMPLATE.format(names[i]) for i in found.tolist()]
