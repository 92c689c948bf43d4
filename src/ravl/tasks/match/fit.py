"""The recipe by which match is fitted: pairs of pictures and texts, true ones and shuffled ones."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from ravl.errors import DataError
from ravl.evaluation import BINARY, PRIMARY, values
from ravl.memory import Memory
from ravl.retrieval.datastore import Ints
from ravl.runs.row_texts import TextTargets, base_of, readable
from ravl.tasks.match.choose import MatchFitted, fit_levels, unseen_answers
from ravl.tasks.match.dataset import MatchFitData, check, prepare, refuse_false
from ravl.tasks.match.evaluate_test import MatchTestResults, abstention, judge
from ravl.tasks.match.files import arrays_of, describe
from ravl.tasks.match.predictor import MatchPredictor
from ravl.tasks.match.rerank import judge_reranking
from ravl.tasks.match.task import MatchTask
from ravl.training.dual_encoder.pairs import FEWEST
from ravl.training.engine import Finished, Recipe
from ravl.training.examples import Examples, read_labelled
from ravl.training.splits import Splits

LEAST = 2.5  # pictures that a held-out split has at least, or no pair of it could be false
REFUSED = {
    "use_generated": (
        False,
        "match has no such setting: what fits a picture is learned from people's texts alone. "
        "Leave it out.",
    ),
    "tune_vision": (
        "head",
        "match leaves the vision tower as it is: its heads learn on frozen features. Leave "
        "tune_vision at head.",
    ),
    "train_retriever": (
        False,
        "what finds neighbours for match is the retriever itself, which learns from the same "
        "pairs. Leave it off, and train that with: ravl fit search.",
    ),
    "rerank": (
        "",
        "a match run looks at searches again as it is: ravl search --rerank RUN. Leave it out, or "
        "use it with ravl fit classify or tag.",
    ),
}


class MatchRecipe(Recipe[MatchFitData, MatchFitted, MatchTestResults]):
    """How match is fitted.

    Pictures with their texts are true pairs; the same pictures and texts, shuffled within a split,
    are false pairs.

    Args:
        memory: the evidence.
        settings: :class:`ravl.training.fit_settings.FitSettings`.
    """

    name = MatchTask.name
    measure = PRIMARY[BINARY]

    @property
    def targets(self) -> TextTargets:
        """What rows say for the task."""
        return TextTargets(self.settings.column or None)

    def check(self) -> None:
        """Refuse settings that match does not have."""
        for name, (usual, why) in REFUSED.items():
            value = getattr(self.settings, name)
            if value != usual:
                shown = "on" if value is True else repr(value)
                raise DataError(f"{name} is {shown}, but {why}")

    def read(self, source: Memory) -> Examples:
        """Pictures with texts that the encoder reads."""
        if source is not self.memory:
            refuse_false(source)
        task, base = self.targets, base_of(self.memory.encoder)
        examples = read_labelled(source, self.memory, lambda row: readable(task, base, row))
        if len(examples) >= FEWEST:
            return examples
        unread = self._unread(source)
        what = f"a text in the column {task.column!r}" if task.column else "a text"
        aside = f" ({unread:,} texts are in a language that the encoder does not read)"
        raise DataError(
            f"{len(examples)} pictures in {source.path if source is self.memory else 'the data'} "
            f"have {what}{aside if unread else ''}; at least {FEWEST} are needed to fit match. "
            "Index captions, name a table with --data that has columns image and caption, or name "
            "the column with --column."
        )

    def shares(self, examples: Examples) -> tuple[float, float]:
        """Shares of validation and test, enough for a false pair in each."""
        least = min(0.4, LEAST / len(np.unique(examples.groups)))
        settings = self.settings
        return max(settings.validation_share, least), max(settings.test_share, least)

    def split(
        self,
        examples: Examples,
        source: Memory,
        tables: Collection[str],
        validation: str | None,
        test: str | None,
    ) -> Splits:
        """The split of the examples, with two pictures at least in each held-out split."""
        splits = super().split(examples, source, tables, validation, test)
        for name in ("validation", "test"):
            part: Ints = getattr(splits, name)
            if len(np.unique(examples.groups[part])) < 2:
                raise DataError(
                    f"{len(part)} picture is left for {name}, and near-duplicates of it; it takes "
                    "two for a false pair. Give this part more, with another share or filter."
                )
        return splits

    def check_examples(self, examples: Examples, splits: Splits) -> None:
        """Refuse texts that nothing can be learned from."""
        check(self.targets, base_of(self.memory.encoder), examples, splits)

    def prepare(
        self,
        examples: Examples,
        splits: Splits,
        source: Memory,
        work: Path,  # noqa: ARG002 (nothing takes long here)
        progress: bool | None,  # noqa: ARG002 (the same)
    ) -> tuple[MatchFitData, list[str]]:
        """Pairs, evidence and what the memory knows of each pair."""
        notes = []
        if unread := self._unread(source):
            notes.append(
                f"{unread:,} texts are set aside, since the encoder does not read their language."
            )
        return prepare(self.memory, self.targets, self.settings, examples, splits), notes

    def fit_levels(
        self,
        data: MatchFitData,
        work: Path,
        show: bool | None,
        report: Callable[[float], None] | None = None,
        start: MatchPredictor | None = None,
    ) -> tuple[MatchFitData, MatchFitted]:
        """Fit what the memory says, a pair of heads, and a fusion model, and choose."""
        return data, fit_levels(data, work, show, report, start=start)

    def with_settings(self, data: MatchFitData) -> MatchFitData:
        """The data with these settings."""
        return replace(data, settings=self.settings)

    def without_test(self, data: MatchFitData) -> MatchFitData:
        """The data with the validation pairs in place of the test pairs."""
        return replace(data, test=data.validation)

    def validation_scores(self, data: MatchFitData, fitted: MatchFitted) -> dict[str, float]:
        """Scores of the chosen level on the validation pairs."""
        found = unseen_answers(data, fitted, fitted.chosen)
        return values(BINARY, found, data.validation.targets)

    def evaluate(self, data: MatchFitData, fitted: MatchFitted) -> MatchTestResults:
        """All rows of the report, judged on the test pairs."""
        return judge(data, fitted.levels, fitted.chosen)

    def finish(
        self, data: MatchFitData, fitted: MatchFitted, results: MatchTestResults, out: Path
    ) -> Finished:
        """The chosen level, its report, and what it gains as a reranker of searches."""
        from ravl.tasks.match.report import page_of, rows_table
        from ravl.training.report_parts import scores_json

        predictor = fitted.levels[fitted.chosen]
        gain = judge_reranking(data, predictor)
        metrics = scores_json(results, fitted) | {"abstain": abstention(results, predictor, data)}
        metrics["rerank"] = gain.to_json()
        return Finished(
            fitted.chosen,
            {**describe(predictor), "rerank": {"weight": gain.weight, "depth": gain.depth}},
            arrays_of(predictor, out),
            data.base,
            metrics,
            rows_table(data, results, fitted),
            lambda report, command: page_of(data, fitted, results, gain, report, command),
        )

    def _unread(self, source: Memory) -> int:
        """How many texts are set aside for their language."""
        reads, task = base_of(self.memory.encoder).supports_language, self.targets
        return sum(not reads(text) for row in source.rows() if row.hash for text in task.of(row))
