"""Fitting and judging any task."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from ravl import addresses
from ravl.errors import DataError
from ravl.json_types import JsonObject, JsonRecord
from ravl.memory import Memory
from ravl.runs.format1 import SETTINGS, renamed_settings
from ravl.tasks import registry
from ravl.tasks.contract import Task
from ravl.tasks.model import Model
from ravl.training.fit_settings import checked_settings, raw_settings
from ravl.training.loop_settings import LoopSettings

if TYPE_CHECKING:
    from ravl.data import ColumnNames
    from ravl.tasks.search.results import RetrieverReport
    from ravl.training.fit_report import FitReport


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
    **settings: object,
) -> RetrieverReport | FitReport:
    """Train on a memory, and report what it gained.

    Safe to interrupt: the same call continues where it stopped.

    Args:
        task: its command. ``search`` trains the retriever; ``classify``, ``tag``, ``match``,
            ``caption``, ``ask``, or the command of a task of an installed package, fits a model
            that answers with the memory's help.
        memory: or the path of its file.
        out: folder for the run: new, or of this very fit that was interrupted.
        data: a table or folder of labelled pictures (see :func:`ravl.data.read`); its training
            part becomes part of the memory. None for what the memory itself says. Not for search.
        validation, test: tables, or filters that name the pictures held out, such as
            ``'split = "test"'``; by default as a column ``split`` says, else some are drawn.
        columns: what the tables' columns are called.
        root: the folder that the tables' pictures lie in; None for each table's own.
        config: a YAML file of settings; keyword arguments override the file.
        progress: show bars; None shows them on a terminal.
        command: to be noted in the run; None notes the process's own.
        **settings: of the task, such as fields of
            :class:`ravl.training.fit_settings.FitSettings` for classify and tag; see
            ``ravl fit TASK --help``.

    Returns:
        :class:`ravl.tasks.labels.fit.FitReport`, or for search :class:`RetrieverReport`.

    Raises:
        DataError: no such task or setting, too little to learn from, or a folder of another run.
        RavlError: the loss is no longer a number.
    """
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
    addresses.allow_settings(settings)
    given = raw_settings(Path(config)) if config is not None else {}
    addresses.check_settings({**given, **settings}, f"The file {config}")
    chosen = registry.choose(task, {**given, **settings})
    if config is not None:
        known = {f.name for f in fields(chosen.settings())}
        given = checked_settings(renamed_settings(given, known), chosen.settings(), Path(config))
    report: RetrieverReport | FitReport = chosen.fit(
        memory,
        Path(out),
        made_settings(chosen, {**given, **settings}),
        data=data,
        validation=validation,
        test=test,
        columns=columns,
        root=root,
        progress=progress,
        command=command,
    )
    return report


def made_settings(task: Task, given: JsonRecord) -> LoopSettings:
    """The settings of a fit.

    Args:
        task: to be fitted.
        given: some of its settings, by name.

    Raises:
        DataError: the task has no such setting, or a value is out of range.
    """
    kind = task.settings()
    allowed = [f.name for f in fields(kind)]
    if unknown := [name for name in given if name not in allowed]:
        if SETTINGS.get(unknown[0]) in allowed:
            raise DataError(
                f"The setting {unknown[0]!r} is now called {SETTINGS[unknown[0]]!r}. Use that name."
            )
        for other in registry.of_command(task.command):
            if other.variant and unknown[0] in [f.name for f in fields(other.settings())]:
                name, value = other.variant
                raise DataError(
                    f"{unknown[0]!r} is a setting of {task.command} with {name} {value!r}. Set "
                    f"{name} to {value!r}, or leave {unknown[0]!r} out."
                )
        raise DataError(
            f"There is no setting {unknown[0]!r}; there are: {', '.join(allowed)}. The shares of "
            "validation and test are validation_share and test_share."
        )
    return kind(**given)


def kept_settings(task: Task, file: Path) -> LoopSettings:
    """The settings that a run keeps in ``settings.yaml``.

    Runs of format 1 keep settings of both kinds of ask; those of the other kind are left out.

    Raises:
        DataError: the file is missing or damaged.
    """
    others = {f.name for each in registry.of_command(task.command) for f in fields(each.settings())}
    own = {f.name for f in fields(task.settings())}
    given = renamed_settings(raw_settings(file), own | others)
    addresses.check_settings(given, f"The file {file}")
    found = {n: v for n, v in given.items() if n in own or n not in others}
    return made_settings(task, checked_settings(found, task.settings(), file))


def evaluate(
    run: Model | str | Path,
    data: str | Path,
    *,
    memory: Memory | str | Path | None = None,
    columns: ColumnNames | None = None,
    root: str | Path | None = None,
    progress: bool | None = None,
    seed: int = 0,
) -> JsonObject:
    """Scores of a run on new pictures, with retrieval, without it, and by the vote alone.

    No picture is judged with itself in the evidence: rows of the memory that show the same
    picture, or a near-duplicate of it, are hidden.

    Args:
        run: the folder, or a loaded model.
        data: a table or folder of pictures, or a filter that names rows of the memory.
        memory: to answer from, instead of the run's own.
        columns: what the table's columns are called.
        root: the folder that the table's pictures lie in; None for the table's own.
        progress: show bars.
        seed: of the intervals.

    Returns:
        ``pictures`` (for ask ``questions``, too), how many of them the run has ``learned_from``,
        ``set_aside``, and under ``rows`` scores by row
        and metric, each as ``{"value", "low", "high"}``; under ``differences`` what retrieval
        changes.

    Raises:
        DataError: no picture of the data says what the task asks for, or no run is named.
    """
    with ExitStack() as stack:
        model = run if isinstance(run, Model) else stack.enter_context(Model(run, memory))
        if model.run is None:
            raise DataError(
                f"{model.memory.path} is a memory, and only fitted runs are judged. Fit one first, "
                "such as with ravl fit ask."
            )
        return registry.of_run(model.run).evaluate(
            model, data, columns=columns, root=root, progress=progress, seed=seed
        )
