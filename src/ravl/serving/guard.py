"""What every request passes first: size, time and origin; and the headers of every response."""

from __future__ import annotations

import asyncio
import ipaddress
import sys
import traceback
from time import monotonic
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ravl.serving.problems import GONE, Problem, problem_response
from ravl.serving.service import Service, request_id

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
REPORT_POLICY = (  # a report is one file with its styles inside, and has no scripts
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
HEADERS = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]


class Guard:
    """Wraps the app.

    Args:
        app: what is inside.
        service: whose limits hold.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service
        self._held = 0  # bytes of the bodies of all requests under way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number = request_id()
        scope.setdefault("state", {})["request"] = number
        head = scope["method"] == "HEAD"
        if head:  # as GET, without the body: monitors and load balancers ask so
            scope = {**scope, "method": "GET"}
        began, answered = monotonic(), {"status": 0}
        body = _Body(self, receive, began + self._service.limits.upload)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered["status"] = message["status"]
                given = {name.lower() for name, _ in message["headers"]}
                more = [(k, v) for k, v in HEADERS if k not in given]
                message["headers"] = [
                    *message["headers"],
                    *more,
                    (b"x-request-id", number.encode()),
                ]
            elif head:
                message = {**message, "body": b""}
            await send(message)

        try:
            self._check(scope)
            await self._app(scope, body.receive, sending)
        except ClientDisconnect:
            answered["status"] = GONE
        except Problem as problem:
            await problem_response(problem, number)(scope, receive, sending)
        except Exception:
            print(f"request {number} failed:", file=sys.stderr)
            traceback.print_exc()
            if answered["status"]:
                raise
            failure = Problem(500, f"Something went wrong here. The log knows it as {number}.")
            await problem_response(failure, number)(scope, receive, sending)
        finally:
            self._held -= body.size
            route = getattr(scope.get("route"), "path", "none")
            asked = "HEAD" if head else scope["method"]
            method = asked if asked in METHODS else "OTHER"
            took = monotonic() - began
            self._service.metrics.request(route, method, answered["status"], took)

    def take(self, count: int) -> None:
        """More bytes of a body have come."""
        self._held += count
        if self._held > self._service.limits.held:
            raise Problem(429, "Too much is being sent at once. Ask again in a moment.", retry=1)

    @property
    def most(self) -> int:
        """Bytes of one body."""
        return self._service.limits.body

    def _check(self, scope: Scope) -> None:
        """Refuse a request that is too large by its header, and pages of other sites."""
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        length = headers.get("content-length", "0")
        if not length.isdigit():
            raise Problem(400, "The header Content-Length is no number.")
        if int(length) > self.most:
            raise too_large(self.most)
        host = headers.get("host", "")
        # Without keys any page in the operator's browser could ask, were it not for these two:
        # a name that was made to resolve to this machine, and a form of another site.
        if self._service.keys is None and not is_loopback(_hostname(host)):
            raise Problem(403, "Without keys this server answers to localhost and 127.0.0.1 only.")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise Problem(403, "Pages of other sites may not use this server.")


METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")


class _Body:
    """A body as it arrives: counted, and in time."""

    def __init__(self, guard: Guard, receive: Receive, until: float) -> None:
        self._guard, self._receive, self._until = guard, receive, until
        self._complete = False
        self.size = 0

    async def receive(self) -> Message:
        """The next part; after the last, whatever the client does next, in its own time."""
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._until - monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise Problem(408, "The request did not arrive in time. Send it again.") from None
        size = len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if size:
            self.size += size
            self._guard.take(size)
        if self.size > self._guard.most:
            raise too_large(self._guard.most)
        return message


def too_large(most: int) -> Problem:
    """Why a body is refused."""
    return Problem(
        413,
        f"The request has more than the {most:,} bytes allowed. Send fewer or smaller pictures.",
    )


def is_loopback(host: str) -> bool:
    """Whether a host's name is this machine alone."""
    if host.lower() in ("localhost", "localhost.localdomain"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _hostname(host: str) -> str:
    """A Host header without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def id_of_request(scope: Scope) -> str:
    """The identifier of a request; empty without one."""
    return str(scope.get("state", {}).get("request", ""))
