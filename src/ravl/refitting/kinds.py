"""What a refit of each task has of its own: what rows say, how it is fitted, how it is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ravl.memory import Row
from ravl.tasks.caption.settings import TextSettings
from ravl.tasks.fit import kept_settings
from ravl.tasks.model import Model
from ravl.tasks.registry import of_run
from ravl.training.examples import Examples
from ravl.training.fit_settings import FitSettings
from ravl.training.paired_results import PairedResults


@dataclass(frozen=True, eq=False)
class Kind:
    """How runs of a task are fitted again.

    Args:
        task: its name.
        settings: of the run.
        start: the labeller, matcher or captioner that answers so far.
        says: what a row says for the task; empty for nothing.
        told: the same in words, with what was asked.
        fit: the function that fits it: of memory, folder and settings.
        examine: lets champion and challenger answer the same pictures; the last is a seed.
        stratum: what drawn parts have alike.
        names: what rows say are names out of a list, worth counting.
    """

    task: str
    settings: FitSettings | TextSettings
    start: Any
    says: Callable[[Row], Sequence[str]]
    told: Callable[[Row], str]
    fit: Callable[..., Any]
    examine: Callable[[Model, Model, Examples, int], PairedResults]
    stratum: Callable[[Row], str] = lambda _: ""
    names: bool = False


def kind_of(model: Model) -> Kind:
    """How a run is fitted again.

    Args:
        model: the run, which must be one.

    Raises:
        DataError: its settings are missing or damaged.
    """
    assert model.run is not None
    name, predictor = model.run.task, model.predictor
    task = of_run(model.run)
    settings: Any = kept_settings(task, model.run.folder / "settings.yaml")
    if hasattr(predictor, "labeller"):
        return _labels(name, settings, predictor, task.fit)
    return (
        _pairs(settings, predictor, task.fit)
        if name == "match"
        else _texts(name, settings, predictor, task.fit)
    )


def _labels(name: str, settings: Any, predictor: Any, fit: Any) -> Kind:
    from ravl.tasks.labels.compare import examine_labels

    task = predictor.labeller.task

    def told(row: Row) -> str:
        return asked(row) if name == "ask" else ", ".join(sorted(task.of(row)))

    return Kind(
        name,
        settings,
        predictor.labeller,
        task.of,
        told,
        fit,
        examine_labels,
        task.stratum,
        names=True,
    )


def _pairs(settings: Any, predictor: Any, fit: Any) -> Kind:
    from ravl.tasks.match.compare import examine_pairs
    from ravl.tasks.match.dataset import readable

    says = partial(readable, predictor.matcher.task, predictor.base)
    return Kind(
        "match",
        settings,
        predictor.matcher,
        says,
        lambda row: " / ".join(says(row)),
        fit,
        examine_pairs,
    )


def _texts(name: str, settings: Any, predictor: Any, fit: Any) -> Kind:
    from ravl.tasks.caption.compare import examine_texts

    says = predictor.task.of
    if name == "ask":
        return Kind(name, settings, predictor.fitted, says, asked, fit, examine_texts)
    return Kind(
        name,
        settings,
        predictor.fitted,
        says,
        lambda row: " / ".join(says(row)),
        fit,
        examine_texts,
    )


def asked(row: Row) -> str:
    """All questions about a picture, with their answers."""
    return " / ".join(f"{qa.question} {', '.join(qa.answers)}" for qa in row.qa)
