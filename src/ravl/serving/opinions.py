"""What people say about answers: the bodies of feedback, with their examples."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ravl.errors import DataError
from ravl.serving.bodies import Body, PictureIn, Text, Texts, example, picture_field

LISTS = ("tag", "search")  # whose answers are several texts
TRUTHS = {"true": True, "false": False}


class FeedbackIn(Body):
    """What somebody says about an answer."""

    model_config = example(
        task="classify",
        run="kinds",
        version=12,
        picture={"id": "shirts/17.jpg"},
        answer="hat",
        verdict="corrected",
        correction="shirt",
    )
    refused = DataError
    task: Literal["search", "match", "classify", "tag", "caption", "ask"]
    run: Text = Field("", max_length=200, description="The run that answered.")
    version: int | None = Field(None, ge=0, lt=2**63, description="Of the memory that answered.")
    picture: PictureIn | None = picture_field
    asked: Text | None = Field(None, description="The question or text beside the picture.")
    answer: Text | bool | Texts = Field(description="As it was given.")
    verdict: Literal["accepted", "corrected", "rejected"]
    correction: Text | bool | Texts | None = Field(None, description="What would be right.")
    note: Text | None = Field(None, description="In words of the person's own.")

    @model_validator(mode="after")
    def _says(self) -> Self:
        self.answer = shaped(self.task, self.answer)
        if self.correction is not None:
            self.correction = shaped(self.task, self.correction)
        if (self.correction is not None) != (self.verdict == "corrected"):
            raise ValueError("give a correction if, and only if, the verdict is corrected")
        return self


class SettleIn(Body):
    """The state of an entry of the inbox."""

    model_config = example(state="dismissed")
    refused = DataError
    state: Literal["open", "used", "dismissed"]


def shaped(task: str, value: Any) -> Any:
    """An answer as its task gives it; a form knows neither lists of one nor truth values.

    Raises:
        ValueError: the value is not an answer of that task.
    """
    if task in LISTS:
        if isinstance(value, bool):
            raise ValueError(f"an answer of {task} is a list of texts, not {value}")
        return value if isinstance(value, list) else [value]
    one = value[0] if isinstance(value, list) and len(value) == 1 else value
    if task == "match":
        if isinstance(one, bool):
            return one
        if not isinstance(one, str) or one not in TRUTHS:
            raise ValueError("an answer of match is true or false")
        return TRUTHS[one]
    if not isinstance(one, str):
        raise ValueError(f"an answer of {task} is one text")
    return one
