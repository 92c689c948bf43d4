"""What a refit may wait for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ravl.json_types import JsonObject
from ravl.refitting.memory_changes import MemoryChanges
from ravl.tasks.model import Model
from ravl.training.examples import read_labelled

MOST = 1000  # pictures, the last that came in, that drift is measured on


def waits_for(
    model: Model, news: MemoryChanges, attempts: list[JsonObject], if_new: int, if_drift: bool
) -> str | None:
    """Why there is no refit yet, in a sentence; None where a refit is due.

    Where both triggers are asked for, either one is enough.

    Args:
        model: the champion.
        news: since it was fitted.
        attempts: to refit this champion so far.
        if_new: pictures that must have been labelled since the last of them; 0 for any number.
        if_drift: the pictures that come in must have drifted.
    """
    reasons = []
    if if_new:
        examples = len(news.fresh) + len(news.changed)
        examples -= sum(attempts[-1][name] for name in ("new", "changed")) if attempts else 0
        if examples >= if_new:
            return None
        reasons.append(f"{max(examples, 0):,} pictures were labelled since, fewer than {if_new:,}")
    if if_drift:
        if has_drifted(model, news.since):
            return None
        reasons.append("the pictures that come in are like those before")
    return f"Not yet: {', and '.join(reasons)}." if reasons else None


def has_drifted(model: Model, since: int) -> bool:
    """Whether the pictures that came in differ from those that a run was fitted for.

    Each is asked about with its own text or question, where the task takes one, and none of them
    is evidence: what came in is compared with the memory as it was. What it keeps of them tells, so
    that none is looked at anew, unless the run looks closer or has a tower of its own. Too few
    pictures are no drift.

    Args:
        model: the run.
        since: version of the memory after which they came in.

    Raises:
        QueryError: it is a memory without a run.
        DataError: the run does not know what pictures were like when it was fitted.
    """
    from ravl.drift.comparing import fitted
    from ravl.drift.report import FEWEST, compare_signals
    from ravl.runs.drift_reference import read_reference
    from ravl.runs.signals import Signals
    from ravl.tasks.reference import answers_to, askable

    folder, memory, asks = fitted(model).folder, model.memory, askable(model)
    added = {each.id for each in memory.diff(since) if each.before is None}
    news = np.array([r.group for r in memory.rows() if r.id in added], np.int64)
    came = read_labelled(memory, memory, lambda row: asks(row) if row.id in added else ())
    came = replace(came, shown=[news] * len(came)).take(np.arange(len(came))[-MOST:])
    if len(came) < FEWEST:
        return False
    known = read_reference(folder)
    answers = answers_to(model, came)
    return len(answers) >= FEWEST and compare_signals(known.signals, Signals.of(answers)).drifted
