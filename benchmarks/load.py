"""A client that asks a server as fast as it answers, and a server to be asked."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil

Ask = Callable[[int], bytes]  # the number of a request to the request
BOUNDARY = "ravl-benchmark"


@dataclass(frozen=True, slots=True)
class Load:
    """What came of some requests.

    Args:
        seconds: that each took.
        statuses: of the answers.
        whole: seconds from the first request to the last answer.
    """

    seconds: Sequence[float]
    statuses: Sequence[int]
    whole: float

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return sum(status == 200 for status in self.statuses) / self.whole

    def milliseconds(self, percent: float) -> float:
        """Within which so many per cent of the answers came."""
        return round(1000 * float(np.percentile(self.seconds, percent)), 1)


def form(path: str, files: Sequence[bytes], **fields: str) -> bytes:
    """A request with pictures in the fields ``picture``, as browsers send it."""
    parts = [
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="picture"; filename="p.jpg"\r\n'
        "content-type: image/jpeg\r\n\r\n".encode()
        + file
        + b"\r\n"
        for file in files
    ]
    parts += [
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    return request("POST", path, f"multipart/form-data; boundary={BOUNDARY}", body)


def request(method: str, path: str, kind: str = "application/json", body: bytes = b"") -> bytes:
    """A request over a connection that stays open."""
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {kind}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def load(url: str, ask: Ask, clients: int, requests: int = 0, seconds: float = 0) -> Load:
    """Ask with so many clients at once, each the next as soon as it is answered.

    A few lines over sockets, since a full client would take as much of the two cores as the server.

    Args:
        url: of the server.
        ask: the request of a number.
        clients: that ask at the same time.
        requests: in all; 0 for as many as come.
        seconds: to ask for; 0 for until all are answered.
    """
    return asyncio.run(_load(url, ask, clients, requests, seconds))


async def _load(url: str, ask: Ask, clients: int, requests: int, seconds: float) -> Load:
    address, numbers = urlsplit(url), iter(range(requests or sys.maxsize))
    took: list[float] = []
    statuses: list[int] = []
    began = time.perf_counter()

    async def client() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        for number in numbers:
            if seconds and time.perf_counter() - began > seconds:
                break
            sent = time.perf_counter()
            writer.write(ask(number))
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = next(x for x in head.split("\r\n") if x.startswith("content-length:"))
            await reader.readexactly(int(length.split(":")[1]))
            took.append(time.perf_counter() - sent)
            statuses.append(int(head.split(" ", 2)[1]))
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return Load(took, statuses, time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class Started:
    """A server that is ready.

    Args:
        url: where it answers.
        process: that it is.
        seconds: from the start of the process until it was ready.
    """

    url: str
    process: psutil.Process
    seconds: float

    @property
    def megabytes(self) -> float:
        """Memory that it holds."""
        return float(self.process.memory_info().rss) / 2**20


@contextmanager
def served(*words: str | Path) -> Iterator[Started]:
    """``ravl serve`` with these words, without a limit of the rate, until the block is left."""
    ravl = Path(sys.executable).with_name("ravl")
    began = time.perf_counter()
    process = subprocess.Popen(
        [ravl, "serve", *words, "--port", "0", "--rate", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("Ready at "):
            raise RuntimeError(f"The server did not start: {line}")
        yield Started(line.split()[2], psutil.Process(process.pid), time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait(60)
