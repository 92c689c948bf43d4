"""The tasks classify and tag: one label, or several, out of those that are known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from ravl.json_types import JsonObject, JsonRecord, JsonValue
from ravl.tasks.contract import Task, list_of_texts
from ravl.tasks.options import EvaluateOptions

if TYPE_CHECKING:
    import numpy as np

    from ravl.data import Example
    from ravl.memory import Memory, Row
    from ravl.runs.answers import Answer, Classification, Tagging
    from ravl.runs.run import Run
    from ravl.tasks.labels.fit import LabelRecipe
    from ravl.tasks.labels.model import LabelPipeline
    from ravl.tasks.model import Model
    from ravl.training.examples import Examples
    from ravl.training.fit_settings import FitSettings
    from ravl.training.refit_hooks import RefitHooks

LEVELS = {
    "vote": "the vote of the nearest rows of its memory",
    "linear": "a linear head on frozen features, the memory's vote, and a gate between them",
    "fusion": "a language model that reads the picture with its neighbours, the memory's vote, and "
    "a gate between them",
}


class ChoosingTask(Task):
    """What tasks have in common whose answers are chosen among names that are known."""

    levels = LEVELS

    def refit(self, pipeline: Any) -> RefitHooks:
        """How a run is fitted again."""
        from ravl.tasks.labels.refit import refit_hooks

        return refit_hooks(pipeline)

    def evaluate(
        self, model: Model, data: str | Path, **options: Unpack[EvaluateOptions]
    ) -> JsonObject:
        """Judge a loaded run on new pictures."""
        from ravl.tasks.labels.evaluate import evaluate_labels

        return evaluate_labels(model, data, **options)

    def answer_examples(
        self, pipeline: Any, examples: Examples, random: np.random.Generator
    ) -> Sequence[Answer]:
        """Answers to pictures, each without itself as evidence."""
        from ravl.tasks.labels.evaluate import answer_examples

        return answer_examples(pipeline, examples, random)


class _LabelTask(ChoosingTask):
    """What classify and tag have in common."""

    pipeline_tag = "image-classification"
    untrained = True

    def settings(self) -> type[FitSettings]:
        """The class of the settings of a fit."""
        from ravl.training.fit_settings import FitSettings

        return FitSettings

    def recipe(self, memory: Memory, settings: Any) -> LabelRecipe:
        """What differs in its fit from other tasks."""
        from ravl.tasks.labels.fit import LabelRecipe

        return LabelRecipe(self.name, memory, settings)

    def from_memory(self, memory: Memory) -> LabelPipeline:
        """The pipeline of a memory without a run."""
        from ravl.tasks.labels.model import UntrainedLabels

        return UntrainedLabels(self.name, memory)

    def load(self, run: Run, memory: Memory) -> LabelPipeline:
        """The pipeline of a run."""
        from ravl.tasks.labels.model import LabelPipeline

        return LabelPipeline(run, memory)


class ClassifyTask(_LabelTask):
    """One label for a picture."""

    name = command = "classify"
    output_kind = "multiclass"
    noun = field = "label"
    summary = "Give a picture a label"
    purpose = "gives a picture one label"
    measures = ("accuracy", "macro_f1", "log_loss", "ECE", "coverage@5%risk")
    primary = "accuracy"
    generated_column = "generated_label"
    about = """Fit a model that gives pictures one label, with the memory's help.

    Learns from the labels in MEMORY, or from a table or folder of class folders named with --data,
    whose training split then becomes part of MEMORY. Ends with four rows on the same test pictures:
    pretrained, neighbours alone, fine-tuned without retrieval, and with it.
    """

    def answer_type(self) -> type[Classification]:
        """The class of its answers."""
        from ravl.runs.answers import Classification

        return Classification

    def answer_example(self) -> JsonRecord:
        """The fields that an answer has of its own."""
        return {"label": "shirt"}

    def says(self, row: Row | Example) -> Sequence[str]:
        """The label of a row."""
        return (row.label,) if row.label else ()

    def stated(self, example: Example) -> Sequence[tuple[str | None, JsonValue]]:
        """The label of an example."""
        return [(None, example.label)] if example.label else []

    def row_fields(self, right: JsonValue, asked: str | None) -> Mapping[str, object]:
        """A row's label."""
        return {"label": right}


class TagTask(_LabelTask):
    """Any number of tags for a picture."""

    name = command = noun = "tag"
    output_kind = "multilabel"
    field = "tags"
    summary = "Give a picture tags"
    purpose = "gives a picture keywords"
    measures = ("mAP", "micro_f1", "macro_f1", "log_loss", "ECE")
    primary = "mAP"
    single = False
    generated_column = "generated_tags"
    about = """Fit a model that gives pictures keywords, with the memory's help.

    As `ravl fit classify`, with any number of tags for a picture; each tag's threshold is chosen
    on held-out pictures.
    """

    def answer_type(self) -> type[Tagging]:
        """The class of its answers."""
        from ravl.runs.answers import Tagging

        return Tagging

    def answer_example(self) -> JsonRecord:
        """The fields that an answer has of its own."""
        return {"tags": ["new", "checked"]}

    def says(self, row: Row | Example) -> Sequence[str]:
        """The tags of a row."""
        return row.tags

    def stated(self, example: Example) -> Sequence[tuple[str | None, JsonValue]]:
        """The tags of an example, as one answer."""
        return [(None, list(example.tags))] if example.tags else []

    def row_fields(self, right: JsonValue, asked: str | None) -> Mapping[str, object]:
        """A row's tags."""
        return {"tags": right}

    def shaped(self, value: JsonValue) -> JsonValue:
        """A list of texts.

        Raises:
            ValueError: it is neither a text nor a list of texts.
        """
        return list_of_texts(value, self.command)

    def generated(self, answer: Any, least: float) -> tuple[str, float]:
        """The tags as JSON, "" for none, and the confidence."""
        tags = json.dumps(list(answer.tags), ensure_ascii=False) if answer.tags else ""
        return tags, float(answer.confidence)
