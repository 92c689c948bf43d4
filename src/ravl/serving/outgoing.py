"""Answers as they are sent: evidence with links to its pictures, and no path of the server's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from urllib.parse import quote

from starlette.responses import JSONResponse

from ravl.json_types import JsonObject
from ravl.memory import Memory, Row
from ravl.retrieval import Hit
from ravl.runs.answers import Answer, Evidence
from ravl.serving.batching import Done


def links(row: Row) -> dict[str, str | None]:
    """Where a row's picture and thumbnail are; ids may hold slashes, and so are no paths."""
    if row.hash is None:
        return {"picture": None, "thumbnail": None}
    id = quote(row.id, safe="", errors="replace")
    return {"picture": f"/v1/picture?id={id}", "thumbnail": f"/v1/thumbnail?id={id}"}


def row_json(row: Row) -> JsonObject:
    """A row of the memory."""
    return {
        "id": row.id,
        "label": row.label,
        "texts": list(row.texts),
        "tags": list(row.tags),
        "qa": [{"question": q.question, "answers": list(q.answers)} for q in row.qa],
        "columns": dict(row.columns),
        "width": row.width,
        "height": row.height,
        "added": row.added,
        "changed": row.changed,
        **links(row),
    }


def hit_json(hit: Hit) -> JsonObject:
    """A row that a search found."""
    by = {name: {"rank": f.rank, "score": round(f.score, 4)} for name, f in hit.by.items()}
    return {
        "rank": hit.rank,
        "score": round(hit.score, 4),
        "by": by,
        "found": hit.text,
        **row_json(hit.row),
    }


def evidence_json(item: Evidence) -> JsonObject:
    """A row behind an answer."""
    return {
        "id": item.id,
        "says": list(item.says),
        "texts": list(item.row.texts),
        "similarity": round(item.similarity, 4),
        "share": round(item.share, 4),
        **links(item.row),
    }


def answer_json(answer: Answer) -> JsonObject:
    """An answer of any task."""
    return {**answer.to_json(), "evidence": [evidence_json(item) for item in answer.evidence]}


def origin_json(
    run: str | None, memory: Memory, done: Done[object], timings: Mapping[str, float], request: str
) -> JsonObject:
    """Where an answer comes from; timings are in seconds here, and sent as milliseconds."""
    return {
        "run": run,
        "memory": {"name": memory.path.name, "version": done.version},
        "timings": {name: round(1000 * took, 2) for name, took in timings.items()},
        "together": done.together,
        "request": request,
    }


class Json(JSONResponse):
    """JSON with readable characters; what is no number becomes null, as JSON has it."""

    def render(self, content: object) -> bytes:
        """The bytes that are sent."""
        try:
            return super().render(content)
        except ValueError:  # NaN or infinity, or half a character in somebody's text
            return super().render(_plain(content))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {_plain(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
