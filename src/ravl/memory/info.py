"""What a memory holds, in figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ravl.json_types import JsonObject
from ravl.memory.graphs import GraphReport, describe_graphs
from ravl.store.collection import Collection
from ravl.store.records import Counts


@dataclass(frozen=True, kw_only=True)
class Info(Counts):
    """Counts, sizes, and what made the vectors.

    Args:
        path: of the memory's file.
        encoder: its name.
        fingerprint: twelve digits that tell encoders apart.
        dimension: of the vectors.
        version: number of the newest version.
        graphs: the approximate index, by kind of vectors; empty where there is none.
    """

    path: Path
    encoder: str
    fingerprint: str
    dimension: int
    version: int
    graphs: list[GraphReport]

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return (
            {"path": str(self.path)}
            | asdict(self)
            | {
                "path": str(self.path),
                "columns": list(self.columns),
                "graphs": [graph.to_json() for graph in self.graphs],
            }
        )


def describe(memory: Collection) -> Info:
    """Count everything, at one moment."""
    store = memory.store
    with store.snapshot():
        space, counts = store.spaces.current(), store.counts()
        return Info(
            path=memory.path,
            **{field.name: getattr(counts, field.name) for field in fields(counts)},
            encoder=space.fingerprint.spec,
            fingerprint=space.fingerprint.digest,
            dimension=space.dimension,
            version=store.history.newest(),
            graphs=describe_graphs(memory),
        )
