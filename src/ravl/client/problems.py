"""Problems of a server, and connection errors, as errors of ravl."""

from __future__ import annotations

import re

import httpx2 as httpx

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
from ravl.json_types import JsonRecord
from ravl.tasks import registry
from ravl.untrusted import parse_json

ADDRESS = "address"  # the address does not exist
# Error classes of problem kinds that concern the request. Others, such as access or busy, do not.
KINDS: dict[str, type[RavlError]] = {
    ADDRESS: QueryError,
    "data": DataError,
    "encoder": EncoderError,
    "encoder_mismatch": EncoderMismatchError,
    "filter": FilterError,
    "memory_exists": MemoryExistsError,
    "memory_file": MemoryFileError,
    "memory_locked": MemoryLockedError,
    "picture": PictureError,
    "plugin": PluginError,
    "query": QueryError,
    "request": QueryError,
    "row_exists": RowExistsError,
    "row_not_found": RowNotFoundError,
    "untrusted": AddressError,
}
FEWER = re.compile(r"at most ([\d,]+) go in one request|number of files is (\d+)")
LESS = "for less"  # messages of a server that accepts the same request in parts


class ServerError(RavlError):
    """The server cannot be reached, does not let you in, or is too busy.

    Args:
        sentence: what was found, and what to do.
        status: of HTTP; None if there was no answer.
        request: number of the request in the server's log.
    """

    def __init__(self, sentence: str, status: int | None = None, request: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.request = request


def checked(reply: httpx.Response) -> httpx.Response:
    """The reply, unless it is a problem.

    Raises:
        RavlError: as in the local API; the problem's kind gives the class.
        ServerError: the server is busy, does not let you in, or failed.
    """
    if reply.is_success:
        return reply
    problem = _problem(reply)
    if not problem.get("detail"):
        raise stranger(reply)
    url = reply.request.url
    task = url.path.rpartition("/v1/")[2].partition("/")[0]
    if problem.get("kind") == ADDRESS and task in registry.commands():
        raise QueryError(
            f"No run at {origin_of(url)} answers {task}. See Client.runs(), or ravl info --server "
            "URL, for the runs of the server."
        )
    raise refusal(problem)


def refusal(problem: JsonRecord) -> RavlError:
    """A server's problem as the error that the local API would raise.

    Args:
        problem: the problem, in the format of RFC 9457.
    """
    sentence, kind = str(problem["detail"]), KINDS.get(str(problem.get("kind")))
    if kind is not None:
        return kind(sentence)
    return ServerError(sentence, problem.get("status"), str(problem.get("request", "")))


def sentence_of(reply: httpx.Response) -> str:
    """The server's error sentence; empty if the reply is not from a server of ravl."""
    return str(_problem(reply).get("detail", ""))


def _problem(reply: httpx.Response) -> JsonRecord:
    """The problem in a reply; empty if there is no problem."""
    try:
        found = parse_json(reply.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def fewer(reply: httpx.Response, count: int) -> int | None:
    """The number of items per request if there were too many; None for other problems."""
    if count < 2 or reply.status_code not in (400, 413, 422, 429, 503):
        return None
    sentence = sentence_of(reply)
    if limit := FEWER.search(sentence):
        most = int((limit[1] or limit[2]).replace(",", ""))
        return most if 0 < most < count else None
    return count // 2 if reply.status_code == 413 or LESS in sentence else None


def stranger(reply: httpx.Response) -> ServerError:
    """The error for a reply that is not from a server of ravl."""
    url, status = origin_of(reply.request.url), reply.status_code
    if reply.is_redirect:
        to = reply.headers.get("location", "elsewhere").partition("?")[0]
        return ServerError(f"{url} redirects to {to}. Give this address as the server.", status)
    return ServerError(
        f"The reply from {url} is not from a ravl server, or a proxy failed (status "
        f"{status}). Check the address.",
        status,
    )


def unreachable(url: str, error: httpx.TransportError) -> ServerError:
    """The error if there is no answer."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return ServerError(
            f"There is no answer at {url} ({_words(error)}). Check the address, and that ravl "
            "serve runs there."
        )
    if isinstance(error, httpx.TimeoutException):
        return ServerError(
            f"{url} did not answer in time. Try again later or send less, or set a larger timeout."
        )
    return ServerError(
        f"The connection to {url} broke ({_words(error)}). Check whether the server still runs, "
        "and try again."
    )


def origin_of(url: httpx.URL) -> str:
    """The address of a server, without the path of the request."""
    return str(url).partition("/v1/")[0]


def _words(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
