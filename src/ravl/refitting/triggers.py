"""What a refit may wait for."""

from __future__ import annotations

from typing import Any

from ravl.refitting.news import News
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

    Too few pictures are no drift.

    Args:
        model: the run.
        since: version of the memory after which they came in.

    Raises:
        DataError: the run does not know what pictures were like when it was fitted.
    """
    from ravl.drift import detect_drift
    from ravl.drift.report import FEWEST

    memory = model.memory
    added = {each.id for each in memory.diff(since) if each.before is None}
    rows = [row for row in memory.rows() if row.hash is not None and row.id in added][-MOST:]
    pictures = [memory.picture_bytes(row) for row in rows]
    return len(pictures) >= FEWEST and detect_drift(model, pictures, progress=False).drifted
