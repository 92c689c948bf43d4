"""The tasks ask, with answers out of a list, and ask with open answers, which a generator writes.

They share a command and the rows that they learn from. ``--answers open`` chooses the second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from ravl.json_types import JsonObject, JsonRecord, JsonValue
from ravl.tasks.contract import Task
from ravl.tasks.options import HOW, WRITING, EvaluateOptions

if TYPE_CHECKING:
    import numpy as np

    from ravl.data import Example
    from ravl.memory import Memory, Row
    from ravl.runs.answers import Answer
    from ravl.runs.run import Run
    from ravl.tasks.ask.fit import AskRecipe
    from ravl.tasks.ask.model import AskPipeline
    from ravl.tasks.ask.results import Reply
    from ravl.tasks.ask.writing import OpenAskPipeline
    from ravl.tasks.caption.fit import TextRecipe
    from ravl.tasks.model import Model
    from ravl.training.examples import Examples
    from ravl.training.loop_settings import LoopSettings
    from ravl.training.refit_hooks import RefitHooks


class _Questions(Task):
    """What both kinds of ask have in common."""

    command = "ask"
    noun = field = "answer"
    summary = "Answer a question about a picture"
    purpose = "answers a question about a picture"
    pipeline_tag = "visual-question-answering"
    beside = "question"
    untrained = True
    measures = ("accuracy", "VQA", "WUPS@0.9", "F1", "log_loss", "ECE", "coverage@5%risk")
    primary = "accuracy"
    generated_column = "generated_qa"
    about = """Fit a model that answers questions about pictures, with the memory's help.

    Learns from the questions and answers in MEMORY, or from a table with columns image, question
    and answer named with --data, whose training part then becomes part of MEMORY; answers are
    chosen from those that occur in training or in MEMORY, or with --answers open written by a
    generator. Ends with five rows on the same questions about test pictures: pretrained, the
    question without its picture, neighbours alone, fine-tuned without retrieval, and with it.
    """

    def answer_type(self) -> type[Reply]:
        """The class of its answers."""
        from ravl.tasks.ask.results import Reply

        return Reply

    def answer_example(self) -> JsonRecord:
        """The fields that an answer has of its own."""
        return {
            "question": "what colour is it?",
            "answer": "red",
            "read": True,
            "quoted": False,
            "written": False,
            "others": [],
        }

    def from_memory(self, memory: Memory) -> AskPipeline:
        """The pipeline of a memory without a run."""
        from ravl.tasks.ask.model import AskPipeline

        return AskPipeline(memory)

    def says(self, row: Row | Example) -> Sequence[str]:
        """The questions of a row."""
        return tuple(qa.question for qa in row.qa if qa.question.strip())

    def stated(self, example: Example) -> Sequence[tuple[str | None, JsonValue]]:
        """The questions of an example, each with its first answer."""
        return [(qa.question, answer) for qa in example.qa for answer in qa.answers[:1]]

    def row_fields(self, right: JsonValue, asked: str | None) -> Mapping[str, object]:
        """An answered question that comes to the row's."""
        from ravl.data import QA

        return {"qa": [QA(asked, (right,))]} if asked else {}

    def generated(self, answer: Any, least: float) -> tuple[str, float]:
        """Replies to several questions as JSON, "" for none, and the least of the confidences."""
        kept = [reply for reply in answer if reply.answer and reply.confidence >= least]
        pairs = [{"question": reply.question, "answer": reply.answer} for reply in kept]
        sure = min((float(reply.confidence) for reply in kept), default=0.0)
        return json.dumps(pairs, ensure_ascii=False) if pairs else "", sure


class AskTask(_Questions):
    """An answer out of those that occur in training or in the memory."""

    name = _Questions.command
    variant = ("answers", "list")
    output_kind = "multiclass"
    levels = {
        "vote": "the vote of the nearest rows of its memory",
        "linear": "a linear head on frozen features, the memory's vote, and a gate between them",
        "fusion": "a language model that reads the picture with its neighbours, the memory's "
        "vote, and a gate between them",
    }

    def settings(self) -> type[LoopSettings]:
        """The class of the settings of a fit."""
        from ravl.tasks.ask.settings import AskSettings

        return AskSettings

    def recipe(self, memory: Memory, settings: Any) -> AskRecipe:
        """What differs in its fit from other tasks."""
        from ravl.tasks.ask.fit import AskRecipe

        return AskRecipe(memory, settings)

    def refit(self, pipeline: Any) -> RefitHooks:
        """How a run is fitted again."""
        from ravl.tasks.ask.entries import in_words
        from ravl.tasks.labels.refit import refit_hooks

        return refit_hooks(pipeline, in_words)

    def evaluate(
        self, model: Model, data: str | Path, **options: Unpack[EvaluateOptions]
    ) -> JsonObject:
        """Judge a loaded run on new questions."""
        from ravl.tasks.labels.evaluate import evaluate_labels

        return evaluate_labels(model, data, **options)

    def load(self, run: Run, memory: Memory) -> AskPipeline:
        """The pipeline of a run."""
        from ravl.tasks.ask.model import AskPipeline

        return AskPipeline(memory, run)

    def answer_examples(
        self, pipeline: Any, examples: Examples, random: np.random.Generator
    ) -> Sequence[Answer]:
        """Answers to answered questions, each without itself as evidence."""
        from ravl.tasks.labels.evaluate import answer_examples

        return answer_examples(pipeline, examples, random)

    def answers_record(self, record: JsonRecord) -> bool:
        """Whether a run that says this in ``run.json`` is of this task."""
        return record.get("task") == self.command and record.get("answers") != "open"


class OpenAskTask(_Questions):
    """An answer that a generator writes."""

    name = "ask_open"
    output_kind = "answers"
    variant = ("answers", "open")
    writes = True
    options = (*HOW, *WRITING)
    picture_size = 448  # for generators that look themselves
    levels = {
        "vote": "the vote of the nearest rows of its memory",
        "generator": "a generator that reads the picture with its neighbours, and a choice "
        "between its texts and the memory's",
    }

    def settings(self) -> type[LoopSettings]:
        """The class of the settings of a fit."""
        from ravl.tasks.ask.settings import OpenAskSettings

        return OpenAskSettings

    def recipe(self, memory: Memory, settings: Any) -> TextRecipe:
        """What differs in its fit from other tasks."""
        from ravl.tasks.ask.fit_open import OPEN
        from ravl.tasks.caption.fit import TextRecipe

        return TextRecipe(OPEN, memory, settings)

    def search_space(self) -> Path:
        """What is tried of the settings of a generator."""
        from ravl.tasks.caption.task import SEARCH_SPACE

        return SEARCH_SPACE

    def refit(self, pipeline: Any) -> RefitHooks:
        """How a run is fitted again."""
        from ravl.tasks.ask.entries import in_words
        from ravl.tasks.caption.refit import refit_hooks

        return refit_hooks(pipeline, in_words)

    def evaluate(
        self, model: Model, data: str | Path, **options: Unpack[EvaluateOptions]
    ) -> JsonObject:
        """Judge a loaded run on new questions."""
        from ravl.tasks.caption.evaluate import evaluate_texts

        return evaluate_texts(model, data, **options)

    def load(self, run: Run, memory: Memory) -> OpenAskPipeline:
        """The pipeline of a run."""
        from ravl.tasks.ask.writing import OpenAskPipeline

        return OpenAskPipeline(memory, run)

    def slow(self, pipeline: Any) -> bool:
        """True where a generator writes."""
        return bool(pipeline.has_generator)

    def answer_examples(
        self, pipeline: Any, examples: Examples, random: np.random.Generator
    ) -> Sequence[Answer]:
        """Answers to answered questions, each without itself as evidence."""
        from ravl.tasks.caption.evaluate import answer_examples

        return answer_examples(pipeline, examples, random)

    def answers_record(self, record: JsonRecord) -> bool:
        """Whether a run that says this in ``run.json`` is of this task."""
        return record.get("task") == self.command and record.get("answers") == "open"
