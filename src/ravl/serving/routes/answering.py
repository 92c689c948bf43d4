"""``/v1/TASK`` for each task that is offered, and ``/v1/TASK/batch`` for several pictures."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI, Request
from PIL import Image

from ravl.errors import PictureError, QueryError
from ravl.json_types import JsonObject
from ravl.serving.asking import Asking, caller_of
from ravl.serving.bodies import Body, PictureIn
from ravl.serving.documented import gives, takes
from ravl.serving.incoming import Sent, check_number, check_texts, read
from ravl.serving.models import Item, Options, Served
from ravl.serving.outgoing import Json, answer_json, origin_json
from ravl.serving.service import Service
from ravl.serving.shapes import Shape, shape_of
from ravl.tasks.pairing import check_pairs

Source = bytes | PictureIn
NOT_OPTIONS = {
    "run",
    "picture",
    "pictures",
    "text",
    "texts",
    "question",
    "questions",
    "queries",
    "weight",
}


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoints of the tasks that are offered."""
    for task in service.tasks:
        _one(app, service, shape_of(task))
        _many(app, service, shape_of(task))


def _one(app: FastAPI, service: Service, shape: Shape) -> None:
    task, model = shape.command, shape.result("answer")

    @app.post(
        f"/v1/{task}",
        summary=shape.task.summary,
        tags=[task],
        operation_id=task,
        openapi_extra=takes(app, shape.one, "read"),
        responses=gives(app, model, 400, 404, 415),
    )
    async def one(request: Request) -> Json:
        caller_of(service, request, "read")
        asking = Asking(service, request)
        sent, served = await read_one(service, request, shape)
        text = text_of(sent, shape)
        answers, origin = await answers_of(
            asking, served, [sent.one()], text, options_of(sent.body)
        )
        return Json({"answer": answers[0], **origin})


def _many(app: FastAPI, service: Service, shape: Shape) -> None:
    task, model, beside = shape.command, shape.result("answers"), shape.task.beside

    @app.post(
        f"/v1/{task}/batch",
        summary=f"{shape.task.summary}: several",
        tags=[task],
        operation_id=f"{task}_batch",
        openapi_extra=takes(app, shape.many, "read"),
        responses=gives(app, model, 400, 404, 415),
    )
    async def many(request: Request) -> Json:
        caller_of(service, request, "read")
        asking = Asking(service, request)
        most = service.limits.batch
        sent = await read(request, shape.many, most)
        served = service.model(task, getattr(sent.body, "run", None))
        check_texts(option_texts(sent.body), service.limits.text)
        sources = sent.many(most)
        texts: list[str] | None = getattr(sent.body, f"{beside}s") if beside else None
        if texts is not None:
            check_number(len(texts), f"{beside}s", most)
            check_texts(texts, service.limits.text)
            if not all(text.strip() for text in texts):
                raise QueryError(f"Among the {beside}s is an empty one. Give words.")
            sources, texts = paired(sources, texts, beside)
        answers, origin = await answers_of(
            asking, served, sources, texts, options_of(sent.body), several=True
        )
        return Json({"answers": answers, **origin})


async def read_one(service: Service, request: Request, shape: Shape) -> tuple[Sent[Body], Served]:
    """A body about one picture, and who answers; refused before it is read where it is full."""
    service.model(shape.command).batcher.check()
    sent: Sent[Body] = await read(request, shape.one, 1)
    served = service.model(shape.command, getattr(sent.body, "run", None))
    if shape.task.beside:
        check_texts([getattr(sent.body, shape.task.beside)], service.limits.text)
    check_texts(option_texts(sent.body), service.limits.text)
    return sent, served


async def answers_of(
    asking: Asking,
    served: Served,
    sources: Sequence[Source],
    texts: Sequence[str] | None,
    options: Options,
    several: bool = False,
) -> tuple[list[JsonObject], JsonObject]:
    """Answers as JSON, and where they come from.

    Args:
        asking: the request.
        served: who answers.
        sources: n pictures.
        texts: n texts beside them; None for a task without texts.
        options: how to answer.
        several: True for an error in the place of the answer to a picture that cannot be read.

    Raises:
        PictureError: a picture cannot be read, and ``several`` is False.
    """
    broken: dict[int, PictureError] = {}  # by the place of the picture

    async def items() -> Sequence[Item]:
        found = await decoded(asking, served, sources)
        broken.update({i: e for i, e in enumerate(found) if isinstance(e, PictureError)})
        if broken and not several:
            raise next(iter(broken.values()))
        sound = [(i, p) for i, p in enumerate(found) if not isinstance(p, PictureError)]
        return [picture if texts is None else (picture, texts[i]) for i, picture in sound]

    done, timings = await asking.answered(
        served.batcher, len(sources), (served.task, options), served.call(options), items
    )
    sound = [source for i, source in enumerate(sources) if i not in broken]
    asking.service.saw(served, options, zip(map(mark_of, sound), done.answers, strict=True))
    run = served.name if served.run is not None else None
    origin = origin_json(run, asking.service.memory, done, timings, asking.number)
    answers = iter(done.answers)
    return [
        {"error": str(broken[i])} if i in broken else answer_json(next(answers))
        for i in range(len(sources))
    ], origin


def mark_of(source: Source) -> int | None:
    """What tells a picture from others; None for the memory's own, which would find itself."""
    if isinstance(source, bytes):
        return hash(source)
    return None if source.id is not None else hash((source.base64, source.url))


async def decoded(
    asking: Asking, served: Served, sources: Sequence[Source]
) -> list[Image.Image | PictureError]:
    """Pictures, or why they cannot be read; one that was repeated is decoded once."""
    different = {id(source): source for source in sources}
    found = await asking.each_picture(list(different.values()), served.hint)
    known = dict(zip(different, found, strict=True))
    return [known[id(source)] for source in sources]


def paired(sources: list[Source], texts: list[str], noun: str) -> tuple[list[Source], list[str]]:
    """As many pictures as texts; one that is single is repeated."""
    if not texts:
        raise QueryError(f"There are no {noun}s. Give one for each picture, or one for all.")
    check_pairs(len(sources), len(texts), noun)
    count = max(len(sources), len(texts))
    return (
        sources * count if len(sources) == 1 else sources,
        texts * count if len(texts) == 1 else texts,
    )


def text_of(sent: Sent[Body], shape: Shape) -> list[str] | None:
    """The text beside the picture, as a list."""
    beside = shape.task.beside
    if not beside:
        return None
    text: str = getattr(sent.body, beside)
    if not text.strip():
        raise QueryError(f"The {beside} is empty. Give words.")
    return [text]


def option_texts(body: Body) -> list[str]:
    """The options that are texts, each of which may be too long."""
    values = dict(options_of(body)).values()
    return [value for value in values if isinstance(value, str)]


def options_of(body: Body) -> Options:
    """How to answer, in a form that can be compared; what was not said is left out."""
    given = body.model_dump(exclude=NOT_OPTIONS, exclude_unset=True, exclude_none=True)

    def usual(name: str) -> object:
        field = body.__class__.model_fields[name]
        default: object = field.get_default(call_default_factory=True, validated_data={})
        return default

    return tuple(
        sorted(
            (name, tuple(value) if isinstance(value, list) else value)
            for name, value in given.items()
            if value != usual(name)
        )
    )
