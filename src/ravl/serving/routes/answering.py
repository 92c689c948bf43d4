"""``/v1/classify``, ``tag``, ``match``, ``caption``, ``ask``, and each as a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel

from ravl.errors import QueryError
from ravl.serving.asking import Asking, caller_of
from ravl.serving.bodies import (
    AskMany,
    AskOne,
    Body,
    CaptionMany,
    CaptionOne,
    LabelMany,
    LabelOne,
    MatchMany,
    MatchOne,
    PictureIn,
)
from ravl.serving.documented import gives, takes
from ravl.serving.incoming import Sent, check_number, check_texts, read
from ravl.serving.models import Options, Served
from ravl.serving.outgoing import Json, answer_json, origin_json
from ravl.serving.results import (
    AnswerOut,
    CaptionAnswer,
    LabelAnswer,
    MatchAnswer,
    ReplyAnswer,
    TagAnswer,
    shown,
    wrapped,
)
from ravl.serving.service import Service

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


@dataclass(frozen=True)
class Kind:
    """A task as an endpoint.

    Args:
        one, many: bodies.
        answer: the shape of an answer.
        field: of the text beside a picture; empty where there is none.
        summary: what it does.
    """

    one: type[Body]
    many: type[Body]
    answer: type[AnswerOut]
    field: str
    summary: str


KINDS = {
    "classify": Kind(LabelOne, LabelMany, LabelAnswer, "", "Give a picture a label"),
    "tag": Kind(LabelOne, LabelMany, TagAnswer, "", "Give a picture tags"),
    "match": Kind(MatchOne, MatchMany, MatchAnswer, "text", "Judge whether a text fits a picture"),
    "caption": Kind(CaptionOne, CaptionMany, CaptionAnswer, "", "Describe a picture"),
    "ask": Kind(AskOne, AskMany, ReplyAnswer, "question", "Answer a question about a picture"),
}


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoints of the tasks that are offered."""
    for task in service.tasks:
        _one(app, service, task, KINDS[task])
        _many(app, service, task, KINDS[task])


def _one(app: FastAPI, service: Service, task: str, kind: Kind) -> None:
    model = result(task, kind, "answer")

    @app.post(
        f"/v1/{task}",
        summary=kind.summary,
        tags=[task],
        operation_id=task,
        openapi_extra=takes(app, kind.one, "read"),
        responses=gives(app, model, 400, 404, 415),
    )
    async def one(request: Request) -> Json:
        caller_of(service, request, "read")
        asking = Asking(service, request)
        sent, served = await read_one(service, request, task, kind)
        text = text_of(sent, kind)
        answers, origin = await answers_of(
            asking, served, [sent.one()], text, options_of(sent.body)
        )
        return Json({"answer": answers[0], **origin})


def _many(app: FastAPI, service: Service, task: str, kind: Kind) -> None:
    model = result(task, kind, "answers")

    @app.post(
        f"/v1/{task}/batch",
        summary=f"{kind.summary}: several",
        tags=[task],
        operation_id=f"{task}_batch",
        openapi_extra=takes(app, kind.many, "read"),
        responses=gives(app, model, 400, 404, 415),
    )
    async def many(request: Request) -> Json:
        caller_of(service, request, "read")
        asking = Asking(service, request)
        most = service.limits.batch
        sent = await read(request, kind.many, most)
        served = service.model(task, getattr(sent.body, "run", None))
        check_texts([getattr(sent.body, "instruction", None)], service.limits.text)
        sources = sent.many(most)
        texts: list[str] | None = getattr(sent.body, f"{kind.field}s") if kind.field else None
        if texts is not None:
            check_number(len(texts), f"{kind.field}s", most)
            check_texts(texts, service.limits.text)
            if not all(text.strip() for text in texts):
                raise QueryError(f"Among the {kind.field}s is an empty one. Give words.")
            sources, texts = paired(sources, texts, f"{kind.field}s")
        answers, origin = await answers_of(asking, served, sources, texts, options_of(sent.body))
        return Json({"answers": answers, **origin})


async def read_one(
    service: Service, request: Request, task: str, kind: Kind
) -> tuple[Sent[Body], Served]:
    """A body about one picture, and who answers; refused before it is read where it is full."""
    service.model(task).batcher.check()
    sent: Sent[Body] = await read(request, kind.one, 1)
    served = service.model(task, getattr(sent.body, "run", None))
    check_texts([getattr(sent.body, kind.field or "run")], service.limits.text)
    check_texts([getattr(sent.body, "instruction", None)], service.limits.text)
    return sent, served


async def answers_of(
    asking: Asking,
    served: Served,
    sources: Sequence[Source],
    texts: Sequence[str] | None,
    options: Options,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Answers as JSON, and where they come from."""

    async def items() -> Sequence[Any]:
        found = await decoded(asking, served, sources)
        return found if texts is None else list(zip(found, texts, strict=True))

    done, timings = await asking.answered(
        served.batcher, len(sources), (served.task, options), served.call(options), items
    )
    asking.service.saw(served, options, zip(map(mark_of, sources), done.answers, strict=True))
    run = served.name if served.run is not None else None
    origin = origin_json(run, asking.service.memory, done, timings, asking.number)
    return [answer_json(answer) for answer in done.answers], origin


def mark_of(source: Source) -> int | None:
    """What tells a picture from others; None for the memory's own, which would find itself."""
    if isinstance(source, bytes):
        return hash(source)
    return None if source.id is not None else hash((source.base64, source.url))


async def decoded(asking: Asking, served: Served, sources: Sequence[Source]) -> list[Any]:
    """Pictures; one that was repeated is decoded once."""
    different = {id(source): source for source in sources}
    found = await asking.pictures(list(different.values()), served.hint)
    known = dict(zip(different, found, strict=True))
    return [known[id(source)] for source in sources]


def paired(sources: list[Source], texts: list[str], what: str) -> tuple[list[Source], list[str]]:
    """As many pictures as texts; one that is single is repeated."""
    if not texts or (len(sources) != len(texts) and 1 not in (len(sources), len(texts))):
        raise QueryError(
            f"There are {len(sources):,} pictures and {len(texts):,} {what}. Give as many of both, "
            "or one of either for all of the others.",
        )
    count = max(len(sources), len(texts))
    return (
        sources * count if len(sources) == 1 else sources,
        texts * count if len(texts) == 1 else texts,
    )


def text_of(sent: Sent[Body], kind: Kind) -> list[str] | None:
    """The text beside the picture, as a list."""
    if not kind.field:
        return None
    text: str = getattr(sent.body, kind.field)
    if not text.strip():
        raise QueryError(f"The {kind.field} is empty. Give words.")
    return [text]


def options_of(body: Body) -> Options:
    """How to answer, in a form that can be compared; what was not said is left out."""
    given = body.model_dump(exclude=NOT_OPTIONS, exclude_unset=True, exclude_none=True)
    usual: Callable[[str], Any] = lambda name: body.__class__.model_fields[name].get_default(  # noqa: E731
        call_default_factory=True, validated_data={}
    )
    return tuple(
        sorted(
            (name, tuple(value) if isinstance(value, list) else value)
            for name, value in given.items()
            if value != usual(name)
        )
    )


def result(task: str, kind: Kind, field: str) -> type[BaseModel]:
    """The shape of a task's response."""
    one, example = kind.answer, shown(kind.answer)
    name, words = task.capitalize(), f"Of {task}: "
    if field == "answer":
        return wrapped(f"{name}Result", f"{words}the answer.", answer=(one, example))
    return wrapped(
        f"{name}Results",
        f"{words}the answers, in their order.",
        answers=(list[one], [example]),  # type: ignore[valid-type]
    )
