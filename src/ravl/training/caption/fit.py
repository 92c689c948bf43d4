"""Fitting caption from beginning to end: texts, parts, levels, judging, run and report."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ravl.data import ColumnNames
from ravl.memory import Memory
from ravl.models.generation.schemas import read_schema
from ravl.tasks.caption.captioner import Captioner
from ravl.tasks.caption.files import describe, parts
from ravl.tasks.match_texts import MatchTask, base_of
from ravl.tasks.run import about_memory, write_json, write_run
from ravl.training.caption.ground import CaptionGround, enough, prepare
from ravl.training.caption.judge import CaptionJudged, abstention, judge
from ravl.training.caption.levels import Good, Level, fit_vote, with_generator
from ravl.training.caption.quality import Quality
from ravl.training.fit_folder import running
from ravl.training.fit_report import FitReport
from ravl.training.fit_settings import write_settings
from ravl.training.labelled import Labelled, none_labelled, read_labelled
from ravl.training.made import Made, Trained
from ravl.training.parts import PARTS, Parts, split
from ravl.training.run_record import config_of, encoder_of, logs, versions
from ravl.training.sources import Source, filter_of, told
from ravl.training.text_settings import TextSettings

CLEAR = 1.64  # standard errors by which the generator must be better than the memory's own texts


@dataclass(kw_only=True)
class CaptionFitted(Made):
    """What a fit of caption has made.

    Args:
        finished: levels by name; ``generator_off`` was trained without retrieval.
    """

    finished: dict[str, Level] = field(default_factory=dict)

    @property
    def levels(self) -> dict[str, Captioner]:
        """The captioners alone."""
        return {name: level.captioner for name, level in self.finished.items()}


def fit_caption(
    memory: Memory, out: Path, settings: TextSettings, *, data: Source = None,
    validation: Source = None, test: Source = None, columns: ColumnNames | None = None,
    progress: bool | None = None, command: str = "", root: Source = None,
) -> FitReport:  # fmt: skip
    """Fit caption: a text about a picture; see :func:`ravl.training.fit`.

    Raises:
        DataError: fewer than eight training pictures with texts, an empty part, no evidence, or a
            folder of another run.
    """
    began = time.monotonic()
    if settings.schema:
        read_schema(Path(settings.schema))  # refused before anything is read
    config = config_of("caption", memory, settings, data, validation, test)
    with (
        running(out, config) as work,
        ground_of(
            memory, settings, work, data=data, validation=validation, test=test, columns=columns,
            progress=progress, root=root,
        ) as (ground, notes),
    ):  # fmt: skip
        quality = Quality.of(ground.train.texts)
        good = Good.of(quality, ground.validation.texts)
        fitted = fit_levels(ground, work, progress, quality=quality, good=good)
        judged = judge(ground, fitted.levels, fitted.chosen, quality, good)
        return _write(out, ground, fitted, judged, notes, command, began)


@contextmanager
def ground_of(
    memory: Memory, settings: TextSettings, work: Path, *, data: Source = None,
    validation: Source = None, test: Source = None, columns: ColumnNames | None = None,
    progress: bool | None = None, root: Source = None,
) -> Iterator[tuple[CaptionGround, list[str]]]:  # fmt: skip
    """What a fit stands on, and notes; open while pictures are read.

    Args:
        memory: the evidence.
        settings: of the fit.
        work: for the scratch memory of tables.
        data, validation, test, columns, progress, root: see :func:`ravl.training.fit`.

    Raises:
        DataError: as :func:`fit_caption` does.
    """
    task = MatchTask(settings.target or None)

    def read(source: Memory) -> Labelled:
        labelled = read_labelled(source, memory, task.of)
        if not len(labelled):
            raise none_labelled(source, "caption", task.column)
        return labelled

    with told(
        "caption", memory, settings.remember, work, read,
        lambda labelled, source, tables: _split(
            labelled, source, settings, validation, test, tables
        ),
        lambda _, chosen: enough(len(chosen.train)), data=data, validation=validation, test=test,
        columns=columns, progress=progress, root=root,
    ) as (labelled, chosen, _, notes):  # fmt: skip
        ground = prepare(memory, task, settings, labelled, chosen)
        if settings.regions and settings.generator == "builtin" and settings.model != "vote":
            from ravl.training.caption.closer import look_closer

            ground = look_closer(ground, work, progress)
        yield ground, notes


def fit_levels(
    ground: CaptionGround, work: Path, show: bool | None, *, quality: Quality, good: Good,
    report: Callable[[float], None] | None = None,
) -> CaptionFitted:  # fmt: skip
    """Fit what the settings ask for, and choose.

    Args:
        ground: to fit on.
        work: for what an interrupted fit goes on from.
        show: progress bars.
        quality: of texts.
        good: what counts as good.
        report: told the validation score after each epoch of the generator. Where it is given, the
            comparison without retrieval is not trained: a search has no use for it.
    """
    settings, fitted = ground.settings, CaptionFitted()
    began = time.monotonic()
    vote = fitted.finished["vote"] = fit_vote(ground, quality, good)
    fitted.seconds["vote"] = round(time.monotonic() - began, 1)
    if settings.model == "vote":
        return fitted
    from ravl.training.caption.fits import fit_dual

    began = time.monotonic()
    fits = fit_dual(ground, work, show)
    fitted.seconds["dual encoder"] = round(time.monotonic() - began, 1)
    for name, made in _generators(ground, work, show, quality, report):
        fitted.finished[name] = with_generator(
            ground, vote.captioner, made.generator, quality, good, fits
        )
        fitted.curves[name], fitted.seconds[name] = made.curve, made.seconds
        fitted.parameters[name] = made.parameters
    fitted.chosen = "generator" if settings.model == "generator" else _choose(fitted)
    return fitted


def _generators(
    ground: CaptionGround, work: Path, show: bool | None, quality: Quality,
    report: Callable[[float], None] | None,
) -> Iterator[tuple[str, Trained]]:  # fmt: skip
    """The generators that the settings ask for: with retrieval and, to compare, without."""
    settings = ground.settings
    if settings.generator != "builtin":
        from ravl.training.caption.hub import fit_hub

        yield "generator", fit_hub(ground, quality, work, show, report)
        return
    from ravl.training.caption.generator import train_generator

    for name, retrieval in (("generator_off", False), ("generator", True)):
        if retrieval or (report is None and settings.compare == "trained"):
            yield (
                name,
                train_generator(
                    ground, quality, work / name, retrieval=retrieval, show=show, report=report
                ),
            )


def _choose(fitted: CaptionFitted) -> str:
    """The memory's own texts, unless the generator is clearly better on validation."""
    rated = {name: fitted.finished[name].rated for name in ("vote", "generator")}
    fitted.validation = {name: round(float(values.mean()), 4) for name, values in rated.items()}
    gain = rated["generator"] - rated["vote"]
    error = float(gain.std()) / np.sqrt(max(len(gain), 1))
    return "generator" if float(gain.mean()) > CLEAR * error else "vote"


def _split(
    labelled: Labelled, source: Memory, settings: TextSettings, validation: Source, test: Source,
    tables: Collection[str],
) -> Parts:  # fmt: skip
    return split(
        labelled.rows, labelled.groups, [""] * len(labelled), source,
        validation=filter_of(validation), test=filter_of(test),
        validation_share=settings.validation_share, test_share=settings.test_share,
        seed=settings.seed, tables=tables,
    )  # fmt: skip


def _write(
    out: Path, ground: CaptionGround, fitted: CaptionFitted, judged: CaptionJudged,
    notes: list[str], command: str, began: float,
) -> FitReport:  # fmt: skip
    """The run's files; ``metrics.json`` comes last: the run has ended."""
    from ravl.training.caption.page import LEVELS, RETRIEVAL, page_of, rows_table
    from ravl.training.page_parts import scores_json

    captioner, chosen = fitted.levels[fitted.chosen], ground.parts
    base = base_of(ground.memory.encoder)
    record = {
        **describe(captioner), "level": fitted.chosen, "memory": about_memory(ground.memory, out),
        "encoder": encoder_of(ground.memory), "base": json.loads(base.fingerprint.to_json()),
        "command": command or " ".join(sys.argv), "versions": versions(),
        "parts": {n: len(getattr(chosen, n)) for n in PARTS},
    }  # fmt: skip
    logs(out)
    write_run(out, record, parts(captioner, out))
    write_settings(ground.settings, out / "settings.yaml")
    sides = {"train": ground.train, "validation": ground.validation, "test": ground.test}
    ids = {name: [row.id for row in side.labelled.rows] for name, side in sides.items()}
    write_json(out / "split.json", {"how": chosen.how, **ids})
    seconds = round(time.monotonic() - began, 1)
    safe = abstention(judged, captioner, ground.settings.risk)
    metrics = scores_json(judged, fitted, LEVELS, RETRIEVAL) | {"abstain": safe}
    table = rows_table(ground, judged, fitted)
    report = FitReport(out, "caption", fitted.chosen, metrics, table, notes, seconds)
    page = page_of(ground, fitted, judged, report, str(record["command"]))
    (out / "report.html").write_text(page, encoding="utf-8")
    write_json(out / "metrics.json", {"task": "caption", "level": fitted.chosen, **metrics,
                                      "notes": notes, "seconds": seconds})  # fmt: skip
    return report
