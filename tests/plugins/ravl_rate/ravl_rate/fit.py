"""The recipe by which rate is fitted: the engine of ravl does the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.memory import Memory
from ravl.retrieval.datastore import Datastore, Neighbours
from ravl.retrieval.key_projection import KeyProjection
from ravl.training.engine import Finished, Recipe
from ravl.training.evidence_bank import evidence
from ravl.training.examples import Examples
from ravl.training.fit_log import FitLog
from ravl.training.splits import SPLIT_NAMES, Splits

from .evaluate import TestResults, evaluate_test
from .predictor import RatePredictor
from .settings import RateSettings
from .targets import NumberTargets

KS = (1, 2, 4, 8, 16)
RIDGES = (0.01, 0.1, 1.0, 10.0, 100.0)
SHARES = np.linspace(0, 1, 11)


@dataclass(frozen=True, eq=False)
class Split:
    """One split: its examples, their numbers (n,), and their neighbours that have a number."""

    examples: Examples
    numbers: Array
    neighbours: Neighbours


@dataclass(frozen=True, eq=False)
class RateData:
    """What levels are fitted on.

    Args:
        memory: whose rows are evidence.
        settings: of the fit.
        targets: what rows say.
        labelled: all examples.
        splits: their split.
        bank: rows that may be evidence.
        numbers: of these rows, (N,).
        keys: by which neighbours are found.
        by_split: the pictures by name of the split.
    """

    memory: Memory
    settings: RateSettings
    targets: NumberTargets
    examples: Examples
    splits: Splits
    datastore: Datastore
    numbers: Array
    keys: KeyProjection
    by_split: dict[str, Split]


@dataclass(kw_only=True)
class Fitted(FitLog):
    """What a fit has made: predictors by level."""

    levels: dict[str, RatePredictor] = field(default_factory=dict)


class RateRecipe(Recipe[RateData, Fitted, TestResults]):
    """How rate is fitted."""

    name = "rate"
    measure = "MAE"

    @property
    def targets(self) -> NumberTargets:
        """What rows say for the task."""
        return NumberTargets(self.settings.column)

    def check_examples(self, examples: Examples, splits: Splits) -> None:
        """Refuse too few numbers."""
        if len(splits.train) < 2:
            raise DataError("One picture with a number is left for training; it takes two.")

    def prepare(
        self,
        examples: Examples,
        splits: Splits,
        source: Memory,
        work: Path,
        progress: bool | None,
    ) -> tuple[RateData, list[str]]:
        """Evidence, neighbours and numbers of every split."""
        taken = {name: examples.take(getattr(splits, name)) for name in SPLIT_NAMES}
        datastore, keys = evidence(self.memory, [taken["validation"], taken["test"]])
        numbers = self.targets.numbers(list(datastore.rows))

        def split(part: Examples) -> Split:
            neighbours = datastore.neighbours(
                keys(part.features), max(KS), part.shown, ~np.isnan(numbers)
            )
            return Split(part, self.targets.numbers(part.rows), neighbours)

        by_split = {name: split(part) for name, part in taken.items()}
        numbers = np.nan_to_num(numbers)
        data = RateData(
            self.memory,
            self.settings,
            self.targets,
            examples,
            splits,
            datastore,
            numbers,
            keys,
            by_split,
        )
        return data, []

    def fit_levels(
        self,
        data: RateData,
        work: Path,
        show: bool | None,
        report: Callable[[float], None] | None = None,
        start: RatePredictor | None = None,
    ) -> tuple[RateData, Fitted]:
        """Fit the vote and the ridge regression, and choose."""
        fitted = Fitted()
        held, settings = data.by_split["validation"], data.settings
        usual = float(np.median(data.by_split["train"].numbers))
        votes = [RatePredictor(data.keys, k, usual) for k in ((settings.k,) if settings.k else KS)]
        vote = min(votes, key=lambda each: _error(each.vote(*_seen(data, held, each.k))[0], held))
        fitted.levels["vote"] = replace(vote, error=_error(_vote(data, held, vote), held))
        fitted.validation["vote"] = fitted.levels["vote"].error
        if settings.model == "vote":
            return data, fitted
        fitted.levels["linear"] = linear = _linear(data, vote)
        fitted.validation["linear"] = linear.error
        better = linear.error <= fitted.levels["vote"].error
        fitted.chosen = "linear" if settings.model == "linear" or better else "vote"
        return data, fitted

    def with_settings(self, data: RateData) -> RateData:
        """The data with these settings."""
        return replace(data, settings=self.settings)

    def without_test(self, data: RateData) -> RateData:
        """The data with the validation split in place of the test split."""
        return replace(data, by_split={**data.by_split, "test": data.by_split["validation"]})

    def validation_scores(self, data: RateData, fitted: Fitted) -> dict[str, float]:
        """The score of the chosen level on the validation split."""
        return {self.measure: fitted.levels[fitted.chosen].error}

    def evaluate(self, data: RateData, fitted: Fitted) -> TestResults:
        """All rows of the report, judged on the test split."""
        test, best = data.by_split["test"], fitted.levels[fitted.chosen]
        vote = _vote(data, test, best)
        rows = {
            "zero_shot": np.full(len(test.numbers), best.usual, np.float32),
            "vote": vote,
            "with_retrieval": best.mixed(vote, best.model(test.examples.features)),
        }
        if best.weight is not None:
            rows["no_retrieval"] = best.model(test.examples.features)
        return evaluate_test(rows, test.numbers, test.examples.groups, data.settings.seed)

    def finish(self, data: RateData, fitted: Fitted, results: TestResults, out: Path) -> Finished:
        """The chosen level and its report."""
        from ravl.training.report_parts import scores_json

        from .report import page_of, rows_table

        best = fitted.levels[fitted.chosen]
        return Finished(
            fitted.chosen,
            {"task": self.name, "column": data.settings.column},
            best.arrays(),
            data.memory.encoder,
            scores_json(results, fitted),
            rows_table(results, data),
            lambda report, command: page_of(results, data, fitted, report, command),
        )


def _seen(data: RateData, split: Split, k: int) -> tuple[Neighbours, Array]:
    return split.neighbours.first(k), data.numbers


def _vote(data: RateData, split: Split, predictor: RatePredictor) -> Array:
    return predictor.vote(*_seen(data, split, predictor.k))[0]


def _error(given: Array, split: Split) -> float:
    return float(np.abs(given - split.numbers).mean())


def _linear(data: RateData, vote: RatePredictor) -> RatePredictor:
    """The ridge regression and the share of the vote that are best on validation."""
    train, held = data.by_split["train"], data.by_split["validation"]
    features, numbers = train.examples.features, train.numbers
    mean, bias = features.mean(0), float(numbers.mean())
    centred = features - mean
    gram, moment = centred.T @ centred, centred.T @ (numbers - bias)
    voted, best = _vote(data, held, vote), vote
    least = float("inf")
    for ridge in RIDGES:
        scale = ridge * float(np.trace(gram)) / len(gram)
        weight = np.linalg.solve(gram + scale * np.eye(len(gram)), moment).astype(np.float32)
        tried = replace(vote, weight=weight, bias=bias - float(mean @ weight))
        own = tried.model(held.examples.features)
        for share in SHARES.tolist():
            mixture = replace(tried, share=share)
            error = _error(mixture.mixed(voted, own), held)
            if error < least:
                best, least = replace(mixture, error=error), error
    return best
