"""What tells the epochs of a generator apart: how good its texts about validation pictures are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ravl.evaluation.generation.quality import Quality
from ravl.models.generation.base import Decoding, Generator
from ravl.tasks.caption.dataset import TextFitData
from ravl.tasks.caption.predictor import TextPredictor

WATCHED = 600  # validation pictures that are described after each epoch


def validation_of(
    data: TextFitData,
    generator: Generator,
    quality: Quality,
    retrieval: bool,
    report: Callable[[float], None] | None,
) -> Callable[[], float]:
    """A function: how good greedy texts about some validation pictures are.

    Args:
        data: to judge on.
        generator: as it will be then.
        quality: of its texts.
        retrieval: whether it is shown neighbours.
        report: called with each score.
    """
    side = data.validation
    if len(side) > WATCHED:
        random = np.random.default_rng(data.settings.seed)
        side = side.take(np.sort(random.choice(len(side), WATCHED, replace=False)))
    predictor = TextPredictor(
        data.task,
        data.keys,
        data.vote,
        generator=generator,
        standard=data.standard,
        quotes=data.settings.quotes,
    )
    index = data.index if retrieval else None
    recalled = data.recalled(side) if retrieval else None
    requests = predictor.requests(
        side.pictures,
        index,
        side.neighbours if retrieval else None,
        recalled,
        opens=data.memory.picture,
    )
    greedy = Decoding(num_beams=1)

    def validate() -> float:
        written = [found[0].text for found in generator(requests, greedy)]
        score = float(quality(written, side.texts).mean())
        if report is not None:
            report(score)
        return score

    return validate
