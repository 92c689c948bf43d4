"""The report of a hyperparameter search: progress, importance, and all trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ravl.evaluation import is_percent
from ravl.pages.charts import Points, line_chart
from ravl.pages.render import render
from ravl.pages.score_words import measure_name

TRIALS = 50  # trials shown at once


@dataclass(frozen=True, slots=True)
class TrialLine:
    """One trial.

    Args:
        number: its number in the search.
        state: "complete", "pruned", "failed".
        score: on the validation split; None without a score.
        seconds: its time.
        parameters: its settings.
    """

    number: int
    state: str
    score: float | None
    seconds: float
    parameters: Mapping[str, str]


def tune_report(
    title: str,
    about: Sequence[tuple[str, str]],
    trials: Sequence[TrialLine],
    importances: Sequence[tuple[str, float]],
    best: int | None,
    measure: str,
    history: Points,
    percent: frozenset[str] | None = None,
) -> str:
    """A self-contained HTML page.

    Args:
        title: of the page.
        about: names and values: task, data and time.
        trials: in the order of the page.
        importances: importance of each parameter, as shares; in any order.
        best: number of the best trial.
        measure: the name of the score.
        history: (number of the trial, best score so far).
        percent: names of measures that are shares. Default: those that the metrics say.
    """
    share = is_percent(measure) if percent is None else measure in percent
    names = dict.fromkeys(name for trial in trials for name in trial.parameters)
    scored = [(float(trial.number), trial.score) for trial in trials if trial.score is not None]
    return render(
        "tune_report.html",
        title=title,
        about=about,
        first=trials[:TRIALS],
        rest=trials[TRIALS:],
        names=list(names),
        importances=sorted(importances, key=lambda pair: -pair[1]),
        best=next((trial for trial in trials if trial.number == best), None),
        measure=measure_name(measure),
        share=share,
        chart=line_chart([("best so far", _steps(history))], "trial", share, scored),
    )


def _steps(history: Points) -> Points:
    """Points of a step line: the best score stays until a better one comes."""
    corners = [(later[0], earlier[1]) for earlier, later in pairwise(history)]
    rest = [point for pair in zip(corners, history[1:], strict=True) for point in pair]
    return [*history[:1], *rest]
