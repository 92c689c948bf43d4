"""What the task is: its words for people, and where its parts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravl.tasks.contract import Task

if TYPE_CHECKING:
    from ravl.data import Example
    from ravl.memory import Memory, Row
    from ravl.runs.run import Run

    from .fit import RateRecipe
    from .model import RatePipeline
    from .results import Rating
    from .settings import RateSettings

COLUMN = "number"  # where a correction goes, and the usual column of a fit


class RateTask(Task):
    """A number for a picture."""

    name = command = "rate"
    output_kind = "numbers"
    noun = field = "number"
    summary = "Give a picture a number"
    purpose = "gives a picture a number, such as a price"
    measures = ("MAE",)
    primary = "MAE"
    levels = {
        "vote": "the mean of the numbers of the nearest rows of its memory",
        "linear": "a ridge regression on frozen features, and the numbers of the nearest rows",
    }
    about = """Fit a model that gives pictures a number, with the memory's help.

    Learns from a column of MEMORY, or of a table named with --data.
    """

    def settings(self) -> type[RateSettings]:
        """The class of the settings of a fit."""
        from .settings import RateSettings

        return RateSettings

    def recipe(self, memory: Memory, settings: Any) -> RateRecipe:
        """What differs in its fit from other tasks."""
        from .fit import RateRecipe

        return RateRecipe(memory, settings)

    def evaluate(self, model: Any, data: str | Path, **options: Any) -> dict[str, Any]:
        """Judge a loaded run on new pictures with numbers."""
        from .evaluate import evaluate_rates

        return evaluate_rates(model, data, **options)

    def load(self, run: Run, memory: Memory) -> RatePipeline:
        """The pipeline of a run."""
        from .model import RatePipeline

        return RatePipeline(run, memory)

    def answer_type(self) -> type[Rating]:
        """The class of its answers."""
        from .results import Rating

        return Rating

    def answer_example(self) -> Mapping[str, Any]:
        """The fields that an answer has of its own."""
        return {"number": 34.9, "error": 3.2}

    def says(self, row: Row | Example) -> Sequence[str]:
        """The number of a row, as a text."""
        value = row.columns.get(COLUMN)
        return () if value is None else (str(value),)

    def row_fields(self, right: Any, asked: str | None) -> Mapping[str, Any]:
        """A row's number."""
        return {"columns": {COLUMN: float(right)}}

    def shaped(self, value: Any) -> str:
        """A number, as a text.

        Raises:
            ValueError: the value is not a number.
        """
        text = str(super().shaped(str(value) if isinstance(value, int | float) else value))
        float(text)
        return text

    def search_space(self) -> Path:
        """The settings that ``ravl tune`` varies."""
        return Path(__file__).with_name("search_space.yaml")
