"""Fitting and judging any task."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravl.errors import DataError
from ravl.memory import Memory
from ravl.tasks.search.settings import RetrieverReport, RetrieverSettings

if TYPE_CHECKING:
    from ravl.data import ColumnNames
    from ravl.training.fit_report import FitReport
TASKS = ("search", "classify", "tag", "match", "caption", "ask")


def fit(
    task: str,
    memory: Memory | str | Path,
    *,
    out: str | Path,
    data: str | Path | None = None,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    columns: ColumnNames | None = None,
    root: str | Path | None = None,
    config: str | Path | None = None,
    progress: bool | None = None,
    command: str = "",
    **settings: Any,
) -> RetrieverReport | FitReport:
    """Train on a memory, and report what it gained.

    Safe to interrupt: the same call goes on where it stopped.

    Args:
        task: ``"search"`` trains the retriever; ``"classify"``, ``"tag"``, ``"match"``,
            ``"caption"`` and ``"ask"`` fit a model that answers with the memory's help.
        memory: or the path of its file.
        out: folder for the run: new, or of this very fit that was interrupted.
        data: a table or folder of labelled pictures (see :func:`ravl.data.read`); its training
            part becomes part of the memory. None for what the memory itself says. Not for search.
        validation, test: tables, or filters that name the pictures held out, such as
            ``'split = "test"'``; by default as a column ``split`` says, else some are drawn.
        columns: what the tables' columns are called.
        root: the folder that the tables' pictures lie in; None for each table's own.
        config: a YAML file of settings; what is given here besides goes before it.
        progress: show bars; None shows them on a terminal.
        command: to be noted in the run; None notes the process's own.
        **settings: fields of :class:`ravl.training.fit_settings.FitSettings`, for search of
            :class:`RetrieverSettings`, for caption of
            :class:`ravl.tasks.caption.settings.TextSettings`, and for ask of
            :class:`ravl.tasks.ask.settings.AskSettings`.

    Returns:
        :class:`ravl.tasks.labels.fit.FitReport`, or for search :class:`RetrieverReport`.

    Raises:
        DataError: no such task or setting, too little to learn from, or a folder of another run.
        RavlError: the loss is no longer a number.
    """
    if task not in TASKS:
        raise DataError(f"There is no task {task!r} to train; there are: {', '.join(TASKS)}.")
    if not isinstance(memory, Memory):
        with Memory.open(memory) as opened:
            return fit(
                task,
                opened,
                out=out,
                data=data,
                validation=validation,
                test=test,
                columns=columns,
                root=root,
                config=config,
                progress=progress,
                command=command,
                **settings,
            )
    kind = settings_of(task)
    if config is not None:
        from ravl.training.fit_settings import read_settings

        settings = {**read_settings(Path(config), kind), **settings}
    allowed = [f.name for f in fields(kind)]
    if unknown := [name for name in settings if name not in allowed]:
        raise DataError(
            f"There is no setting {unknown[0]!r}; there are: {', '.join(allowed)}. The shares of "
            "validation and test are validation_share and test_share."
        )
    if task == "search":
        if data is not None:
            raise DataError("The retriever learns from the memory itself; leave out data.")
        from ravl.tasks.search.fit import fit_retriever  # imports torch

        return fit_retriever(
            memory,
            out,
            RetrieverSettings(**settings),
            progress=progress,
            validation=_text(validation),
            test=_text(test),
        )
    fit_one: Any
    if task == "ask":
        from ravl.tasks.ask.settings import completed

        settings = completed(settings)
    made = kind(**settings)
    if task == "match":
        from ravl.tasks.match.fit import fit_match as fit_one
    elif task == "caption":
        from ravl.tasks.caption.fit import fit_caption as fit_one
    elif task == "ask" and made.answers == "open":
        from ravl.tasks.ask.fit_open import fit_open as fit_one
    else:
        from functools import partial

        from ravl.tasks.labels.fit import fit_labels

        fit_one = partial(fit_labels, task)
    report: FitReport = fit_one(
        memory,
        Path(out),
        made,
        data=data,
        validation=validation,
        test=test,
        columns=columns,
        root=root,
        progress=progress,
        command=command,
    )
    return report


def settings_of(task: str) -> Any:
    """The class of a task's settings."""
    if task == "search":
        return RetrieverSettings
    if task == "caption":
        from ravl.tasks.caption.settings import TextSettings

        return TextSettings
    if task == "ask":
        from ravl.tasks.ask.settings import AskSettings

        return AskSettings
    from ravl.training.fit_settings import FitSettings

    return FitSettings


def evaluate(run: Any, data: str | Path, **options: Any) -> dict[str, Any]:
    """Judge a fitted run on new pictures; by :mod:`ravl.tasks.labels.evaluate`."""
    from ravl.tasks.labels.evaluate import evaluate_run

    return evaluate_run(run, data, **options)


def _text(part: str | Path | None) -> str | None:
    return None if part is None else str(part)
