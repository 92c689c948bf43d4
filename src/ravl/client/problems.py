"""What a server refuses, and a server that cannot be had, as errors of ravl."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import httpx2 as httpx

from ravl.errors import (
    DataError,
    EncoderError,
    EncoderMismatchError,
    FilterError,
    MemoryFileError,
    MemoryLockedError,
    PictureError,
    PluginError,
    QueryError,
    RavlError,
    RowNotFoundError,
)
from ravl.tasks import registry

ADDRESS = "address"  # there is none like it
# What a problem is about, by its kind. Others say nothing about what was asked: access, busy, ...
KINDS: dict[str, type[RavlError]] = {
    ADDRESS: QueryError,
    "data": DataError,
    "encoder": EncoderError,
    "encoder_mismatch": EncoderMismatchError,
    "filter": FilterError,
    "memory_file": MemoryFileError,
    "memory_locked": MemoryLockedError,
    "picture": PictureError,
    "plugin": PluginError,
    "query": QueryError,
    "request": QueryError,
    "row_not_found": RowNotFoundError,
}
FEWER = re.compile(r"at most ([\d,]+) go in one request|number of files is (\d+)")
LESS = "for less"  # how a server says that the same in parts would do


class ServerError(RavlError):
    """The server cannot be reached, does not let you in, or is too busy.

    Args:
        sentence: what was found, and what to do.
        status: of HTTP; None if there was no answer.
        request: number by which the server's log knows the request.
    """

    def __init__(self, sentence: str, status: int | None = None, request: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.request = request


def checked(reply: httpx.Response) -> httpx.Response:
    """The reply, unless it is a problem.

    Raises:
        RavlError: as the local API would; of the class that the problem's kind names.
        ServerError: the server is busy, does not let you in, or failed.
    """
    if reply.is_success:
        return reply
    told = _told(reply)
    if not told.get("detail"):
        raise stranger(reply)
    url = reply.request.url
    task = url.path.rpartition("/v1/")[2].partition("/")[0]
    if told.get("kind") == ADDRESS and task in registry.commands():
        raise QueryError(
            f"No run at {origin_of(url)} answers {task}. See Client.runs(), or ravl info --server "
            "URL, for what does."
        )
    raise refusal(told)


def refusal(told: Mapping[str, Any]) -> RavlError:
    """What a server refuses, as the error that the local API would raise.

    Args:
        told: the problem, as RFC 9457 has it.
    """
    sentence, kind = str(told["detail"]), KINDS.get(str(told.get("kind")))
    if kind is not None:
        return kind(sentence)
    return ServerError(sentence, told.get("status"), str(told.get("request", "")))


def sentence_of(reply: httpx.Response) -> str:
    """What a server says is wrong; empty if it is no server of ravl that says so."""
    return str(_told(reply).get("detail", ""))


def _told(reply: httpx.Response) -> Mapping[str, Any]:
    """A problem; empty if there is none."""
    try:
        found = json.loads(reply.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def fewer(reply: httpx.Response, count: int) -> int | None:
    """How many items to send at once where these were too many; None if that is not it."""
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
