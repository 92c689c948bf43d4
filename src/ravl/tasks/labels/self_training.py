"""Self-training in a fit: the memory's pictures without a label teach the linear head.

What two unlike models say is learned as if a person had said it: the head that the labelled
pictures teach, and label propagation (agreement of two views: Blum & Mitchell 1998, "Combining
Labeled and Unlabeled Data with Co-Training"). One round is enough: in more rounds the head agrees
with itself. It is used where held-out examples are clearly likelier for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ravl.encoders.base import Array
from ravl.json_types import JsonObject
from ravl.models.gate import probabilities
from ravl.models.held_out import losses_of, temperature_of
from ravl.models.linear import HeadFit, LinearHead, Loss
from ravl.models.propagation import propagate
from ravl.retrieval.datastore import Ints
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.labels.choosing_examples import choosing_split
from ravl.tasks.labels.dataset import FitData, rows_with_target
from ravl.tasks.labels.head import fit_head

FEWEST, LEAST_SHARE = 20, 0.1  # unlabelled rows, of all, from which it is tried
MOST = 10_000  # of them that are looked at


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """The memory's pictures without a label.

    Args:
        features: (m, F).
        keys: by which they are compared with the labelled ones.
        decay: weight decay of the head that labels them.
    """

    features: Array
    keys: KeyProjection
    decay: float

    @classmethod
    def of(cls, data: FitData, decay: float) -> Unlabelled | None:
        """Those of the memory of a fit; None where they are too few, or cannot teach.

        Tags have no one label that two models could agree on, a fine-tuned tower has seen none of
        these pictures, and rows of questions are no pictures.
        """
        keys, task = data.keys, data.task
        if data.settings.self_training == "no" or not task.exclusive or task.asks:
            return None
        if type(keys) is not KeyProjection or data.tuned:
            return None
        silent = np.flatnonzero(~rows_with_target(data.datastore, task))
        if len(silent) < max(FEWEST, LEAST_SHARE * len(data.datastore)):
            return None
        silent = silent[:: -(-len(silent) // MOST)]
        return cls(data.datastore.features[silent], keys, decay)

    def lesson(self, features: Array, targets: Array, loss: Loss) -> tuple[Array, Array]:
        """Features (k, F) and targets (k, C) of those that two models label alike.

        Args:
            features: of the labelled examples that the models learn from, (n, F).
            targets: (n, C).
            loss: of the head.
        """
        logits = HeadFit(features, targets, loss).down_to(self.decay)(self.features)
        keys = self.keys(np.vstack([features, self.features]))
        shares = propagate(keys, np.vstack([targets, np.zeros_like(logits)]))[0][len(features) :]
        first = logits.argmax(1)
        same = (shares.argmax(1) == first) & shares.any(1)
        return self.features[same], np.eye(logits.shape[1], dtype=np.float32)[first[same]]


@dataclass(frozen=True, eq=False)
class SelfTraining:
    """What learning from unlabelled pictures came to.

    Args:
        unlabelled: the pictures.
        learned: how many of them two models label alike.
        gain: what it takes from the log loss of held-out examples.
        error: the standard error of the gain.
    """

    unlabelled: Unlabelled
    learned: int
    gain: float
    error: float

    @property
    def kept(self) -> bool:
        """Whether it helps by more than its standard error."""
        return self.gain > self.error

    def note(self) -> str:
        """A sentence for people."""
        count = len(self.unlabelled.features)
        what = f"log loss of held-out pictures {-self.gain:+.3f} (standard error {self.error:.3f})"
        if not self.kept:
            return (
                f"The {count:,} pictures without a label were tried as a lesson for the model: "
                f"{what}. That is no clear gain; they are not used."
            )
        return (
            f"{self.learned:,} of {count:,} pictures without a label taught the model, with the "
            f"label that two models agree on: {what}."
        )

    def to_json(self) -> JsonObject:
        """For ``metrics.json``."""
        return {
            "unlabelled": len(self.unlabelled.features),
            "learned": self.learned,
            "log_loss_gain": round(self.gain, 4),
            "standard_error": round(self.error, 4),
            "kept": self.kept,
        }


def self_trained(
    data: FitData, head: LinearHead, logits: Array
) -> tuple[LinearHead, Array, SelfTraining | None]:
    """The head that also learned from unlabelled pictures, where that is clearly better.

    Args:
        data: to fit on, with plain keys.
        head, logits: see :func:`ravl.tasks.labels.head.fit_head`.

    Returns:
        Head and logits, these or better ones, and what was tried; None for nothing.
    """
    unlabelled = Unlabelled.of(data, head.decay)
    if unlabelled is None:
        return head, logits, None
    x, y, learned = data.train.queries.seen, data.train.targets, [0]

    def more(some: Ints) -> tuple[Array, Array]:
        found = unlabelled.lesson(x[some], y[some], data.loss)
        learned.append(len(found[0]))
        return found

    again, found = fit_head(data, more)
    less = _losses(data, logits) - _losses(data, found)
    error = float(less.std() / np.sqrt(max(len(less), 1)))
    gain = float(less.mean()) if len(less) else 0.0
    tried = SelfTraining(unlabelled, learned[-1], gain, error)
    return (again, found, tried) if tried.kept else (head, logits, tried)


def _losses(data: FitData, logits: Array) -> Array:
    """Of the examples that choose, each with the temperature under which all are likeliest."""
    side, exclusive = choosing_split(data), data.task.exclusive
    some = logits[-len(side) :]
    warmth = temperature_of(some, side.targets, exclusive)
    return losses_of(probabilities(some / warmth, exclusive), side.targets, exclusive)
