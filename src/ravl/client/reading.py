"""Convert a server's JSON to the records of the local API.

Servers send no paths and no internal numbers: a row has ``path`` None, ``number`` 0, and an empty
``hash`` if it has a picture. Use ``client.picture(row)`` to get the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TypeVar

import httpx2 as httpx

from ravl.client.problems import checked, stranger
from ravl.client.provenance import ServedHits
from ravl.data import QA
from ravl.errors import PictureError
from ravl.json_types import JsonValue
from ravl.memory import Row
from ravl.retrieval import Found, Hit
from ravl.runs.answers import Answer, Evidence
from ravl.runs.provenance import Provenance
from ravl.tasks import registry
from ravl.untrusted import MOST_OF_PICTURES, parse_json

T = TypeVar("T")

# A streamed text has no confidence.
UNJUDGED = {
    "confidence": math.nan,
    "abstained": False,
    "gate": math.nan,
    "scores": {},
    "memory": {},
    "model": {},
}


def read(reply: httpx.Response, reader: Callable[[JsonValue], T]) -> T:
    """Apply a reader to a reply's JSON.

    Raises:
        ServerError: the reply is not from a server of ravl.
        RavlError: the reply is a problem; see :func:`ravl.client.problems.checked`.
    """
    checked(reply)
    try:
        return reader(parse_json(reply.content, MOST_OF_PICTURES))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise stranger(reply) from error


def origin(data: JsonValue) -> Provenance:
    """The provenance of an answer."""
    return Provenance(
        data["run"],
        data["memory"]["name"],
        data["memory"]["version"],
        dict(data["timings"]),
        data["together"],
        data["request"],
    )


def row(data: JsonValue) -> Row:
    """A row; a row of evidence has only some fields."""
    return Row(
        number=0,
        id=data["id"],
        texts=tuple(data["texts"]),
        label=data.get("label"),
        tags=tuple(data.get("tags", ())),
        qa=tuple(QA(q["question"], tuple(q["answers"])) for q in data.get("qa", ())),
        columns=dict(data.get("columns", {})),
        hash=None if data["picture"] is None else "",
        width=data.get("width"),
        height=data.get("height"),
        added=data.get("added", ""),
        changed=data.get("changed", ""),
    )


def unread(data: JsonValue) -> PictureError | None:
    """Why the server could not read a picture, where that is in place of an answer or of hits."""
    if isinstance(data, Mapping) and "error" in data:
        return PictureError(str(data["error"]))
    return None


def hits(found: JsonValue, whole: JsonValue) -> ServedHits:
    """The hits of a search."""
    return ServedHits(
        (
            Hit(
                row(hit),
                hit["score"],
                hit["rank"],
                {name: Found(by["rank"], by["score"]) for name, by in hit["by"].items()},
                hit["found"],
            )
            for hit in found
        ),
        origin(whole),
        whole.get("exact", True),  # an older server knows no other
    )


def answer(task: str, data: JsonValue, whole: JsonValue) -> Answer:
    """An answer of a task; unknown fields of a newer server are ignored."""
    kind = registry.of_command(task)[0].answer_type()
    known = {field.name for field in fields(kind)}
    values = {name: _plain(value) for name, value in data.items() if name in known}
    return kind(**{**values, "evidence": evidence(data["evidence"]), "origin": origin(whole)})


def evidence(found: JsonValue) -> tuple[Evidence, ...]:
    """The evidence of an answer."""
    return tuple(
        Evidence(row(item), item["similarity"], item["share"], tuple(item["says"]))
        for item in found
    )


def _plain(value: JsonValue) -> JsonValue:
    """Convert lists to tuples, and values that JSON cannot represent to NaN."""
    if isinstance(value, Mapping):
        return {name: math.nan if share is None else share for name, share in value.items()}
    return tuple(value) if isinstance(value, list) else value
