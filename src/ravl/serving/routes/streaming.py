"""``/v1/caption/stream`` and its kin: texts as they are written, by server-sent events.

``evidence``  first, the rows that the text will rest on, where a generator writes
``token``     a piece of the text
``answer``    last, the whole answer; a generator's has no confidence, since nothing was chosen
``problem``   instead, when something went wrong after the beginning
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

from fastapi import FastAPI, Request
from starlette.responses import Response, StreamingResponse

from ravl.errors import RavlError
from ravl.json_types import JsonObject
from ravl.serving.asking import Asking, caller_of
from ravl.serving.batching import Done
from ravl.serving.documented import problems, takes
from ravl.serving.guard import id_of_request
from ravl.serving.models import Item, Options, Served, at_one_moment
from ravl.serving.outgoing import Json, answer_json, evidence_json, origin_json
from ravl.serving.problems import Problem, problem_of, problem_response
from ravl.serving.routes.answering import answers_of, options_of, read_one, text_of
from ravl.serving.service import Service
from ravl.serving.shapes import Shape, shape_of
from ravl.timing import step

EVENTS = "text/event-stream"
EVENT = {  # of each event
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["evidence", "token", "answer", "problem"]},
        "data": {"type": "string", "description": "JSON."},
    },
}
EXAMPLE = 'event: token\ndata: {"text": "a red"}\n\nevent: answer\ndata: {"answer": {}}\n\n'


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoints of the tasks that write texts and are offered."""
    for task in service.tasks:
        if shape_of(task).streams:
            _stream(app, service, shape_of(task))


def _stream(app: FastAPI, service: Service, shape: Shape) -> None:
    task = shape.command
    success: dict[int | str, JsonObject] = {
        200: {
            "description": "Events: evidence, token, answer, problem.",
            "content": {EVENTS: {"schema": EVENT, "example": EXAMPLE}},
        }
    }

    @app.post(
        f"/v1/{task}/stream",
        summary=f"{shape.task.summary}, word by word",
        tags=[task],
        operation_id=f"{task}_stream",
        openapi_extra=takes(app, shape.one, "read"),
        responses={**success, **problems(400, 404, 415)},
        response_class=StreamingResponse,
    )
    async def stream(request: Request) -> Response:
        caller_of(service, request, "read")
        asking = Asking(service, request)
        sent, served = await read_one(service, request, shape)
        text, options = text_of(sent, shape), options_of(sent.body)
        source = sent.one()
        if served.writer is None or dict(options).get("vote_only"):
            answers, origin = await answers_of(asking, served, [source], text, options)
            events = _once("answer", {"answer": answers[0], **origin})
        else:
            served.batcher.check()
            picture = await asking.in_time(asking.picture(source, served.hint))
            item = picture if text is None else (picture, text[0])
            events = _written(asking, served, item, options)
        return StreamingResponse(events, media_type=EVENTS)


async def _once(name: str, data: object) -> AsyncIterator[bytes]:
    yield event(name, data)


async def _written(
    asking: Asking, served: Served, item: Item, options: Options
) -> AsyncIterator[bytes]:
    """Events while a text is written in the model's thread.

    The thread writes on whatever the client reads, and stops between two pieces once it has gone.
    """
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[str, object] | None] = asyncio.Queue()
    stopped = False

    def put(event: tuple[str, object] | None) -> None:
        loop.call_soon_threadsafe(waiting.put_nowait, event)

    def write(_: Sequence[Item]) -> Sequence[JsonObject]:
        answer = _evidence(served, item, options)
        put(("evidence", {"evidence": answer["evidence"]}))
        parts: list[str] = []
        with step("generate"):
            for piece in served.pieces(item, options):
                if stopped:
                    break
                parts.append(piece)
                put(("token", {"text": piece}))
        return [{**answer, served.kind.field: "".join(parts).strip(), "written": True}]

    async def work() -> Done[JsonObject]:
        with served.batcher.place(1):
            return await served.batcher.answer(object(), [item], at_one_moment(memory, write))

    memory = asking.service.memory
    task = asyncio.ensure_future(work())
    task.add_done_callback(lambda _: waiting.put_nowait(None))
    try:
        async with asyncio.timeout(asking.service.limits.deadline):
            while (found := await waiting.get()) is not None:
                yield event(*found)
            done = await task
        run = served.name if served.run is not None else None
        timings = {**done.seconds, "total": sum(done.seconds.values())}
        origin = origin_json(run, memory, done, timings, asking.number)
        yield event("answer", {"answer": done.answers[0], **origin})
    except Exception as error:
        yield event("problem", _problem(asking, error))
    finally:
        stopped = True
        task.cancel()


def _evidence(served: Served, item: Item, options: Options) -> JsonObject:
    """What the memory alone says: the rows that the text will rest on."""
    given = dict(options)
    if given.get("retrieval", True) is False:
        return {"evidence": []}
    kept = tuple((n, v) for n, v in options if n == "k")
    found = served.call((*kept, ("vote_only", True)))([item])[0][0]
    as_json = answer_json(found)
    return {
        "evidence": [evidence_json(e) for e in found.evidence],
        "memory": as_json["memory"],
        **({served.kind.beside: item[1]} if isinstance(item, tuple) else {}),
    }


def _problem(asking: Asking, error: Exception) -> JsonObject:
    if isinstance(error, TimeoutError):
        error = Problem(503, "The text was not finished in time. Ask again later.", retry=5)
    elif isinstance(error, RavlError):
        error = problem_of(error, asking.service.memory)
    elif not isinstance(error, Problem):
        error = Problem(500, f"Something went wrong here. The log knows it as {asking.number}.")
    found: JsonObject = json.loads(
        bytes(problem_response(error, id_of_request(asking.request.scope)).body)
    )
    return found


def event(name: str, data: object) -> bytes:
    """One server-sent event."""
    return f"event: {name}\ndata: {Json(data).body.decode()}\n\n".encode()  # type: ignore[union-attr]
