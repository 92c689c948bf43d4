"""What a refit may wait for."""

from __future__ import annotations

from typing import Any

import numpy as np

from ravl.refitting.news import News
from ravl.tasks.known_rows import answers_to_rows
from ravl.tasks.model import Model

MOST = 1000  # pictures, the last that came in, by which drift is told


def waits_for(
    model: Model, news: News, attempts: list[dict[str, Any]], if_new: int, if_drift: bool
) -> str | None:
    """Why there is no refit yet, in a sentence; None where there shall be one.

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
        labelled = len(news.fresh) + len(news.changed)
        labelled -= sum(attempts[-1][name] for name in ("new", "changed")) if attempts else 0
        if labelled >= if_new:
            return None
        reasons.append(f"{max(labelled, 0):,} pictures were labelled since, fewer than {if_new:,}")
    if if_drift:
        if has_drifted(model, news.since):
            return None
        reasons.append("the pictures that come in are like those before")
    return f"Not yet: {', and '.join(reasons)}." if reasons else None


def has_drifted(model: Model, since: int) -> bool:
    """Whether the pictures that came in differ from those that a run was fitted for.

    Too few pictures are no drift. What the memory keeps of them tells, so that none is looked at
    anew, unless the run has a tower of its own.

    Args:
        model: the run.
        since: version of the memory after which they came in.

    Raises:
        QueryError: it was fitted for a task that knows no drift.
        DataError: the run does not know what pictures were like when it was fitted.
    """
    from ravl.drift.comparing import label_model
    from ravl.drift.reference import read_reference
    from ravl.drift.report import FEWEST, compare_signals
    from ravl.drift.signals import Signals

    labels, memory = label_model(model), model.memory
    added = {each.id for each in memory.diff(since) if each.before is None}
    if len(added) < FEWEST:
        return False
    bank = labels.labeller.task.bank(memory, labels.labeller.keys)
    chosen = np.array([i for i, row in enumerate(bank.rows) if row.id in added], np.int64)[-MOST:]
    if len(chosen) < FEWEST:
        return False
    now = Signals.of(answers_to_rows(labels, bank, chosen))
    return compare_signals(read_reference(labels.run.folder).signals, now).drifted
