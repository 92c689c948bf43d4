"""The examples by which is chosen, none of which saw itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ravl.tasks.labels.dataset import FitData, Split
from ravl.tasks.labels.predictor import Queries

NAMED = 100  # examples of a named validation split that are enough to choose by


def train_plus_validation(data: FitData) -> Split:
    """Training and validation examples one after the other: what is chosen by."""
    a, b = data.train, data.validation
    examples = replace(
        a.examples,
        rows=[*a.examples.rows, *b.examples.rows],
        features=np.vstack([a.examples.features, b.examples.features]),
        groups=np.concatenate([a.examples.groups, b.examples.groups]),
        shown=[*a.examples.shown, *b.examples.shown],
    )
    return Split(
        examples,
        Queries(examples.features),
        np.vstack([a.targets, b.targets]),
        a.neighbours.concat(b.neighbours),
        a.wide.concat(b.wide),
        None if a.scores is None or b.scores is None else np.vstack([a.scores, b.scores]),
    )


def choosing_split(data: FitData) -> Split:
    """The examples that choose: training and validation, each without itself.

    A validation split that the user named chooses alone: it is as hard as use will be, which
    pictures of the training split may not be, such as those of one burst. A fine-tuned tower has
    learned the labels of the training split: there, too, validation chooses alone.
    """
    if data.tuned:
        return data.validation
    if data.splits.named_validation and len(data.validation) >= NAMED:
        return data.validation
    return train_plus_validation(data)
