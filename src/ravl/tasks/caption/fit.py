"""Fitting a task that writes, from beginning to end: texts, parts, levels, judging, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ravl.data import ColumnNames
from ravl.memory import Memory
from ravl.models.generation.schemas import read_schema
from ravl.runs.row_texts import base_of
from ravl.tasks.caption.dataset import TextFitData, enough, prepare
from ravl.tasks.caption.evaluate_test import TextTestResults, abstention, judge
from ravl.tasks.caption.files import describe, parts
from ravl.tasks.caption.kind import CAPTION, Kind
from ravl.tasks.caption.levels import Level, QualityBar, fit_vote, with_generator
from ravl.tasks.caption.predictor import TextPredictor
from ravl.tasks.caption.quality import Quality
from ravl.tasks.caption.settings import TextSettings
from ravl.tasks.write_run import begin_run, end_run
from ravl.training.example_source import Source, filter_of, told
from ravl.training.examples import Examples, none_labelled, read_labelled
from ravl.training.fit_folder import running
from ravl.training.fit_log import FitLog, TrainedGenerator
from ravl.training.fit_report import FitReport
from ravl.training.refit_plan import RefitPlan
from ravl.training.run_record import config_of
from ravl.training.splits import Splits, split

CLEAR = 1.64  # standard errors by which the generator must be better than the memory's own texts


@dataclass(kw_only=True)
class CaptionFitted(FitLog):
    """What a fit of a task that writes has made.

    Args:
        finished: levels by name; ``generator_off`` was trained without retrieval, and
            ``question_only`` without pictures.
        measure: of the validation scores.
    """

    finished: dict[str, Level] = field(default_factory=dict)
    measure: str = "CIDEr-D"

    @property
    def levels(self) -> dict[str, TextPredictor]:
        """The captioners alone."""
        return {name: level.captioner for name, level in self.finished.items()}


def fit_caption(memory: Memory, out: Path, settings: TextSettings, **sources: Any) -> FitReport:
    """Fit caption: a text about a picture; see :func:`ravl.tasks.fit.fit` and :func:`fit_texts`.

    Raises:
        DataError: fewer than eight training pictures with texts, an empty part, no evidence, or a
            folder of another run.
    """
    return fit_texts(CAPTION, memory, out, settings, **sources)


def fit_texts(
    kind: Kind,
    memory: Memory,
    out: Path,
    settings: TextSettings,
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
    """Fit a task that writes.

    Args:
        kind: of fit.
        memory, out, data, validation, test, columns, progress, command, root: see
            :func:`ravl.tasks.fit.fit`.
        settings: of the fit.
        again: the parts of a refit, instead of the sources.

    Raises:
        DataError: as :func:`fit_caption` does.
    """
    began = time.monotonic()
    if settings.schema:
        read_schema(Path(settings.schema))  # refused before anything is read
    name = kind.task(memory, settings).name
    config = config_of(name, memory, settings, data, validation, test, again=again)
    with (
        running(out, config) as work,
        ground_of(
            memory,
            settings,
            work,
            data=data,
            validation=validation,
            test=test,
            columns=columns,
            progress=progress,
            root=root,
            kind=kind,
            again=again,
        ) as (ground, notes),
    ):
        quality = kind.quality(ground.train.texts)
        good = kind.good(quality, ground.validation.texts)
        start = None if again is None else again.start
        fitted = fit_levels(
            ground, work, progress, quality=quality, good=good, kind=kind, start=start
        )
        judged = judge(ground, fitted.levels, fitted.chosen, quality, good, kind)
        return _write(out, kind, ground, fitted, judged, notes, command, began)


@contextmanager
def ground_of(
    memory: Memory,
    settings: TextSettings,
    work: Path,
    *,
    data: Source = None,
    validation: Source = None,
    test: Source = None,
    columns: ColumnNames | None = None,
    progress: bool | None = None,
    root: Source = None,
    kind: Kind = CAPTION,
    again: RefitPlan | None = None,
) -> Iterator[tuple[TextFitData, list[str]]]:
    """What a fit stands on, and notes; open while pictures are read.

    Args:
        memory: the evidence.
        settings: of the fit.
        work: for the scratch memory of tables.
        data, validation, test, columns, progress, root: see :func:`ravl.tasks.fit.fit`.
        kind: of fit.
        again: the parts of a refit, instead of the sources.

    Raises:
        DataError: as :func:`fit_caption` does.
    """
    task = kind.task(memory, settings)

    def read(source: Memory) -> Examples:
        labelled = read_labelled(source, memory, task.of)
        if not len(labelled):
            raise none_labelled(source, task.noun, task.column)
        return labelled

    with told(
        task.name,
        memory,
        settings.remember,
        work,
        read,
        lambda labelled, source, tables: _split(
            labelled, source, settings, validation, test, tables
        ),
        lambda labelled, chosen: enough(task.count(labelled.take(chosen.train).rows), task),
        data=data,
        validation=validation,
        test=test,
        columns=columns,
        progress=progress,
        root=root,
        again=again,
    ) as (labelled, chosen, _, notes):
        ground = prepare(memory, task, settings, labelled, chosen)
        if settings.regions and settings.generator == "builtin" and settings.model != "vote":
            from ravl.tasks.caption.crops import look_closer

            ground = look_closer(ground, work, progress)
        if kind.ready is not None:
            ground = kind.ready(ground)
        yield ground, notes


def fit_levels(
    ground: TextFitData,
    work: Path,
    show: bool | None,
    *,
    quality: Quality,
    good: QualityBar,
    report: Callable[[float], None] | None = None,
    kind: Kind = CAPTION,
    start: TextPredictor | None = None,
) -> CaptionFitted:
    """Fit what the settings ask for, and choose.

    Args:
        ground: to fit on.
        work: for what an interrupted fit goes on from.
        show: progress bars.
        quality: of texts.
        good: what counts as good.
        report: told the validation score after each epoch of the generator. Where it is given, the
            comparisons are not trained: a search has no use for them.
        kind: of fit.
        start: the captioner whose generator is trained on, in a refit. There the comparisons are
            not trained again, either.
    """
    settings, fitted = ground.settings, CaptionFitted(measure=quality.measure)
    began = time.monotonic()
    vote = fitted.finished["vote"] = fit_vote(ground, quality, good)
    fitted.seconds["vote"] = round(time.monotonic() - began, 1)
    if settings.model == "vote":
        return fitted
    from ravl.tasks.caption.dual_encoder import fit_dual

    fits = None
    if kind.fits:
        began = time.monotonic()
        fits = fit_dual(ground, work, show)
        fitted.seconds["dual encoder"] = round(time.monotonic() - began, 1)
    for name, seen, made in _generators(ground, work, show, quality, report, kind, start):
        fitted.finished[name] = with_generator(
            seen, vote.captioner, made.generator, quality, good, fits
        )
        fitted.curves[name], fitted.seconds[name] = made.curve, made.seconds
        fitted.parameters[name] = made.parameters
    fitted.chosen = "generator" if settings.model == "generator" else _choose(fitted)
    return fitted


def _generators(
    ground: TextFitData,
    work: Path,
    show: bool | None,
    quality: Quality,
    report: Callable[[float], None] | None,
    kind: Kind,
    start: TextPredictor | None,
) -> Iterator[tuple[str, TextFitData, TrainedGenerator]]:
    """The generators that the settings ask for, and what each was trained on.

    To compare, one without retrieval and one without pictures come first.
    """
    settings, known = ground.settings, start.generator if start is not None else None
    if settings.generator != "builtin":
        from ravl.tasks.caption.hub import fit_hub

        yield "generator", ground, fit_hub(ground, quality, work, show, report, known)
        return
    from ravl.tasks.caption.generator import train_generator

    wanted = [("generator", ground, True)]
    if report is None and start is None and settings.compare == "trained":
        wanted.insert(0, ("generator_off", ground, False))
        if kind.blind is not None:
            wanted.insert(0, ("question_only", kind.blind(ground), False))
    for name, seen, retrieval in wanted:
        trained = train_generator(
            seen, quality, work / name, retrieval=retrieval, show=show, report=report, start=known
        )
        yield name, seen, trained


def _choose(fitted: CaptionFitted) -> str:
    """The memory's own texts, unless the generator is clearly better on validation."""
    rated = {name: fitted.finished[name].rated for name in ("vote", "generator")}
    fitted.validation = {name: round(float(values.mean()), 4) for name, values in rated.items()}
    gain = rated["generator"] - rated["vote"]
    error = float(gain.std()) / np.sqrt(max(len(gain), 1))
    return "generator" if float(gain.mean()) > CLEAR * error else "vote"


def _split(
    labelled: Examples,
    source: Memory,
    settings: TextSettings,
    validation: Source,
    test: Source,
    tables: Collection[str],
) -> Splits:
    return split(
        labelled.rows,
        labelled.groups,
        [""] * len(labelled),
        source,
        validation=filter_of(validation),
        test=filter_of(test),
        validation_share=settings.validation_share,
        test_share=settings.test_share,
        seed=settings.seed,
        tables=tables,
    )


def _write(
    out: Path,
    kind: Kind,
    ground: TextFitData,
    fitted: CaptionFitted,
    judged: TextTestResults,
    notes: list[str],
    command: str,
    began: float,
) -> FitReport:
    """The run, and what it is worth."""
    from ravl.tasks.caption.report import LEVELS, RETRIEVAL, page_of, rows_table
    from ravl.training.report_parts import scores_json

    captioner = fitted.levels[fitted.chosen]
    run = begin_run(
        out,
        {**describe(captioner), "level": fitted.chosen},
        parts(captioner, out),
        memory=ground.memory,
        base=base_of(ground.memory.encoder),
        labelled=ground.labelled,
        parts=ground.parts,
        settings=ground.settings,
        command=command,
    )
    seconds = round(time.monotonic() - began, 1)
    safe = abstention(judged, captioner, ground.settings.risk)
    metrics = scores_json(judged, fitted, LEVELS, RETRIEVAL) | {"abstain": safe}
    table = rows_table(kind, ground, judged, fitted)
    report = FitReport(out, ground.task.name, fitted.chosen, metrics, table, notes, seconds)
    page = page_of(kind, ground, fitted, judged, report, str(run.record["command"]))
    return end_run(report, page)
