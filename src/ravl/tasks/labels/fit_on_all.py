"""What was chosen, fitted once more on training and validation examples together.

Choosing needs examples that were not learned from; answering does not. The test split stays apart.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ravl.models.linear import HeadFit, LinearHead
from ravl.retrieval.datastore import Datastore
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.labels.choose import Fitted
from ravl.tasks.labels.choosing_examples import train_plus_validation
from ravl.tasks.labels.dataset import FitData, Split, rows_with_target, searching, seen_by
from ravl.tasks.labels.keys.whitened import with_scores
from ravl.tasks.labels.keys.whitening import DIRECTIONS, Whitening
from ravl.tasks.labels.memory_size import known_counts
from ravl.training.evidence_bank import evidence_rows


def fit_on_all(data: FitData, fitted: Fitted) -> tuple[FitData, Fitted]:
    """Keys, class means and the linear head from all examples that are not for testing.

    Fusion models and tuned towers stay as they are, and so does what stands on neighbours that were
    reranked: these were trained on the training split's own evidence.

    Returns:
        The data whose test split is looked up in the larger memory; its training and validation
        parts are no longer to be judged by.
    """
    if fitted.chosen == "fusion" or fitted.tower is not None:
        return data, fitted
    if data.second is not None or fitted.joint is not None:
        return data, fitted
    both = train_plus_validation(data)
    datastore = evidence_rows(data.memory, [data.test.examples], data.task)
    keys = keys_from(data, datastore, both)
    found = replace(data, datastore=searching(datastore, keys), keys=keys)
    found = replace(found, test=_looked_up(found, data.test))
    levels = dict(fitted.levels)
    for name in ("vote", "linear"):
        if name in levels:
            levels[name] = replace(levels[name], keys=keys)
    linear = levels.get("linear")
    if linear is not None and linear.head is not None:
        gate = replace(linear.gate, counts=known_counts(found))
        levels["linear"] = replace(
            linear, head=head_from(data, both, fitted, linear.head), gate=gate
        )
    return found, replace(fitted, levels=levels)


def _looked_up(data: FitData, side: Split) -> Split:
    """A part with its neighbours and scores in the data's own memory."""
    speaking = rows_with_target(data.datastore, data.task)
    neighbours, wide = seen_by(side.examples, data.keys, data.datastore, speaking, data.settings.k)
    found = replace(side, neighbours=neighbours, wide=wide)
    if data.shrinkage is None:
        return replace(found, scores=None)
    return with_scores(data, found, data.task.table(data.datastore.rows, data.labels))


def keys_from(data: FitData, datastore: Datastore, some: Split) -> KeyProjection:
    """The keys of the fit, whitened by some examples where they are whitened.

    Args:
        data: that was fitted on.
        datastore: rows that will be searched.
        some: the examples.
    """
    if data.shrinkage is None:
        return data.keys
    principal = KeyProjection.of(datastore.features, DIRECTIONS)
    whitening = Whitening.of(principal, some.queries.seen, some.targets)
    return whitening.with_shrinkage(data.shrinkage)


def head_from(data: FitData, some: Split, fitted: Fitted, chosen: LinearHead) -> LinearHead:
    """The head of some examples, with the weight decay that was chosen."""
    x, y = some.queries.seen, some.targets
    standard = data.task.standard(x)
    if fitted.unlabelled is not None:
        features, targets = fitted.unlabelled.lesson(x, y, data.loss)
        x, y = np.vstack([x, features]), np.vstack([y, targets])
    return HeadFit(x, y, data.loss, standard).down_to(chosen.decay)
