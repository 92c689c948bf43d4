"""The task match: whether a text fits a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from ravl.json_types import JsonObject, JsonRecord, JsonValue
from ravl.tasks.contract import Task
from ravl.tasks.options import EvaluateOptions

if TYPE_CHECKING:
    import numpy as np

    from ravl.data import Example
    from ravl.memory import Memory, Row
    from ravl.runs.answers import Answer
    from ravl.runs.run import Run
    from ravl.tasks.match.fit import MatchRecipe
    from ravl.tasks.match.model import MatchPipeline
    from ravl.tasks.match.results import Matching
    from ravl.tasks.model import Model
    from ravl.training.examples import Examples
    from ravl.training.fit_settings import FitSettings
    from ravl.training.refit_hooks import RefitHooks

TRUTHS = {"true": True, "false": False}  # as forms send them


class MatchTask(Task):
    """Whether a text fits a picture."""

    name = command = noun = "match"
    output_kind = "binary"
    field = "fits"
    summary = "Judge whether a text fits a picture"
    purpose = "judges whether a text fits a picture"
    pipeline_tag = "zero-shot-image-classification"
    beside = "text"
    reranks = True
    measures = ("AUC", "accuracy", "average_precision", "log_loss", "ECE")
    primary = "AUC"
    levels = {
        "vote": "the texts of the nearest rows of its memory",
        "linear": "a pair of contrastively trained heads, the texts of the memory, and a stack of "
        "both",
        "fusion": "a language model that reads text and picture with the neighbours, a pair of "
        "heads, the texts of the memory, and a stack of all",
    }
    about = """Fit a model that judges whether a text fits a picture, with the memory's help.

    Learns from the pictures and texts in MEMORY, or from a table named with --data.
    """

    def settings(self) -> type[FitSettings]:
        """The class of the settings of a fit."""
        from ravl.training.fit_settings import FitSettings

        return FitSettings

    def recipe(self, memory: Memory, settings: Any) -> MatchRecipe:
        """What differs in its fit from other tasks."""
        from ravl.tasks.match.fit import MatchRecipe

        return MatchRecipe(memory, settings)

    def refit(self, pipeline: Any) -> RefitHooks:
        """How a run is fitted again."""
        from ravl.tasks.match.refit import refit_hooks

        return refit_hooks(pipeline)

    def evaluate(
        self, model: Model, data: str | Path, **options: Unpack[EvaluateOptions]
    ) -> JsonObject:
        """Judge a loaded run on new pictures with texts."""
        from ravl.tasks.match.evaluate import evaluate_match

        return evaluate_match(model, data, **options)

    def load(self, run: Run, memory: Memory) -> MatchPipeline:
        """The pipeline of a run."""
        from ravl.tasks.match.model import MatchPipeline

        return MatchPipeline(run, memory)

    def asks(self, pipeline: Any, row: Row | Example) -> Sequence[str]:
        """The texts of a row that the encoder reads."""
        from ravl.runs.row_texts import readable

        return readable(pipeline.match_predictor.task, pipeline.base, row)

    def answer_examples(
        self, pipeline: Any, examples: Examples, random: np.random.Generator
    ) -> Sequence[Answer]:
        """Answers to pictures with their texts, each without itself as evidence."""
        from ravl.tasks.match.evaluate import answer_examples

        return answer_examples(pipeline, examples, random)

    def answer_type(self) -> type[Matching]:
        """The class of its answers."""
        from ravl.tasks.match.results import Matching

        return Matching

    def answer_example(self) -> JsonRecord:
        """The fields that an answer has of its own."""
        return {
            "text": "a red shirt",
            "fits": True,
            "score": 0.93,
            "read": True,
            "signals": {"similarity": 0.31},
        }

    def says(self, row: Row | Example) -> Sequence[str]:
        """The texts of a row."""
        return row.texts

    def row_fields(self, right: JsonValue, asked: str | None) -> Mapping[str, object]:
        """A text that fits comes to the row's texts."""
        return {"texts": [asked]} if right and asked else {}

    def shaped(self, value: JsonValue) -> JsonValue:
        """True or false.

        Raises:
            ValueError: it is neither.
        """
        one = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(one, bool):
            return one
        if not isinstance(one, str) or one not in TRUTHS:
            raise ValueError(f"an answer of {self.command} is true or false")
        return TRUTHS[one]
