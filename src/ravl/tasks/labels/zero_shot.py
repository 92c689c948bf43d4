"""Zero-shot answers: label names in, labels out; nothing is fitted and no row is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ravl.encoders import Encoder
from ravl.encoders.base import Array
from ravl.errors import QueryError
from ravl.memory import Picture
from ravl.models.zero_shot import TEMPLATES, label_vectors, zero_shot
from ravl.retrieval.query import open_pictures
from ravl.runs.answers import Classification, Tagging
from ravl.tasks.labels.predictor import best_of

NEARLY = 0.3  # a tag is given from here on; the likeliest one has 0.5


def by_name(
    encoder: Encoder,
    pictures: Sequence[Picture | str],
    labels: Sequence[str],
    *,
    templates: Sequence[str] = TEMPLATES,
    exclusive: bool = True,
) -> list[Classification] | list[Tagging]:
    """Label pictures by the names of the labels alone.

    Use it before there is anything to fit to; the confidence orders answers and is not calibrated.

    Args:
        encoder: of a memory, or from :func:`ravl.load_encoder`.
        pictures: paths, bytes or PIL pictures.
        labels: at least two names.
        templates: texts around a name, each with one ``{}``.
        exclusive: True for one label a picture, False for the tags that stand out.

    Raises:
        QueryError: fewer than two labels.
        DataError: a template without ``{}``.
        PictureError: a picture cannot be read.
    """
    names = list(dict.fromkeys(name.strip() for name in labels if name.strip()))
    if len(names) < 2:
        raise QueryError(f"There are {len(names)} label names; give at least two to choose among.")
    if not pictures:
        return []
    opened = open_pictures(pictures, encoder.picture_size)
    vectors = encoder.embed_pictures(opened)  # (n, d)
    found = zero_shot(vectors, label_vectors(encoder, names, templates), exclusive)  # (n, C)

    def common(line: Array) -> dict[str, Any]:
        scores = best_of(names, line)
        return {
            "confidence": float(line.max()),
            "abstained": False,
            "gate": 0.0,
            "scores": scores,
            "memory": {},
            "model": scores,
        }

    if exclusive:
        return [Classification(label=names[int(line.argmax())], **common(line)) for line in found]
    return [
        Tagging(
            tags=tuple(names[j] for j in np.argsort(-line, kind="stable") if line[j] >= NEARLY),
            **common(line),
        )
        for line in found
    ]
