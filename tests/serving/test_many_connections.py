"""Hundreds of slow connections to a real server, whose process may open few files."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.helpers import make_pictures
from tests.serving.test_connections import HEAD, connected, ends
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.slow

FILES = 1_024  # that the server may open: the limit of many systems
SLOW, TOO_MANY = 300, 1_100
LOG = 100_000  # bytes at most
RAVL = [sys.executable, "-c", "from ravl.cli import main; main()"]


@dataclass(frozen=True)
class Running:
    """A server of its own process.

    Args:
        url: of it.
        pid: of its process.
        log: the file of what it writes.
    """

    url: str
    pid: int
    log: Path

    def open_files(self) -> int:
        """How many files and connections the process has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


def limited() -> None:
    """Of the child: fewer files."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """``ravl serve``, with its own limits."""
    make_pictures(tmp_path / "pictures", 4)
    subprocess.run([*RAVL, "index", "pictures", "-m", "shop.ravl", "-q"], cwd=tmp_path, check=True)
    log = tmp_path / "log.txt"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*RAVL, "serve", "shop.ravl", "--port", "0"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=out,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            preexec_fn=limited,
        )
    assert process.stdout is not None
    with process.stdout:
        yield Running(process.stdout.readline().split()[2], process.pid, log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) in (0, -signal.SIGTERM)


@pytest.fixture
def many_files() -> Iterator[None]:
    """This process holds the other end of each connection."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < 4 * TOO_MANY:
        pytest.skip(f"this process may open {before[1]} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4 * TOO_MANY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def is_well(server: Running) -> bool:
    return httpx.get(f"{server.url}/v1/health", timeout=PATIENCE).status_code == 200


@pytest.mark.usefixtures("many_files")
def test_slow_connections_end_and_others_are_answered(server: Running) -> None:
    rest = server.open_files()
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(server.url)) for _ in range(SLOW)]
        for client in clients:
            client.sendall(HEAD)
        assert is_well(server)
        assert [ends(client) for client in clients] == [b""] * SLOW
    wait_until(lambda: server.open_files() <= rest + 2, "the server closes its files")
    assert is_well(server)
    assert server.log.stat().st_size < LOG


@pytest.mark.usefixtures("many_files")
def test_more_connections_than_files(server: Running) -> None:
    """Half of the files may be connections; each further client is told so at once."""
    with ExitStack() as stack:
        clients: list[socket.socket] = []
        for _ in range(TOO_MANY):
            client = stack.enter_context(connected(server.url))
            client.sendall(HEAD)
            clients.append(client)
        said = [ends(client) for client in clients]
        refused = [each for each in said if each.startswith(b"HTTP/1.1 503 ")]
        assert len(refused) >= TOO_MANY - 2 * FILES // 2
        assert set(said) <= {b"", *refused}
    assert is_well(server)
    assert server.log.stat().st_size < LOG
