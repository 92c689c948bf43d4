"""What a server refuses, and a server that cannot be had, as errors of ravl."""

from __future__ import annotations

import json
import re

import httpx2 as httpx

from ravl.errors import (
    DataError,
    FilterError,
    PictureError,
    QueryError,
    RavlError,
    RowNotFoundError,
)

WRITES = re.compile(r"/v1/(rows?|feedback)\b")
OURS = (401, 403, 408, 429)  # statuses that say nothing about what was asked
# What the problem is about, by how its sentence begins: the wire has a status and a sentence.
KINDS: tuple[tuple[str, type[RavlError]], ...] = (
    (r"There is no row|There is no feedback", RowNotFoundError),
    (r"The filter |There is no column |where: |.* is a list and cannot be compared", FilterError),
    (r"Say which rows", QueryError),
    (r"The picture|The row .* has no picture\.", PictureError),
)
FEWER = re.compile(r"at most ([\d,]+) go in one request|number of files is (\d+)")
LESS = "for less"  # how a server says that the same in parts would do


class ServerError(RavlError):
    """The server cannot be reached, does not let you in, or is too busy.

    Args:
        sentence: what was found, and what to do.
        status: of HTTP; None where there was no answer.
        request: number by which the server's log knows the request.
    """

    def __init__(self, sentence: str, status: int | None = None, request: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.request = request


def checked(reply: httpx.Response) -> httpx.Response:
    """The reply, unless it is a problem.

    Raises:
        QueryError, DataError, PictureError, FilterError, RowNotFoundError: as the local API would.
        ServerError: the server is busy, does not let you in, or failed.
    """
    if reply.is_success:
        return reply
    sentence = sentence_of(reply)
    if not sentence:
        raise stranger(reply)
    request, url = reply.headers.get("x-request-id", ""), reply.request.url
    if reply.status_code == 404 and sentence.startswith("There is no such address"):
        task = url.path.rpartition("/v1/")[2].partition("/")[0]
        raise QueryError(
            f"No run at {origin_of(url)} answers {task}. See Client.runs(), or ravl info --server "
            "URL, for what does."
        )
    raise refusal(reply.status_code, sentence, request, writes=bool(WRITES.search(url.path)))


def refusal(status: int, sentence: str, request: str, writes: bool = False) -> RavlError:
    """What a server refuses, as the error that the local API would raise.

    Args:
        status: of HTTP.
        sentence: of the server.
        request: number of it.
        writes: something was to be changed.
    """
    if status in OURS or status >= 500:
        return ServerError(sentence, status, request)
    if status == 413:
        return PictureError(sentence)
    for begins, kind in KINDS:
        if re.match(begins, sentence):
            return kind(sentence)
    return DataError(sentence) if writes else QueryError(sentence)


def sentence_of(reply: httpx.Response) -> str:
    """What a server says is wrong; empty where it is no server of ravl that says so."""
    try:
        found = json.loads(reply.content)
    except ValueError:
        return ""
    return str(found.get("detail", "")) if isinstance(found, dict) else ""


def fewer(reply: httpx.Response, count: int) -> int | None:
    """How many items to send at once where these were too many; None where that is not it."""
    if count < 2 or reply.status_code not in (400, 413, 422, 429, 503):
        return None
    sentence = sentence_of(reply)
    if told := FEWER.search(sentence):
        most = int((told[1] or told[2]).replace(",", ""))
        return most if 0 < most < count else None
    return count // 2 if reply.status_code == 413 or LESS in sentence else None


def stranger(reply: httpx.Response) -> ServerError:
    """What answers, but not as a server of ravl does."""
    url, status = origin_of(reply.request.url), reply.status_code
    if reply.is_redirect:
        to = reply.headers.get("location", "elsewhere").partition("?")[0]
        return ServerError(f"{url} sends on to {to}. Name that address as the server.", status)
    return ServerError(
        f"What answers at {url} is no ravl server, or something before it failed (status "
        f"{status}). Check the address.",
        status,
    )


def unreachable(url: str, error: httpx.TransportError) -> ServerError:
    """Why there is no answer."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return ServerError(
            f"There is no answer at {url} ({_words(error)}). Check the address, and that ravl "
            "serve runs there."
        )
    if isinstance(error, httpx.TimeoutException):
        return ServerError(
            f"{url} did not answer in time. Ask again later or for less, or wait longer with a "
            "larger timeout."
        )
    return ServerError(
        f"The connection to {url} broke ({_words(error)}). Check whether the server still runs, "
        "and ask again."
    )


def origin_of(url: httpx.URL) -> str:
    """Where a server is, without the path of what was asked."""
    return str(url).partition("/v1/")[0]


def _words(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
