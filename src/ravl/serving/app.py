"""The app: endpoints, problems, documentation."""

from __future__ import annotations

import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ravl import __version__
from ravl.errors import RavlError
from ravl.serving.documented import document
from ravl.serving.guard import Guard, id_of_request
from ravl.serving.problems import Problem, problem_of, problem_response, sentence_of
from ravl.serving.routes import (
    answering,
    drift,
    feedback,
    images,
    page,
    rows,
    runs,
    searching,
    status,
    streaming,
)
from ravl.serving.service import Service

SUMMARY = "Search a memory of pictures, and ask what was fitted to it."
DESCRIPTION = (
    "Pictures come as multipart/form-data, as base64 in JSON, or as the id of a row. Every answer "
    "carries the rows that it rests on, the run and the version of the memory that gave it, and "
    "what it took. Errors are problem JSON with a sentence that says what to do."
)
ROUTES = (searching, answering, streaming, rows, images, feedback, runs, drift, status, page)


def create_app(service: Service) -> FastAPI:
    """The app of a service.

    The service is closed when the app ends, after what is under way has been answered.
    """

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        yield
        service.ready = False
        service.close()

    app = FastAPI(
        title="ravl",
        version=__version__,
        summary=SUMMARY,
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=life,
        redirect_slashes=False,
    )
    app.state.service = service
    for module in ROUTES:
        module.add(app, service)
    app.openapi = lambda: document(app, service.keys is not None)  # type: ignore[method-assign]
    _handle(app, service)
    app.add_middleware(Guard, service=service)
    return app


def _handle(app: FastAPI, service: Service) -> None:
    """Make problems of all errors."""

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        return problem_response(error, id_of_request(request.scope))

    @app.exception_handler(RavlError)
    async def ravl(request: Request, error: RavlError) -> Response:
        found = problem_of(error, service.memory)
        if found.status >= 500:
            number = id_of_request(request.scope)
            print(f"request {number}: {error}", file=sys.stderr)
            traceback.print_exception(error)
        return problem_response(found, id_of_request(request.scope))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        found = Problem(422, sentence_of(list(error.errors())))
        return problem_response(found, id_of_request(request.scope))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        sentences = {
            404: "There is no such address here; /v1/openapi.json lists what there is.",
            405: "This address does not take that method.",
        }
        found = Problem(error.status_code, sentences.get(error.status_code, str(error.detail)))
        response = problem_response(found, id_of_request(request.scope))
        for name, value in (error.headers or {}).items():
            response.headers[name] = value
        return response
