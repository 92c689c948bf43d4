"""What clients get: the shapes of answers, with their examples."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, create_model

from ravl.json_types import JsonObject, JsonValue
from ravl.tasks.labels.task import ClassifyTask

TASK = ClassifyTask.command  # of examples
ROW = {
    "id": "shirts/17.jpg",
    "label": "shirt",
    "texts": ["a red checked shirt with long sleeves"],
    "tags": ["new"],
    "qa": [],
    "columns": {"price": 34.9},
    "width": 1200,
    "height": 1600,
    "added": "2026-11-25T08:00:00.000+00:00",
    "changed": "2026-11-25T08:00:00.000+00:00",
    "picture": "/v1/picture?id=shirts%2F17.jpg",
    "thumbnail": "/v1/thumbnail?id=shirts%2F17.jpg",
}
EVIDENCE = {
    "id": "shirts/17.jpg",
    "says": ["shirt"],
    "texts": ["a red checked shirt with long sleeves"],
    "similarity": 0.91,
    "share": 0.12,
    "picture": "/v1/picture?id=shirts%2F17.jpg",
    "thumbnail": "/v1/thumbnail?id=shirts%2F17.jpg",
}
ORIGIN: JsonObject = {
    "run": "kinds",
    "memory": {"name": "shop.ravl", "version": 12},
    "timings": {"decode": 3.1, "encode": 14.0, "retrieve": 0.8, "fuse": 1.2, "total": 21.5},
    "together": 4,
    "request": "6f1c0b52a9d3",
}
ANSWER = {
    "confidence": 0.97,
    "abstained": False,
    "gate": 0.41,
    "scores": {"shirt": 0.97, "hat": 0.02},
    "memory": {"shirt": 0.99},
    "model": {"shirt": 0.95, "hat": 0.04},
    "evidence": [EVIDENCE],
}


def example(**values: JsonValue) -> ConfigDict:
    """An answer's example."""
    return ConfigDict(json_schema_extra={"examples": [values]})


class MemoryVersion(BaseModel):
    """Which memory answered, and after which change."""

    name: str
    version: int


class Provenance(BaseModel):
    """Where an answer comes from."""

    run: str | None = Field(description="Name of the run; null where the memory alone answered.")
    memory: MemoryVersion
    timings: dict[str, float] = Field(
        description="Milliseconds: decode, queue, encode, retrieve, fuse, generate, total."
    )
    together: int = Field(description="Items that shared the pass, of other requests as well.")
    request: str = Field(description="Identifies the request in the server's log.")


class RowOut(BaseModel):
    """A row of the memory; links are null where it has no picture."""

    model_config = example(**ROW)
    id: str
    label: str | None
    texts: list[str]
    tags: list[str]
    qa: list[JsonObject]
    columns: JsonObject
    width: int | None
    height: int | None
    added: str
    changed: str
    picture: str | None
    thumbnail: str | None


class EvidenceOut(BaseModel):
    """A row behind an answer."""

    id: str
    says: list[str]
    texts: list[str]
    similarity: float
    share: float = Field(description="Of its vote in the decision.")
    picture: str | None
    thumbnail: str | None


class AnswerOut(BaseModel):
    """What all answers have."""

    confidence: float
    abstained: bool
    gate: float = Field(description="Share of the memory's vote in the decision.")
    scores: dict[str, float | None]
    memory: dict[str, float | None]
    model: dict[str, float | None]
    evidence: list[EvidenceOut]


class Unread(BaseModel):
    """In place of an answer or hits: the picture cannot be read; the others are answered."""

    model_config = ConfigDict(extra="forbid")
    error: str = Field(description="Why, as a sentence.")


class HitOut(RowOut):
    """A row that a search found."""

    model_config = example(
        rank=1, score=0.82, by={"pictures": {"rank": 1, "score": 0.31}}, found=None, **ROW
    )
    rank: int
    score: float
    by: JsonObject
    found: str | None = Field(description="The text that was found, where texts were searched.")


def wrapped(name: str, what: str, **fields: tuple[object, JsonValue]) -> type[BaseModel]:
    """The shape of a whole response: where it comes from, and fields with an example each."""
    types: JsonObject = {field: (type_, ...) for field, (type_, _) in fields.items()}
    shown = {field: value for field, (_, value) in fields.items()}
    model = create_model(name, __base__=Provenance, __doc__=what, **types)
    model.model_config = example(**shown, **ORIGIN)
    model.model_rebuild(force=True)
    return model


def shown(model: type[BaseModel]) -> JsonObject:
    """A model's example."""
    extra: JsonValue = model.model_config["json_schema_extra"]
    return dict(extra["examples"][0])
