"""The tasks ask, with answers out of a list, and ask with open answers, which a generator writes.

They share a command and the rows that they learn from. ``--answers open`` chooses the second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ravl.json_types import JsonRecord, JsonValue
from ravl.tasks.caption.task import WritingTask
from ravl.tasks.contract import Task
from ravl.tasks.labels.task import ChoosingTask

if TYPE_CHECKING:
    from ravl.data import Example
    from ravl.memory import Memory, Row
    from ravl.runs.run import Run
    from ravl.tasks.ask.fit import AskRecipe
    from ravl.tasks.ask.model import AskPipeline
    from ravl.tasks.ask.results import Reply
    from ravl.tasks.ask.writing import OpenAskPipeline
    from ravl.training.engine import Recipe
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
    and answer named with --data, whose training split then becomes part of MEMORY; answers are
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

    def refit(self, pipeline: Any) -> RefitHooks:
        """How a run is fitted again; people are shown the questions with the answers."""
        from ravl.tasks.ask.entries import in_words

        return replace(super().refit(pipeline), words=in_words)

    def from_memory(self, memory: Memory) -> AskPipeline:
        """The pipeline of a memory without a run."""
        from ravl.tasks.ask.model import AskPipeline

        return AskPipeline(memory)

    def answers_record(self, record: JsonRecord) -> bool:
        """Whether a run that says this in ``run.json`` is of this task."""
        answers = record.get("answers", "list")
        return record.get("task") == self.command and self.variant == ("answers", answers)

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


class AskTask(_Questions, ChoosingTask):
    """An answer out of those that occur in training or in the memory."""

    name = _Questions.command
    variant = ("answers", "list")
    output_kind = "multiclass"

    def settings(self) -> type[LoopSettings]:
        """The class of the settings of a fit."""
        from ravl.tasks.ask.settings import AskSettings

        return AskSettings

    def recipe(self, memory: Memory, settings: Any) -> AskRecipe:
        """What differs in its fit from other tasks."""
        from ravl.tasks.ask.fit import AskRecipe

        return AskRecipe(memory, settings)

    def load(self, run: Run, memory: Memory) -> AskPipeline:
        """The pipeline of a run."""
        from ravl.tasks.ask.model import AskPipeline

        return AskPipeline(memory, run)


class OpenAskTask(_Questions, WritingTask):
    """An answer that a generator writes."""

    name = "ask_open"
    output_kind = "answers"
    variant = ("answers", "open")

    def settings(self) -> type[LoopSettings]:
        """The class of the settings of a fit."""
        from ravl.tasks.ask.settings import OpenAskSettings

        return OpenAskSettings

    def recipe(self, memory: Memory, settings: Any) -> Recipe[Any, Any, Any]:
        """What differs in its fit from other tasks."""
        from ravl.tasks.ask.fit_open import OPEN
        from ravl.tasks.caption.fit import TextRecipe

        return TextRecipe(OPEN, memory, settings)

    def load(self, run: Run, memory: Memory) -> OpenAskPipeline:
        """The pipeline of a run."""
        from ravl.tasks.ask.writing import OpenAskPipeline

        return OpenAskPipeline(memory, run)
