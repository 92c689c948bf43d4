"""The engine: fits any task from beginning to end, by the task's recipe.

Examples are read and split; data is made of them; levels are fitted, and one is chosen; all rows
of the report are judged on the test split; the run and its report are written. What differs from
task to task is in its :class:`Recipe`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypedDict, TypeVar, Unpack

from ravl.encoders import Encoder
from ravl.encoders.base import Array
from ravl.json_types import JsonRecord
from ravl.memory import Memory, Row
from ravl.training.example_source import filter_of, notes_of, tables_of
from ravl.training.examples import Examples, none_labelled, read_labelled, read_tables, remember
from ravl.training.fit_folder import running
from ravl.training.fit_report import FitReport
from ravl.training.run_record import config_of
from ravl.training.splits import Splits, split
from ravl.training.write_run import begin_run, end_run

if TYPE_CHECKING:
    from ravl.data import ColumnNames
    from ravl.runs.run import Run
    from ravl.training.example_source import Source
    from ravl.training.refit_plan import RefitPlan


class Sources(TypedDict, total=False):
    """Where the examples of a fit come from; see :func:`ravl.tasks.fit.fit`."""

    data: Source
    validation: Source
    test: Source
    columns: ColumnNames | None
    root: Source
    progress: bool | None
    again: RefitPlan | None  # the examples of a refit, instead of the sources


class FitData(Protocol):
    """What levels are fitted on; each task has more of it."""

    @property
    def memory(self) -> Memory:
        """Whose rows are evidence."""

    @property
    def examples(self) -> Examples:
        """All examples."""

    @property
    def splits(self) -> Splits:
        """Their split."""


class TargetsLike(Protocol):
    """What a row says for a task."""

    @property
    def noun(self) -> str:
        """What one answer is called."""

    @property
    def column(self) -> str | None:
        """The user's own column that holds it; None for the usual field."""

    def of(self, row: Row) -> Sequence[str]:
        """What a row says, as texts; empty for nothing."""


D = TypeVar("D", bound=FitData)
F = TypeVar("F")
R = TypeVar("R")


@dataclass
class Finished:
    """What a fit leaves.

    Args:
        level: that was chosen.
        record: what ``run.json`` says of the predictor.
        arrays: of the predictor.
        base: the encoder that the predictor looks and reads with.
        metrics: of ``metrics.json``.
        table: of the terminal.
        page: makes ``report.html`` of the report and the command.
        notes: sentences for people.
    """

    level: str
    record: JsonRecord
    arrays: Mapping[str, Mapping[str, Array]]
    base: Encoder
    metrics: JsonRecord
    table: Any
    page: Callable[[FitReport, str], str]
    notes: list[str] = field(default_factory=list)


class Recipe(ABC, Generic[D, F, R]):
    """What a task says about its fit; the engine does the rest.

    Args:
        memory: the evidence.
        settings: of the fit.
    """

    name: str  # of the task, as a run names it
    measure: str  # the metric that a search for settings compares by

    def __init__(self, memory: Memory, settings: Any) -> None:
        self.memory = memory
        self.settings = settings

    @property
    @abstractmethod
    def targets(self) -> TargetsLike:
        """What rows say for the task."""

    def check(self) -> None:
        """Refuse settings that make no sense for the task, before anything is read.

        Raises:
            DataError: says which and why.
        """

    def read(self, source: Memory) -> Examples:
        """The examples of a memory.

        Raises:
            DataError: there is none.
        """
        examples = read_labelled(source, self.memory, self.targets.of)
        if not len(examples):
            raise none_labelled(source, self.targets.noun, self.targets.column)
        return examples

    def stratum(self, row: Row) -> str:  # noqa: ARG002 (for tasks whose splits are stratified)
        """What drawn splits have alike; the same for all rows where there is no such thing."""
        return ""

    def shares(self, examples: Examples) -> tuple[float, float]:  # noqa: ARG002 (the same)
        """Shares of validation and test where these splits are drawn."""
        return self.settings.validation_share, self.settings.test_share

    def split(
        self,
        examples: Examples,
        source: Memory,
        tables: Collection[str],
        validation: str | None,
        test: str | None,
    ) -> Splits:
        """The split of the examples; see :func:`ravl.training.splits.split`."""
        validation_share, test_share = self.shares(examples)
        return split(
            examples.rows,
            examples.groups,
            [self.stratum(row) for row in examples.rows],
            source,
            validation=validation,
            test=test,
            validation_share=validation_share,
            test_share=test_share,
            seed=self.settings.seed,
            tables=tables,
        )

    def check_examples(self, examples: Examples, splits: Splits) -> None:
        """Refuse examples that nothing can be learned from, before anything is written.

        Raises:
            DataError: says what is missing.
        """

    @abstractmethod
    def prepare(
        self,
        examples: Examples,
        splits: Splits,
        source: Memory,
        work: Path,
        progress: bool | None,
    ) -> tuple[D, list[str]]:
        """What levels are fitted on, and notes.

        Args:
            examples: of all splits.
            splits: of them.
            source: the memory that the examples are from.
            work: folder of the state from which an interrupted fit continues.
            progress: show bars.
        """

    @abstractmethod
    def fit_levels(
        self,
        data: D,
        work: Path,
        show: bool | None,
        report: Callable[[float], None] | None = None,
        start: Any = None,
    ) -> tuple[D, F]:
        """Fit what the settings ask for, and choose a level.

        Args:
            data: to fit on.
            work: folder of the state from which an interrupted fit continues.
            show: progress bars.
            report: is called with the validation score after each epoch of what takes long. Where
                it is given, comparisons are not trained: a search for settings has no use for them.
            start: the predictor whose weights are trained on, in a refit. There the comparisons
                are not trained either.

        Returns:
            The data as the levels saw it, and what was fitted.
        """

    @abstractmethod
    def with_settings(self, data: D) -> D:
        """Data that was made with other settings, for this recipe's: a trial of a search."""

    @abstractmethod
    def without_test(self, data: D) -> D:
        """The data without its test split, which no trial of a search may look at."""

    @abstractmethod
    def validation_scores(self, data: D, fitted: F) -> dict[str, float]:
        """Scores of the chosen level on the validation split: ``measure``, and others it has."""

    def fit_on_all(self, data: D, fitted: F) -> tuple[D, F]:
        """What was chosen, fitted on training and validation examples together; here unchanged."""
        return data, fitted

    @abstractmethod
    def evaluate(self, data: D, fitted: F) -> R:
        """All rows of the report, judged on the test split."""

    @abstractmethod
    def finish(self, data: D, fitted: F, results: R, out: Path) -> Finished:
        """What the fit leaves in its folder."""


AnyRecipe = Recipe[Any, Any, Any]


def fit(
    recipe: Recipe[D, F, R],
    out: Path,
    *,
    after: Callable[[Run, Memory, Examples], object],
    command: str = "",
    **sources: Unpack[Sources],
) -> FitReport:
    """Fit a task; see :func:`ravl.tasks.fit.fit`.

    Args:
        recipe: of the task.
        out: the run's folder.
        after: is called with the run, the memory and the test split once the run can answer.
        command: that the run notes; empty for the process's own.
        **sources: of the examples.

    Raises:
        DataError: a source cannot be read, there is too little to learn from, or the folder is of
            another run.
    """
    began, again = time.monotonic(), sources.get("again")
    recipe.check()
    named = (sources.get("data"), sources.get("validation"), sources.get("test"))
    config = config_of(recipe.name, recipe.memory, recipe.settings, *named, again=again)
    with running(out, config) as work, open_data(recipe, work, **sources) as (data, notes):
        start = None if again is None else again.start
        data, fitted = recipe.fit_levels(data, work, sources.get("progress"), start=start)
        data, fitted = recipe.fit_on_all(data, fitted)
        results = recipe.evaluate(data, fitted)
        done = recipe.finish(data, fitted, results, out)
        run = begin_run(
            out,
            {**done.record, "level": done.level},
            done.arrays,
            memory=data.memory,
            base=done.base,
            examples=data.examples,
            splits=data.splits,
            settings=recipe.settings,
            command=command,
        )
        after(run, data.memory, data.examples.take(data.splits.test))
        seconds = round(time.monotonic() - began, 1)
        notes = [*notes, *done.notes]
        report = FitReport(
            out, recipe.name, done.level, dict(done.metrics), done.table, notes, seconds
        )
        return end_run(report, done.page(report, str(run.record["command"])))


@contextmanager
def open_data(
    recipe: Recipe[D, F, R], work: Path, **sources: Unpack[Sources]
) -> Iterator[tuple[D, list[str]]]:
    """What levels are fitted on, and notes; open while pictures are read.

    Args:
        recipe: of the task.
        work: for the scratch memory of tables, and the state from which an interrupted fit
            continues.
        **sources: of the examples.

    Raises:
        DataError: a source cannot be read, or there is too little to learn from.
    """
    with open_examples(recipe, work, **sources) as (examples, splits, source, notes):
        progress = sources.get("progress")
        data, more = recipe.prepare(examples, splits, source, work, progress)
        yield data, notes + more


@contextmanager
def open_examples(
    recipe: Recipe[D, F, R], work: Path, **sources: Unpack[Sources]
) -> Iterator[tuple[Examples, Splits, Memory, list[str]]]:
    """Examples, their split, the memory that holds them, and notes; open while pictures are read.

    The training split of a table becomes part of the recipe's memory, if its settings say so.
    """
    memory, again = recipe.memory, sources.get("again")
    if again is not None:
        recipe.check_examples(again.examples, again.splits)
        notes = notes_of(again.examples, again.splits)
        yield again.examples, again.splits, again.examples.source, notes
        return
    data, validation, test = (sources.get(name) for name in ("data", "validation", "test"))
    tables = tables_of(data, validation, test)  # type: ignore[arg-type]
    with ExitStack() as stack:
        source, since = memory, memory.version
        if tables:
            columns, root = sources.get("columns"), sources.get("root")
            scratch = read_tables(memory, tables, work, columns, sources.get("progress"), root)
            source = stack.enter_context(scratch)
        examples = recipe.read(source)
        splits = recipe.split(examples, source, tables, filter_of(validation), filter_of(test))  # type: ignore[arg-type]
        notes = notes_of(examples, splits)
        recipe.check_examples(examples, splits)
        if tables and recipe.settings.add_to_memory:
            what = f"fit {recipe.name}: what {data} says"
            if count := remember(memory, examples.take(splits.train), what, since=since):
                notes.append(f"{count:,} rows of the memory are new or changed by the table.")
            examples = recipe.read(source)  # now that the memory shows them
        yield examples, splits, source, notes
