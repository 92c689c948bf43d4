"""What a server sends, as the records of the local API.

Servers tell no paths and no internal numbers: a row has ``path`` None, ``number`` 0, and for its
``hash`` an empty text where it has a picture. ``client.picture(row)`` gets that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import httpx2 as httpx

from ravl.client.problems import checked, stranger
from ravl.client.provenance import ServedHits
from ravl.data import QA
from ravl.memory import Row
from ravl.retrieval import Found, Hit
from ravl.runs.answers import Answer, Evidence
from ravl.runs.provenance import Provenance
from ravl.tasks import registry

T = TypeVar("T")

# Nobody judges what is heard word by word.
UNJUDGED = {
    "confidence": math.nan,
    "abstained": False,
    "gate": math.nan,
    "scores": {},
    "memory": {},
    "model": {},
}


def read(reply: httpx.Response, reader: Callable[[Any], T]) -> T:
    """What a reader makes of a reply's JSON.

    Raises:
        ServerError: it is something else than a server of ravl sends.
        RavlError: it is a problem; see :func:`ravl.client.problems.checked`.
    """
    checked(reply)
    try:
        return reader(reply.json())
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise stranger(reply) from error


def origin(data: Any) -> Provenance:
    """Where an answer comes from."""
    return Provenance(
        data["run"],
        data["memory"]["name"],
        data["memory"]["version"],
        dict(data["timings"]),
        data["together"],
        data["request"],
    )


def row(data: Any) -> Row:
    """A row; of one behind an answer, only what is told of these."""
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


def hits(found: Any, told: Any) -> ServedHits:
    """What a search found."""
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
        origin(told),
    )


def answer(task: str, data: Any, told: Any) -> Answer:
    """An answer of a task; what a newer server says beside it is left out."""
    kind: Callable[..., Answer] = registry.of_command(task)[0].answer_type()
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    values = {name: _plain(value) for name, value in data.items() if name in known}
    return kind(**{**values, "evidence": evidence(data["evidence"]), "origin": origin(told)})


def evidence(found: Any) -> tuple[Evidence, ...]:
    """The rows behind an answer."""
    return tuple(
        Evidence(row(item), item["similarity"], item["share"], tuple(item["says"]))
        for item in found
    )


def _plain(value: Any) -> Any:
    """Lists are tuples in records, and what JSON cannot say is no number."""
    if isinstance(value, Mapping):
        return {name: math.nan if share is None else share for name, share in value.items()}
    return tuple(value) if isinstance(value, list) else value
