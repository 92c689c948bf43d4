"""``/v1/runs``: what is served, what it was made of, and its report."""

from __future__ import annotations

import re
from pathlib import Path as File
from typing import Annotated
from urllib.parse import quote

from fastapi import FastAPI, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse

from ravl.json_types import JsonObject, JsonValue
from ravl.serving.asking import caller_of
from ravl.serving.documented import gives, problems, secured
from ravl.serving.guard import REPORT_POLICY
from ravl.serving.models import Served
from ravl.serving.outgoing import Json
from ravl.serving.problems import Problem
from ravl.serving.results import TASK, example
from ravl.serving.service import Service
from ravl.tasks import registry
from ravl.untrusted import read_json

RUN: JsonObject = {
    "name": "kinds",
    "task": TASK,
    "default": True,
    "streams": False,
    "options": ["k", "retrieval", "vote_only", "abstain"],
    "level": "linear",
    "report": "/v1/runs/kinds/report",
}
ABOUT: JsonObject = {
    "name": TASK,
    "summary": "Give a picture a label",
    "noun": "label",
    "field": "label",
    "beside": "",
    "single": True,
    "reranks": False,
}
# Of run.json; the rest is for the machine, or tells where things are.
RECORD_FIELDS = (
    "level",
    "labels",
    "vote",
    "parts",
    "versions",
    "column",
    "answers",
    "generator",
    "rerank",
)
Name = Annotated[str, Path(max_length=255, examples=["kinds"], description="Of the run.")]


class RunOut(BaseModel):
    """What answers a task."""

    model_config = example(**RUN)
    name: str
    task: str
    default: bool = Field(description="Whether it answers where no run is named.")
    streams: bool = Field(description="Whether its texts come word by word.")
    options: list[str] = Field(description="What may be said of how to answer.")
    level: str | None = Field(description="What it is made of; null for the memory alone.")
    report: str | None


class TaskOut(BaseModel):
    """A task, for programs that show it."""

    model_config = example(**ABOUT)
    name: str = Field(description="Of the task: the word in its address.")
    summary: str = Field(description="What it does.")
    noun: str = Field(description="What one answer is called.")
    field: str = Field(description="Of an answer, where it holds what was answered.")
    beside: str = Field(description="What comes with the picture: text, question, or nothing.")
    single: bool = Field(description="Whether two different right answers contradict each other.")
    reranks: bool = Field(description="Whether its runs can rerank searches.")


class Runs(BaseModel):
    """What is served."""

    model_config = example(
        memory={"name": "shop.ravl", "rows": 1234, "version": 12, "encoder": "builtin"},
        tasks=["search", TASK],
        about=[ABOUT],
        runs=[RUN],
    )
    memory: JsonObject
    tasks: list[str]
    about: list[TaskOut] = Field(description="What the tasks are, also those not offered here.")
    runs: list[RunOut]


class RunDetails(RunOut):
    """A run, how it was made, and what it is worth."""

    model_config = example(
        **RUN,
        record={"labels": ["shirt", "hat"], "parts": {"train": 800, "test": 100}},
        metrics={"rows": {"vote": {"accuracy": {"value": 0.9, "low": 0.87, "high": 0.93}}}},
    )
    record: JsonObject
    metrics: JsonObject


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoints."""

    @app.get(
        "/v1/runs",
        summary="What is served",
        tags=["runs"],
        operation_id="runs",
        openapi_extra=secured("read"),
        responses=gives(app, Runs),
    )
    async def runs(request: Request) -> Json:
        caller_of(service, request, "read")
        memory = await service.aside(_memory, service)
        shown = [_run(service, served) for served in service.models]
        tasks = ["search", *service.tasks]
        return Json({"memory": memory, "tasks": tasks, "about": _tasks(), "runs": shown})

    @app.get(
        "/v1/runs/{name}",
        summary="A run and what it is worth",
        tags=["runs"],
        operation_id="run",
        openapi_extra=secured("read"),
        responses=gives(app, RunDetails, 404),
    )
    async def run(request: Request, name: Name) -> Json:
        caller_of(service, request, "read")
        served = named(service, name)
        found = served.run
        assert found is not None
        record = {
            key: found.record[key] for key in RECORD_FIELDS if found.record.get(key) is not None
        }
        metrics = await service.aside(_metrics, found.folder / "metrics.json")
        shown = {**_run(service, served), "record": record, "metrics": metrics}
        return Json(_without_paths(shown, keep={"report"}))

    page = {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}

    @app.get(
        "/v1/runs/{name}/report",
        summary="Its report as a page",
        tags=["runs"],
        operation_id="run_report",
        openapi_extra=secured("read"),
        response_class=HTMLResponse,
        responses={200: page, **problems(404)},
    )
    async def report(request: Request, name: Name) -> HTMLResponse:
        caller_of(service, request, "read")
        found = named(service, name).run
        assert found is not None
        file = found.folder / "report.html"
        if not file.is_file():
            raise Problem(404, f"The run {name!r} has no report.", kind="data")
        text = await service.aside(file.read_text, "utf-8")
        return HTMLResponse(text, headers={"Content-Security-Policy": REPORT_POLICY})


def _run(service: Service, served: Served) -> JsonObject:
    found = served.run
    return {
        "name": served.name,
        "task": served.task,
        "default": service.model(served.task) is served,
        "streams": served.writer is not None,
        "options": [option.name for option in served.kind.options],
        "level": None if found is None else found.record.get("level"),
        "report": None if found is None else f"/v1/runs/{quote(served.name, safe='')}/report",
    }


def _tasks() -> list[JsonObject]:
    """All tasks that are installed."""
    usual = (registry.of_command(command)[0] for command in registry.commands())
    return [
        {**{key: getattr(task, key) for key in ABOUT if key != "name"}, "name": task.command}
        for task in usual
    ]


def named(service: Service, name: str) -> Served:
    """The run of a name.

    Raises:
        Problem: 404, there is none.
    """
    for served in service.models:
        if served.name == name and served.run is not None:
            return served
    raise Problem(
        404, f"There is no run {name[:80]!r} here; /v1/runs lists what there is.", kind="query"
    )


def _memory(service: Service) -> JsonObject:
    info = service.memory.info()
    return {
        "name": info.path.name,
        "rows": info.rows,
        "pictures": info.pictures,
        "version": info.version,
        "encoder": info.encoder,
        "columns": list(info.columns),
        "labels": dict(list(info.labels.items())[:100]),
    }


def _metrics(file: File) -> JsonObject:
    try:
        return read_json(file)
    except (OSError, ValueError):
        return {}


_PATH = re.compile(r"(?<![\w:/.])/(?:[\w.\- ]+/)+(?=[\w.\-])")


def _without_paths(value: JsonValue, keep: set[str]) -> JsonValue:
    """The same, and no text in it says where something is on this machine."""
    if isinstance(value, dict):
        return {k: v if k in keep else _without_paths(v, keep) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_paths(v, keep) for v in value]
    return _PATH.sub("", value) if isinstance(value, str) else value
