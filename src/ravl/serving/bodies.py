"""What clients send: the bodies of requests, with their examples."""

from __future__ import annotations

import base64
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from ravl.errors import DataError, QueryError, RavlError
from ravl.json_types import JsonValue
from ravl.store.filters import OURS, OWN, names_in

HIDDEN = frozenset({"path", "source"})  # say where files of the server are
MOST_LISTED = 1_000  # ids, tags or labels in one list


def _sound(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text holds a NUL character; take it out")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text holds half a character (a lone surrogate)") from None
    return text


def _told_nothing(filter: str) -> str:
    """A filter that does not ask where files of this machine are."""
    try:
        asked = {name.removeprefix(OURS) for name in names_in(filter)}
    except RavlError:
        return filter  # the memory says what is wrong
    if hidden := sorted(asked & HIDDEN):
        raise ValueError(
            f"{' and '.join(hidden)}: a server does not filter by where files are; a column of "
            f"your own is written {OWN}{hidden[0]}"
        )
    return filter


def _decoded(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("must be a text in base64")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError("is not base64: letters, digits, + and /, in fours") from None


Text = Annotated[str, AfterValidator(_sound)]
Base64 = Annotated[
    bytes, BeforeValidator(_decoded), WithJsonSchema({"type": "string", "format": "byte"})
]
Filter = Annotated[str, AfterValidator(_sound), AfterValidator(_told_nothing)]
Id = Annotated[str, AfterValidator(_sound), Field(min_length=1, max_length=2_000)]
Texts = Annotated[list[Text], Field(max_length=MOST_LISTED)]
Key = Annotated[str, AfterValidator(_sound), Field(min_length=1, max_length=200)]
Value = Annotated[str, AfterValidator(_sound)] | bool | int | float | None


class Body(BaseModel):
    """What all bodies have: no field that is not known, no number that is infinite or not a number.

    Attributes:
        refused: what a body is that breaks this: a question that has no answer, or data.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    refused: ClassVar[type[RavlError]] = QueryError


def example(**values: JsonValue) -> ConfigDict:
    """A body's example."""
    return ConfigDict(json_schema_extra={"examples": [values]})


class PictureIn(Body):
    """A picture: its bytes, or the id of a row of the memory, or a URL where these are allowed."""

    model_config = example(id="shirts/17.jpg")

    base64: Base64 | None = Field(
        None, description="The picture's file (JPEG, PNG, WebP, ...) in base64."
    )
    id: Id | None = Field(None, description="The id of a row whose picture is meant.")
    url: Annotated[str, Field(max_length=4_000)] | None = Field(
        None, description="Where to get it; only where the server was started with --allow-urls."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in (self.base64, self.id, self.url)) != 1:
            raise ValueError("give a picture by one of base64, id and url")
        return self


picture_field = Field(None, description="The picture; as multipart/form-data a file of this name.")
pictures_field = Field(
    default_factory=list[PictureIn],
    description="The pictures; as multipart/form-data files of this name.",
)


class RunChoice(Body):
    """Who answers."""

    run: str | None = Field(
        None, max_length=200, description="Name of the run; without it the first of the task."
    )


class QueryIn(Body):
    """What to look for: a text, a picture, or both."""

    text: Text | None = Field(None, description="Words or a description.")
    picture: PictureIn | None = picture_field
    weight: float = Field(0.5, ge=0, le=1, description="Of the text beside a picture.")


class SearchHow(Body):
    """How to search."""

    k: int = Field(10, ge=1, le=1_000, description="How many hits.")
    mode: Literal["auto", "dense", "keyword", "fused"] = Field(
        "auto", description="By similarity, by words, or both."
    )
    target: Literal["pictures", "texts"] = Field("pictures", description="What to find.")
    where: Filter | None = Field(None, description="A filter: only rows that it lets through.")
    exclude: Annotated[list[Id], Field(max_length=MOST_LISTED)] = Field(
        default_factory=list, description="Ids of rows to leave out."
    )
    min_score: float | None = Field(None, description="Only hits with at least this score.")
    diversity: float = Field(0.0, ge=0, le=1, description="Up to 1: hits that differ.")
    collapse: bool = Field(False, description="Only the best of near-duplicates.")
    hubness: float | None = Field(None, ge=0, le=2, description="Correction for hubs.")
    exact: bool = Field(False, description="Compare with all vectors, not by the index.")
    rerank: str | None = Field(
        None, max_length=200, description="Name of a match run that looks at the best again."
    )


class SearchOne(SearchHow, QueryIn):
    """A search."""

    model_config = example(text="a red checked shirt", k=5, where="price < 40")


class SearchMany(SearchHow):
    """Several searches with the same options."""

    model_config = example(queries=[{"text": "a red shirt"}, {"picture": {"id": "hats/3.jpg"}}])
    queries: list[QueryIn] = Field(description="What to look for.")


class QAIn(Body):
    """A question with its answers."""

    question: Text
    answers: Texts = Field(min_length=1)


class RowChange(Body):
    """What is known about a row; what is left out stays as it is, empty values erase."""

    model_config = example(label="shirt", tags=["new", "sale"], columns={"price": 29.9})
    refused = DataError
    texts: Texts | None = Field(None, description="Captions or descriptions.")
    label: Text | None = Field(None, description="Its class.")
    tags: Texts | None = Field(None, description="Keywords.")
    qa: Annotated[list[QAIn], Field(max_length=MOST_LISTED)] | None = Field(
        None, description="Questions with their answers."
    )
    columns: dict[Key, Value] | None = Field(
        None, max_length=200, description="Columns of your own; null erases one."
    )


class RowIn(RowChange):
    """A new row; without an id it gets one from its picture's content."""

    model_config = example(
        id="shirts/18.jpg",
        picture={"base64": "/9j/4AAQSkZJRg=="},
        label="shirt",
        texts=["a red checked shirt with long sleeves"],
        columns={"price": 34.9},
    )
    id: Id | None = Field(None, description="Unique within the memory.")
    picture: PictureIn | None = picture_field


class RowsIn(Body):
    """New rows."""

    model_config = example(
        rows=[{"id": "note-1", "texts": ["Shirts of linen are washed at 40 degrees."]}]
    )
    refused = DataError
    rows: list[RowIn]


class DeleteIn(Body):
    """Rows to delete: by their ids, or all that a filter lets through."""

    model_config = example(ids=["shirts/18.jpg"])
    ids: Annotated[list[Id], Field(max_length=MOST_LISTED)] = Field(default_factory=list)
    where: Filter | None = Field(None, description="A filter; takes a key with the scope admin.")
