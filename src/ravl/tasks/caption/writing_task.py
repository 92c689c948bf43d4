"""What fits of tasks that write have each of their own; all else is the same for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ravl.evaluation.generation.quality import Quality, QualityBar
from ravl.memory import Memory
from ravl.runs.row_texts import base_of
from ravl.tasks.caption.dataset import TextFitData
from ravl.tasks.caption.targets import CaptionTargets
from ravl.tasks.caption.zero_shot import named
from ravl.training.text_settings import TextSettings

Texts = Sequence[Sequence[str]]


def named_pictures(data: TextFitData) -> list[str]:
    """What the pretrained encoder can say of the test pictures: see :func:`named`."""
    return named(base_of(data.memory.encoder), data.test.examples.features)


@dataclass(frozen=True, eq=False)
class WritingTask:
    """What the fit of a task that writes has of its own.

    Args:
        task: of a memory, for these settings.
        about: what the task is, in words.
        zero_shot: texts about the test split by what is pretrained, without the memory.
        quality: of texts, from those of each training example.
        good: what counts as good, from the quality and the texts of each validation example.
        ready: what is done to the data before anything is fitted.
        blind: the data with no picture to be seen, for the row that only reads the question;
            None for a task without questions.
        fits: whether a dual encoder is trained that tells how well texts fit pictures.
        titles: of rows of the report that are called otherwise, and what each is.
        measure: the metric that a search for settings compares by.
        score: that metric, from the quality of each text and the least quality of a good one.
        groups: of its examples: what is good, and what is not.
    """

    task: Callable[[Memory, TextSettings], CaptionTargets]
    about: str = "a text about a picture"
    zero_shot: Callable[[TextFitData], list[str]] = named_pictures
    quality: Callable[[Texts], Quality] = Quality.of
    good: Callable[[Quality, Texts], QualityBar] = QualityBar.of
    ready: Callable[[TextFitData], TextFitData] | None = None
    blind: Callable[[TextFitData], TextFitData] | None = None
    fits: bool = True
    titles: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    measure: str = "CIDEr-D"
    score: Callable[[NDArray[np.floating], float], float] = lambda rated, least: float(rated.mean())  # noqa: ARG005
    groups: tuple[tuple[str, str], tuple[str, str]] = (
        ("Good", "as good as people's own texts, save the weakest quarter"),
        ("Not good", "the others"),
    )


CAPTION = WritingTask(lambda _, settings: CaptionTargets(settings.target or None))
