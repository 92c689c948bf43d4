"""The tasks that there are: the builtin ones, and those of installed packages."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING

from ravl import plugins
from ravl.errors import DataError, RavlError
from ravl.json_types import JsonRecord
from ravl.tasks.contract import Task

if TYPE_CHECKING:
    from ravl.runs.run import Run


def names() -> tuple[str, ...]:
    """Names of all tasks, the builtin ones first."""
    return plugins.names(plugins.TASKS)


@cache
def task(name: str) -> Task:
    """The task of that name.

    Raises:
        DataError: there is none, or its package cannot be imported.
    """
    found = plugins.load(plugins.TASKS, name)
    if isinstance(found, type) and issubclass(found, Task):
        return found()
    raise DataError(f"The task {name!r} is {found!r}; it must be a subclass of ravl.tasks.Task.")


def tasks() -> tuple[Task, ...]:
    """All tasks that can be used, the builtin ones first.

    A package whose task cannot be imported does not stop the others: it is left out, with a
    warning that says why.
    """
    return _tasks(names())


@cache
def _tasks(names: tuple[str, ...]) -> tuple[Task, ...]:
    found = []
    for name in names:
        try:
            found.append(task(name))
        except RavlError as error:
            warnings.warn(str(error), stacklevel=3)
    return tuple(found)


def commands() -> tuple[str, ...]:
    """The words that users say, each once: two tasks may share one."""
    return tuple(dict.fromkeys(each.command for each in tasks()))


def of_command(command: str) -> tuple[Task, ...]:
    """The tasks behind a word; the first is the usual one.

    Raises:
        DataError: there is no such task.
    """
    found = tuple(each for each in tasks() if each.command == command)
    if not found:
        raise DataError(f"There is no task {command!r}; there are: {', '.join(commands())}.")
    return found


def choose(command: str, settings: JsonRecord) -> Task:
    """The task behind a word that these settings of a fit choose.

    Raises:
        DataError: there is no such task, or the setting that chooses has another value.
    """
    found = of_command(command)
    if found[0].variant is None:
        return found[0]
    name, usual = found[0].variant
    value = settings.get(name, usual)
    for each in found:
        if each.variant == (name, value):
            return each
    allowed = ", ".join(each.variant[1] for each in found if each.variant is not None)
    raise DataError(f"{name} is {value!r}; it must be one of {allowed}.")


def of_record(record: JsonRecord) -> Task:
    """The task of a run, by what its ``run.json`` says.

    Raises:
        DataError: the run is of a task that is not installed.
    """
    named = record.get("task")
    for name in sorted(names(), key=lambda name: name != named):  # the named one first
        if task(name).answers_record(record):
            return task(name)
    raise DataError(
        f"The run is of the task {record.get('task')!r}, which is not installed here; there are: "
        f"{', '.join(commands())}. Install the package that it was fitted with."
    )


def of_run(run: Run) -> Task:
    """The task of a run; raises as :func:`of_record` does."""
    return of_record(run.record)
