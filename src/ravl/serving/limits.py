"""What a client may ask for, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one server.

    Args:
        body: bytes of one request.
        held: bytes of all requests that are being read or answered.
        pixels: of one picture, width x height.
        batch: pictures, pairs or rows of one request.
        text: characters of a question, a caption or another text.
        rate: requests a minute of one key; 0 for no limit.
        queue: items that wait for one model, or are in it; more are refused at once.
        together: items that go through a network in one pass.
        wait: seconds that the first item of a pass waits for others; nobody waits alone.
        deadline: seconds until an answer is given up.
        upload: seconds within which a request must have arrived.
        headers: seconds within which the headers of a request must have arrived.
        unread: seconds in which a client must read some of its answer.
        connections: open at a time; never more than half of the files that a process may open.
        shutdown: seconds that requests under way may still take when the server is stopped.
    """

    body: int = 32 * 2**20
    held: int = 512 * 2**20
    pixels: int = 50_000_000
    batch: int = 64
    text: int = 4_000
    rate: float = 6_000.0
    queue: int = 256
    together: int = 32
    wait: float = 0.004
    deadline: float = 30.0
    upload: float = 30.0
    headers: float = 10.0
    unread: float = 60.0
    connections: int = 1_000
    shutdown: float = 30.0
