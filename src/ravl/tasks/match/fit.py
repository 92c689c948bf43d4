"""Fitting match from beginning to end: pairs, parts, levels, judging, run and report."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ravl.data import ColumnNames
from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.memory import Memory
from ravl.retrieval.datastore import Ints
from ravl.runs.row_texts import TextTargets, base_of
from ravl.tasks.match.dataset import MatchFitData, check, prepare, readable, refuse_false
from ravl.tasks.match.evaluate_test import MatchTestResults, abstention, judge
from ravl.tasks.match.files import describe, parts
from ravl.tasks.match.levels import fit_dual, fit_unseen, fit_vote, out_of_fold, stacked
from ravl.tasks.match.predictor import MatchPredictor
from ravl.tasks.match.rerank import RerankGain, judge_reranking
from ravl.tasks.search.pairs import FEWEST
from ravl.tasks.write_run import begin_run, end_run
from ravl.training.example_source import Source, filter_of, told
from ravl.training.examples import Examples, read_labelled
from ravl.training.fit_folder import running
from ravl.training.fit_log import FitLog
from ravl.training.fit_report import FitReport
from ravl.training.fit_settings import FitSettings
from ravl.training.refit_plan import RefitPlan
from ravl.training.run_record import config_of
from ravl.training.selection import simplest
from ravl.training.splits import Splits, split

LEVELS = ("linear", "vote", "fusion")  # in doubt the first: it has vote and model, and is cheap
LEAST = 2.5  # pictures that a held-out part has at least, or no pair of it could be false


@dataclass(kw_only=True)
class MatchFitted(FitLog):
    """What a fit of match has made.

    Args:
        levels: matchers by name; ``fusion_off`` was trained without retrieval.
    """

    levels: dict[str, MatchPredictor] = field(default_factory=dict)


def fit_match(
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
    """Fit match: whether a text fits a picture; see :func:`ravl.tasks.fit.fit`.

    Pictures with their texts are true pairs, and the same pictures and texts shuffled within a
    part are false ones.

    Raises:
        DataError: fewer than eight pictures with texts that the encoder reads, texts that are all
            the same, an empty part, no evidence, a vision tower or a retriever to be trained, or
            a folder of another run.
    """
    began = time.monotonic()
    if settings.generated:
        raise DataError(
            "generated is on, but match has no such setting: what fits a picture is learned from "
            "people's texts alone. Leave it out."
        )
    if settings.vision != "head":
        raise DataError(
            f"vision is {settings.vision!r}, but match leaves the vision tower as it is: its "
            "heads learn on frozen features. Leave vision at head."
        )
    if settings.train_retriever:
        raise DataError(
            "train_retriever is on, but what finds neighbours for match is the retriever itself, "
            "which learns from the same pairs. Leave it off, and train that with: ravl fit search."
        )
    config = config_of("match", memory, settings, data, validation, test, again=again)
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
            again=again,
        ) as (ground, notes),
    ):
        start = None if again is None else again.start
        fitted = fit_levels(ground, work, progress, start=start)
        judged = judge(ground, fitted.levels, fitted.chosen)
        second = judge_reranking(ground, fitted.levels[fitted.chosen])
        return _write(out, ground, fitted, judged, second, notes, command, began)


@contextmanager
def ground_of(
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
) -> Iterator[tuple[MatchFitData, list[str]]]:
    """What a fit stands on, and notes; open while pictures are read.

    Args:
        memory: the evidence.
        settings: of the fit.
        work: for the scratch memory of tables.
        data, validation, test, columns, progress, root: see :func:`ravl.tasks.fit.fit`.
        again: the parts of a refit, instead of all these.

    Raises:
        DataError: as :func:`fit_match` does.
    """
    task = TextTargets(settings.column or None)
    base = base_of(memory.encoder)

    def read(source: Memory) -> Examples:
        if source is not memory:
            refuse_false(source)
        return _read(source, memory, task)

    with told(
        "match",
        memory,
        settings.remember,
        work,
        read,
        lambda labelled, source, tables: _split(
            labelled, source, settings, validation, test, tables
        ),
        lambda labelled, chosen: check(task, base, labelled, chosen),
        data=data,
        validation=validation,
        test=test,
        columns=columns,
        progress=progress,
        root=root,
        again=again,
    ) as (labelled, chosen, source, notes):
        if unread := _unread(source, memory, task):
            notes.append(
                f"{unread:,} texts are set aside, since the encoder does not read their language."
            )
        yield prepare(memory, task, settings, labelled, chosen), notes


def fit_levels(
    ground: MatchFitData,
    work: Path,
    show: bool | None,
    report: Callable[[float], None] | None = None,
    start: MatchPredictor | None = None,
) -> MatchFitted:
    """Fit what the settings ask for, and choose.

    Args:
        ground: to fit on.
        work: for what an interrupted fit goes on from.
        show: progress bars.
        report: told the validation score after each epoch of the fusion model. Where it is given,
            the comparison without retrieval is not trained: a search has no use for it.
        start: the matcher whose weights the fusion model begins with, in a refit. There the
            comparison is not trained again, either.
    """
    settings, fitted = ground.settings, MatchFitted()
    began = time.monotonic()
    fitted.levels["vote"] = fit_vote(ground)
    fitted.seconds["vote"] = round(time.monotonic() - began, 1)
    if settings.model == "vote":
        return fitted
    dual, curve, seconds, count = fit_dual(ground, fitted.levels["vote"], work, show)
    fitted.levels["linear"] = dual
    fitted.curves["dual"], fitted.seconds["linear"] = curve, seconds
    fitted.parameters["linear"] = count
    if settings.model in ("auto", "fusion"):
        _fuse(ground, fitted, work, show, report, start)
    fitted.chosen = settings.model if settings.model != "auto" else _choose(ground, fitted)
    return fitted


def _fuse(
    ground: MatchFitData,
    fitted: MatchFitted,
    work: Path,
    show: bool | None,
    report: Callable[[float], None] | None,
    start: MatchPredictor | None,
) -> None:
    """Train the fusion model with retrieval and, to compare, without."""
    from ravl.tasks.match.fusion import train_pairs

    dual = fitted.levels["linear"]
    began = time.monotonic()
    unseen = fit_unseen(ground, dual, work, show)
    fitted.seconds["linear, out of fold"] = round(time.monotonic() - began, 1)
    for name, retrieval in (("fusion_off", False), ("fusion", True)):
        if not retrieval and (report is not None or start is not None):
            continue
        result, words = train_pairs(
            ground,
            dual,
            unseen,
            work / name,
            retrieval=retrieval,
            show=show,
            report=report,
            start=start,
        )
        fitted.levels[name] = stacked(ground, replace(dual, reader=result.reader, words=words))
        fitted.curves[name] = result.curve
        fitted.seconds[name] = result.seconds
        fitted.parameters[name] = result.parameters


def _choose(ground: MatchFitData, fitted: MatchFitted) -> str:
    """The simplest level that is as good as the best on validation, out of fold."""
    side = ground.validation
    found = {name: (unseen_answers(ground, fitted, name), None) for name in LEVELS}
    chosen, fitted.validation = simplest("match", found, side.targets, side.groups)
    return chosen


def unseen_answers(ground: MatchFitData, fitted: MatchFitted, name: str) -> Array:
    """Probabilities (n,) of a level for the validation pairs, stacked without each of them."""
    side, level = ground.validation, fitted.levels[name]
    signals = level.from_memory(side.clues, ground.said)[0]
    if name != "vote":
        signals |= level.from_model(side.asked, side.clues.near, level.evidence(ground.said))
    used = level.stacks["vote" if name == "vote" else "both"].names
    return out_of_fold(signals, used, side, ground.settings.seed)


def _read(source: Memory, memory: Memory, task: TextTargets) -> Examples:
    """Pictures with texts that the encoder reads."""
    base = base_of(memory.encoder)
    labelled = read_labelled(source, memory, lambda row: readable(task, base, row))
    if len(labelled) >= FEWEST:
        return labelled
    unread = _unread(source, memory, task)
    what = f"a text in the column {task.column!r}" if task.column else "a text"
    aside = f" ({unread:,} texts are in a language that the encoder does not read)"
    raise DataError(
        f"{len(labelled)} pictures in {source.path if source is memory else 'the data'} have "
        f"{what}{aside if unread else ''}; at least {FEWEST} are needed to fit match. Index "
        "captions, name a table with --data that has columns image and caption, or name the "
        "column with --column."
    )


def _unread(source: Memory, memory: Memory, task: TextTargets) -> int:
    """How many texts are set aside for their language."""
    reads = base_of(memory.encoder).reads
    return sum(not reads(text) for row in source.rows() if row.hash for text in task.of(row))


def _split(
    labelled: Examples,
    source: Memory,
    settings: FitSettings,
    validation: Source,
    test: Source,
    tables: Collection[str],
) -> Splits:
    least = min(0.4, LEAST / len(np.unique(labelled.groups)))
    chosen = split(
        labelled.rows,
        labelled.groups,
        [""] * len(labelled),
        source,
        validation=filter_of(validation),
        test=filter_of(test),
        validation_share=max(settings.validation_share, least),
        test_share=max(settings.test_share, least),
        seed=settings.seed,
        tables=tables,
    )
    for name in ("validation", "test"):
        part: Ints = getattr(chosen, name)
        if len(np.unique(labelled.groups[part])) < 2:
            raise DataError(
                f"{len(part)} picture is left for {name}, and near-duplicates of it; it takes two "
                "for a false pair. Give this part more, with another share or filter."
            )
    return chosen


def _write(
    out: Path,
    ground: MatchFitData,
    fitted: MatchFitted,
    judged: MatchTestResults,
    second: RerankGain,
    notes: list[str],
    command: str,
    began: float,
) -> FitReport:
    """The run, and what it is worth."""
    from ravl.tasks.match.report import page_of, rows_table
    from ravl.training.report_parts import scores_json

    matcher = fitted.levels[fitted.chosen]
    described = {
        **describe(matcher),
        "level": fitted.chosen,
        "rerank": {"weight": second.weight, "depth": second.depth},
    }
    run = begin_run(
        out,
        described,
        parts(matcher, out),
        memory=ground.memory,
        base=ground.base,
        labelled=ground.labelled,
        parts=ground.parts,
        settings=ground.settings,
        command=command,
    )
    seconds = round(time.monotonic() - began, 1)
    metrics = scores_json(judged, fitted) | {"abstain": abstention(judged, matcher, ground)}
    metrics["rerank"] = second.to_json()
    table = rows_table(ground, judged, fitted)
    report = FitReport(out, "match", fitted.chosen, metrics, table, notes, seconds)
    page = page_of(ground, fitted, judged, second, report, str(run.record["command"]))
    return end_run(report, page)
