"""Health, readiness, metrics, and the OpenAPI document."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field
from starlette.responses import Response

from ravl.serving.asking import caller_of
from ravl.serving.documented import gives, problems, secured
from ravl.serving.outgoing import Json
from ravl.serving.problems import Problem
from ravl.serving.results import TASK, example
from ravl.serving.service import Service

READS_WITHIN = 5.0  # seconds that a reader may be waited for


class Health(BaseModel):
    """Whether the process lives."""

    model_config = example(status="alive")
    status: str


class Asks(BaseModel):
    """Who asks, and what they may."""

    model_config = example(name="web", scope="write", keyed=True)
    name: str = Field(description="Of the key.")
    scope: str = Field(description="read, write or admin.")
    keyed: bool = Field(description="Whether the server takes keys.")


class Ready(BaseModel):
    """Whether it answers: models are warm, and the memory can be read."""

    model_config = example(status="ready", tasks=["search", TASK])
    status: str
    tasks: list[str]


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoints."""

    @app.get(
        "/v1/health",
        summary="Does the process live?",
        tags=["status"],
        operation_id="health",
        openapi_extra=secured(None),
        responses=gives(app, Health),
    )
    async def health() -> Json:
        return Json({"status": "alive"})

    @app.get(
        "/v1/ready",
        summary="Does it answer?",
        tags=["status"],
        operation_id="ready",
        openapi_extra=secured(None),
        responses=gives(app, Ready),
    )
    async def ready() -> Json:
        if not service.ready:
            raise Problem(503, "The models are not ready yet.", retry=1)
        if not service.decoders.free:
            raise Problem(503, "All threads that read pictures are busy.", retry=5)
        try:
            async with asyncio.timeout(READS_WITHIN):  # can its file be read, and by whom?
                await service.aside(service.memory.count, 'id = ""')
        except TimeoutError:
            raise Problem(503, "All threads that read the memory are busy.", retry=5) from None
        return Json({"status": "ready", "tasks": ["search", *service.tasks]})

    @app.get(
        "/v1/caller",
        summary="Who asks?",
        tags=["status"],
        operation_id="caller",
        openapi_extra=secured("read"),
        responses=gives(app, Asks),
    )
    async def caller(request: Request) -> Json:
        found = caller_of(service, request, "read")
        keyed = service.keys is not None
        return Json({"name": found.name, "scope": found.scope, "keyed": keyed})

    @app.get(
        "/v1/metrics",
        summary="For Prometheus",
        tags=["status"],
        operation_id="metrics",
        openapi_extra=secured("read"),
        response_class=Response,
        responses={
            200: {
                "description": "Prometheus's text format.",
                "content": {
                    "text/plain": {
                        "schema": {"type": "string"},
                        "example": 'ravl_requests_total{route="/v1/search"} 12.0\n',
                    }
                },
            },
            **problems(),
        },
    )
    async def metrics(request: Request) -> Response:
        caller_of(service, request, "read")
        rows = await service.aside(service.memory.count)
        text = service.metrics.text(service.pending(), rows)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/openapi.json", include_in_schema=False)
    async def openapi() -> Json:
        return Json(app.openapi())
