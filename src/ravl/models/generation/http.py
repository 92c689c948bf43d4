"""JSON over HTTP to a server of a language model: key, time limits, retries, server-sent events."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from ravl.errors import EncoderError
from ravl.json_types import JsonObject
from ravl.untrusted import parse_json

KEYS = ("RAVL_OPENAI_KEY", "OPENAI_API_KEY")  # environment variables, the first that is set
LARGEST = 8 << 20  # bytes of an answer
RETRIED = (429, 500, 502, 503, 504)
PATIENCE = 30.0  # seconds between two tries at most, whatever the server asks for
CHUNK = 1 << 16


class Wire:
    """A server's address and the connection to it.

    The key is read from the environment with every request. It is sent only to this server, because
    redirects are not followed, and never appears in a message.

    Args:
        address: ``http://`` or ``https://``, with the path that all paths are under.
        timeout: seconds without a byte, and ten times that for a whole answer.
        retries: of a request that the server was too busy or too broken for.
        pause: seconds before the first of them, doubled before each next.

    Raises:
        EncoderError: not such an address, or one with a user and password in it.
    """

    def __init__(
        self, address: str, timeout: float = 60.0, retries: int = 4, pause: float = 0.5
    ) -> None:
        try:
            parts = urlsplit(address)
            sound = parts.scheme in ("http", "https") and bool(parts.hostname)
            parts.port  # noqa: B018 -- raises if it is no number
        except ValueError:
            sound = False
        if not sound or not address.isascii() or any(c.isspace() for c in address):
            raise EncoderError(
                "The address of the server must be like http://localhost:8000/v1 or "
                "https://host/v1."
            )
        if parts.username or parts.password or parts.query:
            raise EncoderError(
                "The address of the server has a user, a password or a query in it. Leave that "
                f"out; a key is taken from the environment variable {KEYS[0]} or {KEYS[1]}."
            )
        self.address = address.rstrip("/")
        self.timeout = timeout
        self.retries = retries
        self.pause = pause
        self._opener: OpenerDirector = build_opener(_NoRedirect)

    def ask(self, path: str, body: JsonObject | None = None) -> JsonObject:
        """The answer to a GET, or to a POST of a body.

        Raises:
            RefusedError: the server answers with an error.
            EncoderError: no server there, too slow, too large, or no JSON object.
        """
        with closing(self._open(path, body)) as response:
            data = b"".join(self._chunks(response))
        return self._object(data)

    def events(self, path: str, body: JsonObject) -> Iterator[JsonObject]:
        """The server-sent events that answer a POST; one, if it answers with JSON instead.

        Raises:
            RefusedError: the server answers with an error.
            EncoderError: as :meth:`ask`.
        """
        with closing(self._open(path, body)) as response:
            if "event-stream" not in response.headers.get("Content-Type", ""):
                yield self._object(b"".join(self._chunks(response)))
                return
            for line in _lines(self._chunks(response)):
                field, _, value = line.partition(b":")
                if field != b"data" or not value.strip():
                    continue  # comments keep the connection alive, and other fields are not needed
                if value.strip() == b"[DONE]":
                    return
                yield self._object(value)

    def _open(self, path: str, body: JsonObject | None) -> http.client.HTTPResponse:
        """An answer that is no error, at the first try or a later one."""
        for turn in range(self.retries + 1):
            request = Request(  # noqa: S310 -- http or https, see above
                f"{self.address}/{path}",
                None if body is None else json.dumps(body).encode(),
                self._headers(),
            )
            try:
                response: http.client.HTTPResponse = self._opener.open(
                    request, timeout=self.timeout
                )
                return response
            except HTTPError as error:
                with closing(error):
                    if error.code not in RETRIED or turn == self.retries:
                        raise self._refused(error) from None
                    asked = error.headers.get("Retry-After", "")
                wait = float(asked) if asked.isdecimal() else self.pause * 2**turn
                time.sleep(min(wait, PATIENCE))
            except TimeoutError:
                raise self._slow() from None
            except (URLError, OSError, http.client.HTTPException) as error:
                raise self._absent(error) from None
        raise AssertionError("the last turn returns or raises")

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        key = _key()
        if not key:
            return headers
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise EncoderError("The server's key in the environment holds characters no key has.")
        return {**headers, "Authorization": f"Bearer {key}"}

    def _chunks(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        """The answer's bytes as they come, within the limits of size and time."""
        size, end = 0, time.monotonic() + 10 * self.timeout
        try:
            while chunk := response.read1(CHUNK):
                size += len(chunk)
                if size > LARGEST:
                    raise EncoderError(
                        f"The server at {self.address} answers with more than "
                        f"{LARGEST >> 20} megabytes, which is no text that was asked for."
                    )
                if time.monotonic() > end:
                    raise self._slow()
                yield chunk
        except TimeoutError:
            raise self._slow() from None
        except (OSError, http.client.HTTPException) as error:
            raise self._absent(error) from None

    def _object(self, data: bytes) -> JsonObject:
        try:
            found = parse_json(data)
        except ValueError:
            found = None
        if isinstance(found, dict) and "error" not in found:
            return found
        if isinstance(found, dict) and found["error"]:
            raise EncoderError(f"The server at {self.address} says: {_said(found)}.")
        if isinstance(found, dict):
            return found
        raise EncoderError(
            f"The server at {self.address} answers with something that is no JSON object. Check "
            "that the address is that of an OpenAI-compatible API; it mostly ends in /v1."
        )

    def _refused(self, error: HTTPError) -> RefusedError:
        try:
            words = _said(parse_json(error.read(CHUNK)))
        except (ValueError, OSError, http.client.HTTPException):
            words = ""
        reasons = {
            401: f"it wants a key: set {KEYS[0]} or {KEYS[1]}, and check that it is right",
            403: "the key may not do that",
            404: "it has no such model, or the address is wrong; it mostly ends in /v1",
            429: f"it is too busy, also after {self.retries} retries",
        }
        why = reasons.get(error.code, words or http.client.responses.get(error.code, "an error"))
        if words and words != why:
            why += f" (it says: {words})"
        return RefusedError(
            error.code, f"The server at {self.address} answers {error.code}: {why}."
        )

    def _slow(self) -> EncoderError:
        return EncoderError(
            f"The server at {self.address} did not answer within {self.timeout:g} s. Wait until "
            "its model is loaded, or allow more time (timeout)."
        )

    def _absent(self, error: Exception) -> EncoderError:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            return self._slow()
        name = getattr(reason, "strerror", None) or type(reason).__name__
        return EncoderError(
            f"The server at {self.address} cannot be reached ({name}). Check that it runs and "
            "that the address is right."
        )


class RefusedError(EncoderError):
    """The server answered with an error.

    Args:
        code: of HTTP.
        message: a sentence.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class _NoRedirect(HTTPRedirectHandler):
    """A redirect is an error: the key would go along."""

    def redirect_request(self, *_: object) -> None:
        return None


def _key() -> str:
    return next((k for k in (os.environ.get(name, "").strip() for name in KEYS) if k), "")


def _said(answer: object) -> str:
    """What an answer says of its error, one short line, without the key."""
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    words = error.get("message", "") if isinstance(error, dict) else error
    line = "".join(c for c in " ".join(str(words).split()) if c.isprintable())
    if key := _key():
        line = line.replace(key, "***")
    return line[:200].rstrip(".")


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for chunk in chunks:
        *whole, held = (held + chunk).split(b"\n")
        yield from (line.rstrip(b"\r") for line in whole)
    yield held
