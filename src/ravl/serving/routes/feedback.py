"""``/v1/feedback``: what people say about answers, and the inbox of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import FastAPI, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from ravl.data import pictures
from ravl.errors import DataError
from ravl.json_types import JsonObject, JsonValue
from ravl.serving.asking import Asking, caller_of
from ravl.serving.bodies import PictureIn
from ravl.serving.documented import gives, problems, secured, takes
from ravl.serving.incoming import Sent, check_texts, read
from ravl.serving.opinions import FeedbackIn, SettleIn
from ravl.serving.outgoing import Json
from ravl.serving.problems import Problem
from ravl.serving.results import TASK, example
from ravl.serving.reviewing import fields_of
from ravl.serving.routes.rows import Limit, Number
from ravl.serving.service import Service
from ravl.serving.thumbnails import MEDIA_TYPES
from ravl.store.sqlite.feedback import Entry, State

ENTRY: JsonObject = {
    "number": 1,
    "at": "2026-11-25T08:00:00.000+00:00",
    "who": "web",
    "task": TASK,
    "run": "kinds",
    "version": 12,
    "row": "shirts/17.jpg",
    "picture": None,
    "asked": None,
    "answer": "hat",
    "verdict": "corrected",
    "correction": "shirt",
    "note": None,
    "state": "open",
    "fields": {"label": "shirt"},
}
NumberPath = Annotated[int, Path(ge=1, lt=2**62, examples=[1], description="Of the entry.")]


class EntryOut(BaseModel):
    """What somebody said about an answer."""

    model_config = example(**ENTRY)
    number: int
    at: str
    who: str
    task: str
    run: str
    version: int | None
    row: str | None
    picture: str | None
    asked: str | None
    answer: JsonValue
    verdict: str
    correction: JsonValue
    note: str | None
    state: str
    fields: JsonObject | None = Field(
        description="What a row would hold of it, as /v1/rows takes it; null for nothing."
    )


class Inbox(BaseModel):
    """Some entries, oldest first."""

    model_config = example(entries=[ENTRY], next=None)
    entries: list[EntryOut]
    next: int | None = Field(description="Give it as after for the next page; null at the end.")


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoints."""
    _giving(app, service)
    _inbox(app, service)


def _giving(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/feedback",
        summary="Say whether an answer was right",
        tags=["feedback"],
        operation_id="feedback_add",
        status_code=201,
        openapi_extra=takes(app, FeedbackIn, "write"),
        responses=gives(app, EntryOut, 400, 404, 415, status=201),
    )
    async def feedback_add(request: Request) -> Json:
        caller = caller_of(service, request, "write")
        asking = Asking(service, request)
        sent: Sent[FeedbackIn] = await read(request, FeedbackIn, 1)
        body = sent.body
        check_texts(
            [body.asked, body.note, *_texts(body.answer), *_texts(body.correction)],
            service.limits.text,
            DataError,
        )
        row, data = await _about(asking, sent.picture())
        entry = Entry(
            who=caller.name,
            task=body.task,
            run=body.run,
            version=body.version,
            row=row,
            asked=body.asked,
            answer=body.answer,
            verdict=body.verdict,
            correction=body.correction,
            note=body.note,
        )
        kept = await service.writing(service.feedback.add, entry, data)
        service.audit.write(
            caller=caller.name, request=asking.number, what="feedback.add", number=kept.number
        )
        return Json(entry_json(kept), 201)


def entry_json(entry: Entry) -> JsonObject:
    """An entry, with what a row would hold of it."""
    fields = dict(fields_of(entry))
    if "qa" in fields:
        fields["qa"] = [asdict(qa) for qa in fields["qa"]]
    return {**entry.to_json(), "fields": fields or None}


def _inbox(app: FastAPI, service: Service) -> None:
    store = service.feedback

    @app.get(
        "/v1/feedback",
        summary="The inbox",
        tags=["feedback"],
        operation_id="feedback_list",
        openapi_extra=secured("write"),
        responses=gives(app, Inbox),
    )
    async def feedback_list(
        request: Request,
        state: Annotated[State | None, Query(description="Only entries in this state.")] = None,
        after: Number = 0,
        limit: Limit = 50,
    ) -> Json:
        caller_of(service, request, "write")
        found = await service.aside(store.entries, state, after, limit + 1)
        following = found[limit - 1].number if len(found) > limit else None
        return Json({"entries": [entry_json(e) for e in found[:limit]], "next": following})

    @app.patch(
        "/v1/feedback/{number}",
        summary="Settle an entry",
        tags=["feedback"],
        operation_id="feedback_settle",
        openapi_extra=takes(app, SettleIn, "write"),
        responses=gives(app, EntryOut, 404, 415),
    )
    async def feedback_settle(request: Request, number: NumberPath) -> Json:
        caller = caller_of(service, request, "write")
        body = (await read(request, SettleIn, 0)).body
        entry = await service.writing(store.settle, number, body.state)
        service.audit.write(
            caller=caller.name,
            request=Asking(service, request).number,
            what="feedback.settle",
            number=number,
            state=body.state,
        )
        return Json(entry_json(entry))

    kinds = {k: {"schema": {"type": "string", "format": "binary"}} for k in MEDIA_TYPES.values()}

    @app.get(
        "/v1/feedback/{number}/picture",
        summary="The picture that came with it",
        tags=["feedback"],
        operation_id="feedback_picture",
        openapi_extra=secured("write"),
        responses={200: {"description": "The picture.", "content": kinds}, **problems(404)},
        response_class=Response,
    )
    async def feedback_picture(request: Request, number: NumberPath) -> Response:
        caller_of(service, request, "write")
        data = await service.aside(store.picture, number)
        if data is None:
            raise Problem(
                404, f"No picture came with the feedback number {number}.", kind="picture"
            )
        return Response(data, media_type=MEDIA_TYPES[pictures.probe(data).format])


async def _about(
    asking: Asking, source: bytes | PictureIn | None
) -> tuple[str | None, bytes | None]:
    """The row that an answer was about, or the picture."""
    if source is None:
        return None, None
    service = asking.service
    if isinstance(source, PictureIn) and source.id is not None:
        return (await service.aside(service.memory.get, source.id)).id, None
    data = await asking.encoded(source)
    await service.decoders.decode([data], 64)
    return None, data


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, str) else []
