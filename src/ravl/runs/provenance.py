"""Where an answer comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an answer comes from, as a server says it; empty for an answer that was made here.

    Args:
        run: that answered, by its name; None for the memory alone.
        memory: that it answered from, by the name of its file.
        version: of that memory.
        timings: milliseconds of each step: decode, queue, encode, retrieve, ..., total.
        together: items that shared the pass, of other requests as well.
        request: number by which the server's log knows the request.
    """

    run: str | None = None
    memory: str = ""
    version: int = 0
    timings: Mapping[str, float] = field(default_factory=dict)
    together: int = 1
    request: str = ""


HERE = Provenance()
