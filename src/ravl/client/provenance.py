"""Hits of a server, which say where they come from."""

from __future__ import annotations

from collections.abc import Iterable

from ravl.retrieval import Hit, Hits
from ravl.runs.provenance import Provenance


class ServedHits(Hits):
    """Hits of a server's search; see :class:`ravl.client.Provenance`."""

    def __init__(self, hits: Iterable[Hit], origin: Provenance, exact: bool = True) -> None:
        super().__init__(hits, exact)
        self.origin = origin
