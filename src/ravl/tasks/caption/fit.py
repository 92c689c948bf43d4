"""The recipe by which tasks that write are fitted: captions, and open answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ravl.evaluation.generation.quality import Quality, QualityBar
from ravl.memory import Memory
from ravl.models.generation.schemas import read_schema
from ravl.runs.row_texts import base_of
from ravl.tasks.caption.choose import TextFitted, fit_levels
from ravl.tasks.caption.dataset import TextFitData, TextSplit, enough, prepare
from ravl.tasks.caption.evaluate_test import TextTestResults, abstention, judge
from ravl.tasks.caption.files import arrays_of, describe
from ravl.tasks.caption.predictor import TextPredictor
from ravl.tasks.caption.targets import CaptionTargets
from ravl.tasks.caption.writing_task import WritingTask
from ravl.training.engine import Finished, Recipe
from ravl.training.examples import Examples
from ravl.training.splits import Splits


class TextRecipe(Recipe[TextFitData, TextFitted, TextTestResults]):
    """How a task that writes is fitted.

    Args:
        writing: what this task has of its own.
        memory: the evidence.
        settings: :class:`ravl.training.text_settings.TextSettings`.
    """

    def __init__(self, writing: WritingTask, memory: Memory, settings: Any) -> None:
        super().__init__(memory, settings)
        self.writing = writing
        self.name = self.targets.name
        self.measure = writing.measure
        self._quality: tuple[TextSplit, Quality, QualityBar] | None = None

    @property
    def targets(self) -> CaptionTargets:
        """What rows say for the task."""
        return self.writing.task(self.memory, self.settings)

    def check(self) -> None:
        """Refuse a schema that cannot be read."""
        if self.settings.schema:
            read_schema(Path(self.settings.schema))

    def check_examples(self, examples: Examples, splits: Splits) -> None:
        """Refuse too few training examples."""
        task = self.targets
        enough(task.count(examples.take(splits.train).rows), task)

    def prepare(
        self,
        examples: Examples,
        splits: Splits,
        source: Memory,  # noqa: ARG002 (the examples know it)
        work: Path,
        progress: bool | None,
    ) -> tuple[TextFitData, list[str]]:
        """Evidence, neighbours and texts of every split; parts of pictures where they are seen."""
        settings = self.settings
        data = prepare(self.memory, self.targets, settings, examples, splits)
        if settings.regions and settings.generator == "builtin" and settings.model != "vote":
            from ravl.tasks.caption.crops import look_closer

            data = look_closer(data, work, progress)
        return (data if self.writing.ready is None else self.writing.ready(data)), []

    def quality(self, data: TextFitData) -> tuple[Quality, QualityBar]:
        """The quality of texts, and what counts as good; measured once for the same data."""
        if self._quality is None or self._quality[0] is not data.train:
            quality = self.writing.quality(data.train.texts)
            good = self.writing.good(quality, data.validation.texts)
            self._quality = data.train, quality, good
        return self._quality[1:]

    def fit_levels(
        self,
        data: TextFitData,
        work: Path,
        show: bool | None,
        report: Callable[[float], None] | None = None,
        start: TextPredictor | None = None,
    ) -> tuple[TextFitData, TextFitted]:
        """Fit the neighbours' texts and a generator, and choose."""
        quality, good = self.quality(data)
        how: Any = {"quality": quality, "good": good, "writing": self.writing}
        return data, fit_levels(data, work, show, report=report, start=start, **how)

    def with_settings(self, data: TextFitData) -> TextFitData:
        """The data with these settings."""
        return replace(data, settings=self.settings)

    def without_test(self, data: TextFitData) -> TextFitData:
        """The data with the validation split in place of the test split."""
        return replace(data, test=data.validation)

    def validation_scores(self, data: TextFitData, fitted: TextFitted) -> dict[str, float]:
        """Quality of the chosen level's texts on the validation split."""
        kept = fitted.finished[fitted.chosen]
        score = self.writing.score(kept.rated, self.quality(data)[1].least)
        return {self.measure: score, "log_loss": kept.log_loss}

    def evaluate(self, data: TextFitData, fitted: TextFitted) -> TextTestResults:
        """All rows of the report, judged on the test split."""
        quality, good = self.quality(data)
        return judge(data, fitted.levels, fitted.chosen, quality, good, self.writing)

    def finish(
        self, data: TextFitData, fitted: TextFitted, results: TextTestResults, out: Path
    ) -> Finished:
        """The chosen level and its report."""
        from ravl.tasks.caption.report import LEVELS, RETRIEVAL, page_of, rows_table
        from ravl.training.report_parts import scores_json

        predictor = fitted.levels[fitted.chosen]
        safe = abstention(results, predictor, data.settings.target_risk)
        return Finished(
            fitted.chosen,
            describe(predictor),
            arrays_of(predictor, out),
            base_of(data.memory.encoder),
            scores_json(results, fitted, LEVELS, RETRIEVAL) | {"abstain": safe},
            rows_table(self.writing, data, results, fitted),
            lambda report, command: page_of(self.writing, data, fitted, results, report, command),
        )
