"""Training on a memory's own pictures and texts; so far of the retriever."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from ravl.errors import DataError
from ravl.memory import Memory
from ravl.training.settings import RetrieverReport, RetrieverSettings

__all__ = ["RetrieverReport", "RetrieverSettings", "fit"]

TASKS = ("search",)


def fit(
    task: str, memory: Memory | str | Path, *, out: str | Path, validation: str | None = None,
    test: str | None = None, progress: bool | None = None, **settings: Any,
) -> RetrieverReport:  # fmt: skip
    """Train on a memory.

    Args:
        task: ``"search"`` trains the retriever; see
            :func:`ravl.training.retriever.fit_retriever`.
        memory: or the path of its file.
        out: folder for the run.
        validation, test: filters that name the pictures held out; by default some are drawn.
        progress: show bars; None shows them on a terminal.
        **settings: fields of :class:`RetrieverSettings`.

    Raises:
        DataError: no such task or setting, or too little to learn from.
    """
    if task not in TASKS:
        raise DataError(f"There is no task {task!r} to train; there is: {', '.join(TASKS)}.")
    allowed = [f.name for f in fields(RetrieverSettings)]
    if unknown := [name for name in settings if name not in allowed]:
        raise DataError(
            f"There is no setting {unknown[0]!r}; there are: {', '.join(allowed)}. The shares of "
            "validation and test are validation_share and test_share."
        )
    from ravl.training.retriever import fit_retriever  # imports torch

    if isinstance(memory, Memory):
        return fit_retriever(
            memory, out, RetrieverSettings(**settings),
            validation=validation, test=test, progress=progress,
        )  # fmt: skip
    with Memory.open(memory) as opened:
        return fit(
            task, opened, out=out, validation=validation, test=test, progress=progress, **settings
        )
