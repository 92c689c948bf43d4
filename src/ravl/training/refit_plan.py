"""Fitting once more: what a first fit leaves for it, and what it hands to the second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ravl.memory import Memory
from ravl.runs.learned import SPLIT_FILE
from ravl.runs.run import write_json
from ravl.training.examples import Examples, remember
from ravl.training.splits import SPLIT_NAMES, Splits

if TYPE_CHECKING:
    from torch import nn

HELD = "held.ravl"  # pictures of a table that the run's memory does not show
SLOWER = 0.3  # of the learning rate, where the weights have learned already


@dataclass(frozen=True, eq=False)
class RefitPlan:
    """A fit whose parts are known beforehand.

    Args:
        examples: the examples.
        splits: of them.
        digest: of both, so that an interrupted fit goes on with the same ones only.
        start: the predictor that answers so far; what is trained by gradient
            descent begins with its weights.
    """

    examples: Examples
    splits: Splits
    digest: str
    start: object


def copy_weights(model: nn.Module, old: nn.Module, but: tuple[str, ...] = ()) -> None:
    """Begin with what another network of its kind has learned, where names and shapes fit.

    Args:
        model: the new network, changed in place.
        old: that has learned.
        but: beginnings of names that are left as they are.
    """
    own = model.state_dict()  # shares its memory with the network
    for name, tensor in old.state_dict().items():
        if name in own and own[name].shape == tensor.shape and not name.startswith(but):
            own[name].copy_(tensor)


def keep_splits(out: Path, memory: Memory, examples: Examples, splits: Splits) -> None:
    """Write down which picture was in which part, and keep those that the memory does not show.

    Args:
        out: the run's folder.
        memory: of the run.
        examples: all that was learned from and judged by.
        splits: of them.
    """
    its = {name: examples.take(getattr(splits, name)) for name in SPLIT_NAMES}
    ids = {name: [row.id for row in part.rows] for name, part in its.items()}
    hashes = {name: [row.hash for row in part.rows] for name, part in its.items()}
    write_json(out / SPLIT_FILE, {"how": splits.how, **ids, "hashes": hashes})
    (out / HELD).unlink(missing_ok=True)
    if examples.source is memory:
        return
    shown = memory.rows_by_picture_hash()
    with Memory.create(out / HELD, memory.encoder) as held:
        for part in its.values():
            missing = np.flatnonzero([row.hash not in shown for row in part.rows])
            remember(held, part.take(missing), "keep what is held out", lambda row: row.id)
