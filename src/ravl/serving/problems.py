"""The errors that clients receive: RFC 9457's problem JSON, never a stack trace."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from starlette.responses import JSONResponse

from ravl.errors import (
    AddressError,
    DataError,
    EncoderError,
    EncoderMismatchError,
    FilterError,
    MemoryExistsError,
    MemoryFileError,
    MemoryLockedError,
    PictureError,
    PluginError,
    QueryError,
    RavlError,
    RowExistsError,
    RowNotFoundError,
)
from ravl.memory import Memory

MEDIA_TYPE = "application/problem+json"
GONE = 499  # the client has left; nobody reads this

Kind = Literal[
    "access",
    "address",
    "busy",
    "data",
    "encoder",
    "encoder_mismatch",
    "failure",
    "filter",
    "memory_exists",
    "memory_file",
    "memory_locked",
    "picture",
    "plugin",
    "query",
    "request",
    "row_exists",
    "row_not_found",
    "untrusted",
]
ERRORS: dict[type[RavlError], Kind] = {
    AddressError: "untrusted",
    DataError: "data",
    EncoderError: "encoder",
    EncoderMismatchError: "encoder_mismatch",
    FilterError: "filter",
    MemoryExistsError: "memory_exists",
    MemoryFileError: "memory_file",
    MemoryLockedError: "memory_locked",
    PictureError: "picture",
    PluginError: "plugin",
    QueryError: "query",
    RowExistsError: "row_exists",
    RowNotFoundError: "row_not_found",
}
STATUSES: dict[int, Kind] = {  # of what is no error of ravl's, unless it says otherwise
    400: "request",
    401: "access",
    403: "access",
    404: "address",
    405: "address",
    408: "busy",
    413: "picture",
    415: "request",
    429: "busy",
    499: "request",
    500: "failure",
    503: "busy",
}


class Problem(Exception):
    """An error that a client receives.

    Args:
        status: of HTTP.
        detail: a sentence: what was found, what is allowed, what to do.
        retry: seconds after which it may go better; None where it will not.
        kind: what it is about; None for what the status says.
    """

    def __init__(
        self, status: int, detail: str, retry: float | None = None, kind: Kind | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry = retry
        self.kind: Kind = kind or STATUSES.get(status, "query")


class ProblemBody(BaseModel):
    """What is wrong, as RFC 9457 has it."""

    model_config = ConfigDict(
        title="Problem",
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Not Found",
                    "status": 404,
                    "kind": "row_not_found",
                    "detail": "There is no row 'shirts/18.jpg' in shop.ravl.",
                    "request": "6f1c0b52a9d3",
                }
            ]
        },
    )

    type: str = Field(description="Always about:blank: the status says which kind it is.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The status of HTTP.")
    kind: Kind = Field(
        description="What it is about, for programs: the client chooses its error by it."
    )
    detail: str = Field(description="What is wrong and what to do, in a sentence or two.")
    request: str = Field(description="Identifies the request in the server's log.")


def problem_response(problem: Problem, request: str) -> JSONResponse:
    """A problem as it is sent."""
    try:
        title = HTTPStatus(problem.status).phrase
    except ValueError:
        title = "Client Closed Request"
    headers = {} if problem.retry is None else {"Retry-After": str(max(1, round(problem.retry)))}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="ravl"'
    body = {
        "type": "about:blank",
        "title": title,
        "status": problem.status,
        "kind": problem.kind,
        "detail": problem.detail,
        "request": request,
    }
    return JSONResponse(body, problem.status, headers, media_type=MEDIA_TYPE)


def problem_of(error: RavlError, memory: Memory) -> Problem:
    """An error of ravl as a problem, with the same sentence but no path of the server's."""
    detail = without_paths(str(error), memory)
    kind = next((ERRORS[each] for each in type(error).__mro__ if each in ERRORS), None)
    if isinstance(error, RowNotFoundError):
        return Problem(404, detail, kind=kind)
    if isinstance(error, MemoryLockedError):
        return Problem(503, detail, retry=5, kind=kind)
    if isinstance(error, MemoryFileError | EncoderError):
        return Problem(503, detail, retry=60, kind=kind)
    return Problem(422, detail, kind=kind)


def without_paths(text: str, memory: Memory) -> str:
    """A sentence that names files but not where they are."""
    text = text.replace(str(memory.path), memory.path.name)
    return text.replace(f"{memory.folder}/", "")


def sentence_of(error: ValidationError | Sequence[ErrorDetails]) -> str:
    """The first things that a request got wrong, as a sentence."""
    errors = error.errors(include_url=False) if isinstance(error, ValidationError) else error
    sentences = []
    for found in errors[:3]:
        place = ".".join(str(part) for part in found["loc"] if part not in ("query", "body"))
        message = str(found["msg"]).removeprefix("Value error, ").rstrip(".")
        sentences.append(f"{place[:100]}: {message}." if place else f"{message}.")
    return " ".join(sentences)[:1000].encode("utf-8", "replace").decode()
