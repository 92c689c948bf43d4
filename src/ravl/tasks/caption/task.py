"""The task caption: a text about a picture."""

from __future__ import annotations

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
    from ravl.tasks.caption.fit import TextRecipe
    from ravl.tasks.caption.model import CaptionPipeline
    from ravl.tasks.caption.results import Caption
    from ravl.tasks.caption.settings import CaptionSettings
    from ravl.tasks.model import Model
    from ravl.training.examples import Examples
    from ravl.training.refit_hooks import RefitHooks

SEARCH_SPACE = Path(__file__).with_name("search_space.yaml")
LEVELS = {
    "vote": "what the texts of the nearest rows of its memory agree with most",
    "generator": "a generator that reads the picture with its neighbours, and a choice between its "
    "texts and the memory's",
}


class WritingTask(Task):
    """What tasks have in common whose answers are texts that a generator writes."""

    writes = True
    options = (*HOW, *WRITING)
    picture_size = 448  # for generators that look themselves
    levels = LEVELS

    def search_space(self) -> Path:
        """What is tried of the settings of a generator."""
        return SEARCH_SPACE

    def refit(self, pipeline: Any) -> RefitHooks:
        """How a run is fitted again."""
        from ravl.tasks.caption.refit import refit_hooks

        return refit_hooks(pipeline)

    def evaluate(
        self, model: Model, data: str | Path, **options: Unpack[EvaluateOptions]
    ) -> JsonObject:
        """Judge a loaded run on new pictures with texts."""
        from ravl.tasks.caption.evaluate import evaluate_texts

        return evaluate_texts(model, data, **options)

    def slow(self, pipeline: Any) -> bool:
        """True where a generator writes."""
        return bool(pipeline.has_generator)

    def answer_examples(
        self, pipeline: Any, examples: Examples, random: np.random.Generator
    ) -> Sequence[Answer]:
        """Answers to pictures, each without itself as evidence."""
        from ravl.tasks.caption.evaluate import answer_examples

        return answer_examples(pipeline, examples, random)


class CaptionTask(WritingTask):
    """A text about a picture, as the memory's texts are."""

    name = command = noun = "caption"
    output_kind = "captions"
    field = "text"
    summary = "Describe a picture"
    purpose = "describes a picture in a sentence"
    pipeline_tag = "image-to-text"
    untrained = True
    measures = ("CIDEr-D", "BLEU-4", "ROUGE-L", "valid")
    primary = "CIDEr-D"
    single = False
    generated_column = "generated_caption"
    about = """Fit a model that describes pictures, with the memory's help.

    Learns from the captions in MEMORY, from the texts of another --column, or from a table named
    with --data, whose training split then becomes part of MEMORY. Ends with four rows on the same
    test pictures: pretrained, neighbours' texts alone, fine-tuned without retrieval, and with it.
    """

    def settings(self) -> type[CaptionSettings]:
        """The class of the settings of a fit."""
        from ravl.tasks.caption.settings import CaptionSettings

        return CaptionSettings

    def recipe(self, memory: Memory, settings: Any) -> TextRecipe:
        """What differs in its fit from other tasks."""
        from ravl.tasks.caption.fit import TextRecipe
        from ravl.tasks.caption.writing_task import CAPTION

        return TextRecipe(CAPTION, memory, settings)

    def load(self, run: Run, memory: Memory) -> CaptionPipeline:
        """The pipeline of a run."""
        from ravl.tasks.caption.model import CaptionPipeline

        return CaptionPipeline(memory, run)

    def from_memory(self, memory: Memory) -> CaptionPipeline:
        """The pipeline of a memory without a run."""
        from ravl.tasks.caption.model import CaptionPipeline

        return CaptionPipeline(memory)

    def answer_type(self) -> type[Caption]:
        """The class of its answers."""
        from ravl.tasks.caption.results import Caption

        return Caption

    def answer_example(self) -> JsonRecord:
        """The fields that an answer has of its own."""
        return {
            "text": "a red checked shirt",
            "written": True,
            "parts": {"a red checked": "shirts/7.jpg", "shirt": "shirts/12.jpg"},
            "others": [],
            "signals": {"support": 0.4},
        }

    def says(self, row: Row | Example) -> Sequence[str]:
        """The texts of a row."""
        return row.texts

    def stated(self, example: Example) -> Sequence[tuple[str | None, JsonValue]]:
        """The texts of an example, each an answer."""
        return [(None, text) for text in example.texts]

    def row_fields(self, right: JsonValue, asked: str | None) -> Mapping[str, object]:
        """A text that comes to the row's texts."""
        return {"texts": [right]}
