"""What people say about answers: the bodies of feedback, with their examples."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from ravl.errors import DataError
from ravl.serving.bodies import Body, PictureIn, Text, Texts, example, picture_field
from ravl.serving.results import TASK
from ravl.tasks import registry


def _known(task: str) -> str:
    if task not in registry.commands():
        raise ValueError(f"there is no task {task!r}; there are {', '.join(registry.commands())}")
    return task


TaskName = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": list(registry.commands())}),
]
Said = Text | bool | int | float | Texts  # an answer as JSON has it


class FeedbackIn(Body):
    """What somebody says about an answer."""

    model_config = example(
        task=TASK,
        run="kinds",
        version=12,
        picture={"id": "shirts/17.jpg"},
        answer="hat",
        verdict="corrected",
        correction="shirt",
    )
    refused = DataError
    task: TaskName
    run: Text = Field("", max_length=200, description="The run that answered.")
    version: int | None = Field(None, ge=0, lt=2**63, description="Of the memory that answered.")
    picture: PictureIn | None = picture_field
    asked: Text | None = Field(None, description="The question or text beside the picture.")
    answer: Said = Field(description="As it was given.")
    verdict: Literal["accepted", "corrected", "rejected"]
    correction: Said | None = Field(None, description="What would be right.")
    note: Text | None = Field(None, description="In words of the person's own.")

    @model_validator(mode="after")
    def _says(self) -> Self:
        task = registry.of_command(self.task)[0]
        self.answer = task.shaped(self.answer)
        if self.correction is not None:
            self.correction = task.shaped(self.correction)
        if (self.correction is not None) != (self.verdict == "corrected"):
            raise ValueError("give a correction if, and only if, the verdict is corrected")
        return self


class SettleIn(Body):
    """The state of an entry of the inbox."""

    model_config = example(state="dismissed")
    refused = DataError
    state: Literal["open", "used", "dismissed"]
