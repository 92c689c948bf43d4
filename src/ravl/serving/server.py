"""Starting and stopping: one uvicorn process that says when it is ready."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable

import uvicorn

from ravl.errors import QueryError
from ravl.serving.app import create_app
from ravl.serving.connections import connection_type, quieten
from ravl.serving.guard import is_loopback
from ravl.serving.service import Service

KEEP_ALIVE = 30  # seconds that an idle connection stays open
BACKLOG = 128


def check_host(host: str, keyed: bool) -> None:
    """Refuse to let anyone in from elsewhere.

    Raises:
        QueryError: without keys the host is not this machine alone.
    """
    if not keyed and not is_loopback(host):
        raise QueryError(
            f"Without keys the server listens on 127.0.0.1 only, not on {host}. Make a key with "
            "ravl serve --new-key read --keys keys.txt, and start with --keys keys.txt."
        )


class Server(uvicorn.Server):
    """Warms its models up before it listens, and says that it is ready.

    Args:
        service: to be served; closed when the server ends.
        host: to listen on.
        port: to listen on; 0 for any that is free.
        say: called with each line when the server is ready.
    """

    def __init__(
        self, service: Service, host: str, port: int, say: Callable[[str], object]
    ) -> None:
        check_host(host, service.keys is not None)
        self._service, self._say = service, say
        self._began = time.monotonic()
        super().__init__(
            uvicorn.Config(
                create_app(service),
                host=host,
                port=port,
                log_level="warning",
                access_log=False,
                server_header=False,
                date_header=True,
                backlog=BACKLOG,
                http=connection_type(service.limits),
                lifespan="on",
                ws="none",
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=int(service.limits.shutdown),
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Warm up, listen, and say so."""
        quieten()
        await asyncio.to_thread(self._service.warm_up)
        await super().startup(sockets)
        if self.should_exit or not self.servers:
            return
        port = self.servers[0].sockets[0].getsockname()[1]
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        for line in banner(self._service, f"http://{host}:{port}", time.monotonic() - self._began):
            self._say(line)


def banner(service: Service, url: str, seconds: float) -> list[str]:
    """The lines that the operator reads when the server is ready."""
    memory = service.memory
    runs = ", ".join(
        f"{served.task} " + (f"by {served.name}" if served.run is not None else "(untrained)")
        for served in service.models
    )
    keys = "off: this machine alone may ask" if service.keys is None else f"{len(service.keys)}"
    return [
        f"Ready at {url} after {seconds:.1f} s.",
        f"  memory  {memory.path} ({len(memory):,} rows, {memory.encoder.spec})",
        f"  tasks   search, {runs}",
        f"  keys    {keys}",
        f"  writes  logged in {service.audit.file}",
        f"  inbox   {service.feedback.file} keeps feedback",
        f"  page    {url}/",
        f"  API     {url}/v1/openapi.json",
    ]


def serve(service: Service, host: str, port: int, say: Callable[[str], object]) -> None:
    """Serve until a signal comes; then finish what is under way."""
    Server(service, host, port, say).run()
