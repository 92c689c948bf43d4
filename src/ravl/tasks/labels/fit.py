"""Fitting a task from beginning to end: examples, parts, levels, judging, run and report."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ravl.data import ColumnNames
from ravl.memory import Memory
from ravl.runs.run import VISION
from ravl.tasks.labels.choose import Fitted, fit_levels
from ravl.tasks.labels.dataset import FitData, labels_of, prepare
from ravl.tasks.labels.evaluate_test import TestResults, judge
from ravl.tasks.labels.files import describe, parts
from ravl.tasks.named import label_task
from ravl.tasks.write_run import begin_run, end_run
from ravl.training.example_source import Source, filter_of, told
from ravl.training.examples import Examples, none_labelled, read_labelled
from ravl.training.fit_folder import running
from ravl.training.fit_report import FitReport
from ravl.training.fit_settings import FitSettings
from ravl.training.refit_plan import RefitPlan
from ravl.training.run_record import config_of
from ravl.training.splits import Splits, split

if TYPE_CHECKING:
    from ravl.tasks.labels.keys.gain import Gain


def fit_labels(
    task: str,
    memory: Memory,
    out: Path,
    settings: FitSettings,
    *,
    data: Source = None,
    validation: Source = None,
    test: Source = None,
    columns: ColumnNames | None = None,
    progress: bool | None = None,
    command: str = "",
    root: Source = None,
    again: RefitPlan | None = None,
) -> FitReport:
    """Fit classify, tag or ask; see :func:`ravl.tasks.fit.fit`, and :class:`RefitPlan`."""
    began = time.monotonic()
    config = config_of(task, memory, settings, data, validation, test, again=again)
    with (
        running(out, config) as work,
        ground_of(
            task,
            memory,
            settings,
            work,
            data=data,
            validation=validation,
            test=test,
            columns=columns,
            progress=progress,
            root=root,
            again=again,
        ) as (ground, notes),
    ):
        start = None if again is None else again.start
        ground, fitted = fit_levels(ground, work, progress, start=start)
        more = None
        if task == "ask":
            from ravl.tasks.ask.baselines import ask_rows

            more = ask_rows(ground)
        judged = judge(ground, fitted.levels, fitted.chosen, more)
        notes += _unknown(ground)
        if "vision" in fitted.curves and fitted.tower is None:
            notes.append("The tuned vision tower was no better on validation; it is not kept.")
        gain = None
        if fitted.joint is not None:
            from ravl.tasks.labels.keys.gain import measure_gain

            gain = measure_gain(fitted.joint)
            notes.append(gain.note())
        return _write(out, ground, fitted, judged, notes, command, began, gain)


@contextmanager
def ground_of(
    task: str,
    memory: Memory,
    settings: FitSettings,
    work: Path,
    *,
    data: Source = None,
    validation: Source = None,
    test: Source = None,
    columns: ColumnNames | None = None,
    progress: bool | None = None,
    root: Source = None,
    again: RefitPlan | None = None,
) -> Iterator[tuple[FitData, list[str]]]:
    """What a fit stands on, and notes; open while pictures are read.

    Args:
        task: classify, tag or ask.
        memory: the evidence.
        settings: of the fit.
        work: for the scratch memory of tables.
        data, validation, test, columns, progress, root: see :func:`ravl.tasks.fit.fit`.
        again: the parts of a refit, instead of all these.

    Raises:
        DataError: a source cannot be read, or there is too little to learn from.
    """
    named = label_task(task, settings.column or None, memory.encoder.feature_dimension)
    if task == "ask":
        from ravl.tasks.ask.dataset import asked, refuse

        refuse(settings)

    def read(source: Memory) -> Examples:
        labelled = read_labelled(source, memory, named.of)
        if not len(labelled):
            raise none_labelled(source, named.noun, named.column)
        return labelled

    def parts(labelled: Examples, source: Memory, tables: Collection[str]) -> Splits:
        return split(
            labelled.rows,
            labelled.groups,
            [named.stratum(row) for row in labelled.rows],
            source,
            validation=filter_of(validation),
            test=filter_of(test),
            validation_share=settings.validation_share,
            test_share=settings.test_share,
            seed=settings.seed,
            tables=tables,
        )

    def check(labelled: Examples, chosen: Splits) -> None:
        labels_of(labelled.take(chosen.train).rows, named, settings.fewest)

    with told(
        task,
        memory,
        settings.remember,
        work,
        read,
        parts,
        check,
        data=data,
        validation=validation,
        test=test,
        columns=columns,
        progress=progress,
        root=root,
        again=again,
    ) as (labelled, chosen, _, notes):
        ground = prepare(memory, named, settings, labelled, chosen)
        if task == "ask":
            ground = asked(ground)
        if settings.rerank:
            from ravl.tasks.labels.rerank_fit import look_again

            ground = look_again(ground, settings.rerank)
            notes += [ground.second.note()] if ground.second is not None else []
        yield ground, notes


def _write(
    out: Path,
    ground: FitData,
    fitted: Fitted,
    judged: TestResults,
    notes: list[str],
    command: str,
    began: float,
    gain: Gain | None,
) -> FitReport:
    """The run, and what it is worth."""
    from ravl.tasks.labels.report import abstention, page_of, rows_table
    from ravl.training.report_parts import scores_json

    labeller = fitted.levels[fitted.chosen]
    described = {**describe(labeller), "level": fitted.chosen}
    if ground.second is not None:
        described["rerank"] = ground.second.look.describe(out)
    if fitted.tower is not None:
        fitted.tower.save(out / VISION)
    run = begin_run(
        out,
        described,
        parts(labeller, out),
        memory=ground.memory,
        base=ground.task.encoder(ground.memory),
        labelled=ground.labelled,
        parts=ground.parts,
        settings=ground.settings,
        command=command,
    )
    seconds = round(time.monotonic() - began, 1)
    metrics = scores_json(judged, fitted) | {"abstain": abstention(ground, fitted, judged)}
    if gain is not None:
        metrics["retriever"] = gain.to_json()
    if ground.second is not None:
        metrics["rerank"] = ground.second.to_json()
    table = rows_table(ground, judged, fitted)
    report = FitReport(out, ground.task.name, fitted.chosen, metrics, table, notes, seconds)
    page = page_of(ground, fitted, judged, report, run.record["command"], gain)
    return end_run(report, page)


def _unknown(ground: FitData) -> list[str]:
    """Labels that only occur in the test part, and classes with next to nothing to learn from."""
    task, notes = ground.task, []
    known = set(ground.labels)
    strange = sorted({n for r in ground.test.labelled.rows for n in task.of(r)} - known)
    if strange and task.exclusive:
        notes.append(
            f"{len(strange):,} labels of the test part do not occur in training, such as "
            f"{strange[0]!r}; they count as missed unless the memory knows them."
        )
    counts = ground.train.targets.sum(0)
    rare = [name for name, count in zip(ground.labels, counts, strict=True) if count < 2]
    if rare:
        notes.append(
            f"{len(rare):,} {task.noun}s have a single training {task.unit}, such as {rare[0]!r}; "
            "give them more, or leave them out with --fewest 2."
        )
    return notes
