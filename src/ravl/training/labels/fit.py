"""Fitting a task from beginning to end: examples, parts, levels, judging, run and report."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravl.data import ColumnNames
from ravl.errors import DataError
from ravl.memory import Memory
from ravl.pages.score_table import ScoreTable
from ravl.tasks.labeller_files import describe, parts
from ravl.tasks.named import label_task
from ravl.tasks.run import VISION, about_memory, write_json, write_run
from ravl.training.fit_folder import running
from ravl.training.fit_settings import FitSettings, write_settings
from ravl.training.labelled import Labelled, none_labelled, read_labelled, read_tables, remember
from ravl.training.labels.fitted import Fitted, fit_levels
from ravl.training.labels.ground import Ground, labels_of, prepare
from ravl.training.labels.judge import Judged, judge
from ravl.training.loop_settings import LoopSettings
from ravl.training.parts import PARTS, Parts, split

if TYPE_CHECKING:
    from ravl.training.keys.gain import Gain

Source = str | Path | None


@dataclass(frozen=True)
class FitReport:
    """What a fit has made and what it gained.

    Args:
        out: the run's folder, with ``run.json``, ``metrics.json`` and ``report.html``.
        task: that was fitted.
        chosen: the level that the run keeps: vote, linear or fusion.
        metrics: ``rows``, ``levels`` and ``retrieval``: scores by row and metric, each as
            ``{"value", "low", "high"}``; ``differences`` of rows; ``retriever``, where it was
            trained with the task, ``rerank``, where neighbours were looked at again; see
            ``metrics.json``.
        table: the four rows, for a terminal.
        notes: sentences about what was left out, set aside or changed.
        seconds: the whole fit took.
    """

    out: Path
    task: str
    chosen: str
    metrics: dict[str, Any]
    table: ScoreTable
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def summary(self) -> list[str]:
        """The four rows and what they differ by, as lines for a terminal."""
        from ravl.pages.score_table import terminal_table

        return terminal_table(self.table)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "out": str(self.out), "task": self.task, "chosen": self.chosen, "notes": self.notes,
            "seconds": self.seconds, **self.metrics,
        }  # fmt: skip


def fit_labels(
    task: str, memory: Memory, out: Path, settings: FitSettings, *, data: Source = None,
    validation: Source = None, test: Source = None, columns: ColumnNames | None = None,
    progress: bool | None = None, command: str = "", root: Source = None,
) -> FitReport:  # fmt: skip
    """Fit classify, tag or ask; see :func:`ravl.training.fit`."""
    began = time.monotonic()
    config = config_of(task, memory, settings, data, validation, test)
    with (
        running(out, config) as work,
        ground_of(
            task, memory, settings, work, data=data, validation=validation, test=test,
            columns=columns, progress=progress, root=root,
        ) as (ground, chosen, notes),
    ):  # fmt: skip
        ground, fitted = fit_levels(ground, work, progress)
        more = None
        if task == "ask":
            from ravl.training.ask.rows import ask_rows

            more = ask_rows(ground)
        judged = judge(ground, fitted.levels, fitted.chosen, more)
        notes += _unknown(ground)
        if "vision" in fitted.curves and fitted.tower is None:
            notes.append("The tuned vision tower was no better on validation; it is not kept.")
        gain = None
        if fitted.joint is not None:
            from ravl.training.keys.gain import measure_gain

            gain = measure_gain(fitted.joint)
            notes.append(gain.note())
        return _write(out, ground, fitted, judged, chosen, notes, command, began, gain)


@contextmanager
def ground_of(
    task: str, memory: Memory, settings: FitSettings, work: Path, *, data: Source = None,
    validation: Source = None, test: Source = None, columns: ColumnNames | None = None,
    progress: bool | None = None, root: Source = None,
) -> Iterator[tuple[Ground, Parts, list[str]]]:  # fmt: skip
    """What a fit stands on: the ground, its parts, and notes; open while pictures are read.

    Args:
        task: classify, tag or ask.
        memory: the evidence.
        settings: of the fit.
        work: for the scratch memory of tables.
        data, validation, test, columns, progress, root: see :func:`ravl.training.fit`.

    Raises:
        DataError: a source cannot be read, or there is too little to learn from.
    """
    named = label_task(task, settings.column or None, memory.encoder.feature_dimension)
    if task == "ask":
        from ravl.training.ask.ground import asked, refuse

        refuse(settings)
    with ExitStack() as stack:
        source = memory
        tables = tables_of(data, validation, test)
        if tables:
            source = stack.enter_context(read_tables(memory, tables, work, columns, progress, root))
        labelled = read_labelled(source, memory, named.of)
        if not len(labelled):
            raise none_labelled(source if tables else memory, named.noun, named.column)
        chosen = split(
            labelled.rows, labelled.groups, [named.stratum(row) for row in labelled.rows], source,
            validation=filter_of(validation), test=filter_of(test),
            validation_share=settings.validation_share, test_share=settings.test_share,
            seed=settings.seed, tables=tables,
        )  # fmt: skip
        notes = notes_of(labelled, chosen)
        if tables and settings.remember:
            told = labelled.take(chosen.train)
            labels_of(told.rows, named, settings.fewest)  # refuse before anything is written
            count = remember(memory, told, f"fit {task}: what {data} says")
            if count:
                notes.append(f"{count:,} rows of the memory are new or changed by the table.")
            labelled = read_labelled(source, memory, named.of)  # now that it shows them
        ground = prepare(memory, named, settings, labelled, chosen)
        if task == "ask":
            ground = asked(ground)
        if settings.rerank:
            from ravl.training.labels.reranked import look_again

            ground = look_again(ground, settings.rerank)
            notes += [ground.second.note()] if ground.second is not None else []
        yield ground, chosen, notes


def _write(
    out: Path, ground: Ground, fitted: Fitted, judged: Judged, chosen: Parts, notes: list[str],
    command: str, began: float, gain: Gain | None,
) -> FitReport:  # fmt: skip
    """The run's files; ``metrics.json`` comes last: the run has ended."""
    from ravl.training.labels.page import abstention, page_of, rows_table
    from ravl.training.page_parts import scores_json

    labeller = fitted.levels[fitted.chosen]
    record = {
        **describe(labeller), "level": fitted.chosen, "memory": about_memory(ground.memory, out),
        "encoder": encoder_of(ground.memory),
        "base": json.loads(ground.task.encoder(ground.memory).fingerprint.to_json()),
        "command": command or " ".join(sys.argv),
        "versions": versions(), "parts": {n: len(getattr(chosen, n)) for n in PARTS},
    }  # fmt: skip
    if ground.second is not None:
        record["rerank"] = ground.second.look.describe(out)
    if fitted.tower is not None:
        fitted.tower.save(out / VISION)
    logs(out)
    write_run(out, record, parts(labeller, out))
    write_settings(ground.settings, out / "settings.yaml")
    rows = {n: getattr(ground, n).labelled.rows for n in PARTS}
    ids = {n: list(dict.fromkeys(row.id for row in its)) for n, its in rows.items()}
    write_json(out / "split.json", {"how": chosen.how, **ids})
    seconds = round(time.monotonic() - began, 1)
    metrics = scores_json(judged, fitted) | {"abstain": abstention(ground, fitted, judged)}
    if gain is not None:
        metrics["retriever"] = gain.to_json()
    if ground.second is not None:
        metrics["rerank"] = ground.second.to_json()
    table = rows_table(ground, judged, fitted)
    report = FitReport(out, ground.task.name, fitted.chosen, metrics, table, notes, seconds)
    page = page_of(ground, fitted, judged, chosen, report, record["command"], gain)
    (out / "report.html").write_text(page, encoding="utf-8")
    write_json(out / "metrics.json", {"task": ground.task.name, "level": fitted.chosen, **metrics,
                                      "notes": notes, "seconds": seconds})  # fmt: skip
    return report


def logs(out: Path) -> None:
    """Keep what TensorBoard reads, before the intermediate files go."""
    for folder in sorted((out / "work").glob("*/logs")):
        shutil.copytree(folder, out / "logs" / folder.parent.name, dirs_exist_ok=True)


def config_of(
    task: str, memory: Memory, settings: LoopSettings, *sources: Source
) -> dict[str, Any]:  # fmt: skip
    """All that the result of a fit depends on, as JSON types.

    Raises:
        DataError: match shall be looked at again, by itself.
    """
    if task == "match" and isinstance(settings, FitSettings) and settings.rerank:
        raise DataError(
            f"rerank is {settings.rerank!r}, but a match run looks at searches again as it is: "
            "ravl search --rerank RUN. Leave it out, or use it with ravl fit classify or tag."
        )
    return {
        "task": task, "memory": str(memory.path), "settings": settings.to_json(),
        "sources": [None if s is None else str(s) for s in sources],
    }  # fmt: skip


def tables_of(data: Source, validation: Source, test: Source) -> dict[str, str | Path]:
    """The sources that are tables or folders, by part; filters are left out."""
    found: dict[str, str | Path] = {}
    for part, source in zip(PARTS, (data, validation, test), strict=True):
        if source is None or (part != "train" and filter_of(source) is not None):
            continue
        found[part] = source
    if found and "train" not in found:
        raise DataError(
            f"The {'and '.join(found)} part is a table, but the training pictures are not named. "
            "Name their table with --data."
        )
    return found


def filter_of(source: Source) -> str | None:
    """A part that is named by a filter, not by a table or a folder."""
    if source is None or isinstance(source, Path) or os.path.exists(source):  # noqa: PTH110
        return None  # Path.exists raises where a long filter is no file name
    if Path(source).suffix.lower() in (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet"):
        raise DataError(f"There is no file {source}.")
    return source


def notes_of(labelled: Labelled, chosen: Parts) -> list[str]:
    """What was left out or could not be read, in sentences."""
    notes = []
    if len(chosen.left_out):
        notes.append(
            f"{len(chosen.left_out):,} pictures are left out of training, since they are "
            "near-duplicates of held-out ones."
        )
    if labelled.rejected:
        first = labelled.rejected[0]
        notes.append(f"{len(labelled.rejected):,} pictures could not be read, such as {first}")
    return notes


def _unknown(ground: Ground) -> list[str]:
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


def encoder_of(memory: Memory) -> dict[str, Any]:
    """The fingerprint of a memory's encoder, as JSON types."""
    found: dict[str, Any] = json.loads(memory.encoder.fingerprint.to_json())
    return found


def versions() -> dict[str, str]:
    """Of what a fit was made with."""
    names = ("ravl", "torch", "transformers", "numpy", "scikit-learn")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
