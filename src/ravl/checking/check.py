"""Checking a memory: findings of all kinds, ranked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import monotonic

from ravl.checking.balance import imbalances
from ravl.checking.beliefs import beliefs
from ravl.checking.check_data import CheckData
from ravl.checking.duplicates import duplicates
from ravl.checking.hubs import hubs
from ravl.checking.issue import KINDS, Issue, Kind
from ravl.checking.labels import conflicts, mislabels
from ravl.checking.outliers import outliers
from ravl.checking.pictures import flaws
from ravl.checking.texts import misfits
from ravl.checking.unencoded import unencoded
from ravl.encoders.base import Array
from ravl.errors import QueryError
from ravl.json_types import JsonObject
from ravl.memory import Memory
from ravl.progress import progress_bar

DECODED: tuple[Kind, ...] = ("broken", "blank", "blurred")  # kinds that open every picture


@dataclass
class Check:
    """The result of a check.

    Args:
        path: of the memory.
        version: of the memory that was checked.
        rows: the number of rows that were checked.
        kinds: the kinds of faults that were checked.
        findings: by kind, the highest score first.
        seconds: the time of the check.
    """

    path: Path
    version: int
    rows: int
    kinds: tuple[Kind, ...]
    findings: list[Issue] = field(default_factory=list)
    seconds: float = 0.0

    def of(self, kind: Kind) -> list[Issue]:
        """The findings of one kind, the highest score first."""
        return [finding for finding in self.findings if finding.kind == kind]

    @property
    def counts(self) -> dict[str, int]:
        """The number of findings of each kind that was checked."""
        counts = Counter(finding.kind for finding in self.findings)
        return {kind: counts[kind] for kind in self.kinds}

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {
            "memory": str(self.path),
            "version": self.version,
            "rows": self.rows,
            "counts": self.counts,
            "seconds": round(self.seconds, 2),
            "findings": [finding.to_json() for finding in self.findings],
        }


def check(
    memory: Memory | str | Path,
    *,
    kinds: Sequence[Kind] = (),
    where: str | None = None,
    fast: bool = False,
    progress: bool | None = None,
) -> Check:
    """Look for rows that are likely wrong; nothing is changed, see :func:`fix`.

    Args:
        memory: the memory to check, or its path.
        kinds: the kinds of faults to check; all if empty: ``mislabel``, ``conflict``,
            ``duplicate``, ``hub``, ``text``, ``outlier``, ``imbalance``, ``unencoded``, ``broken``,
            ``blank``, ``blurred``.
        where: a filter; only matching rows are reported. All rows are evidence.
        fast: skip the last three kinds, which open every picture.
        progress: show a bar; None shows it on a terminal.

    Raises:
        QueryError: a kind is unknown.
        DataError: the memory contains no picture.
        FilterError: the filter is not valid or has an unknown column.
    """
    if not isinstance(memory, Memory):
        with Memory.open(memory) as opened:
            return check(opened, kinds=kinds, where=where, fast=fast, progress=progress)
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise QueryError(f"There is no kind {unknown[0]!r}; there are: {', '.join(KINDS)}.")
    began = monotonic()
    wanted = tuple(k for k in KINDS if (not kinds or k in kinds) and not (fast and k in DECODED))
    with memory.snapshot(), progress_bar("Checking", "kinds", progress) as advance:
        found = Check(memory.path, memory.version, memory.count(where), wanted)
        run = _Run(memory, where)
        for kind in wanted:
            if kind not in DECODED:
                found.findings += run.ways[kind]()
                advance(1, len(wanted), kind)
    if decoded := [kind for kind in wanted if kind in DECODED]:
        rows = [row for row in memory.rows(where) if row.hash is not None]
        seen = flaws(memory, rows, decoded, progress)
        found.findings += [finding for kind in decoded for finding in seen if finding.kind == kind]
    found.seconds = monotonic() - began
    return found


@dataclass
class _Run:
    """Data that several kinds need; computed once, at the first use."""

    memory: Memory
    where: str | None

    @cached_property
    def data(self) -> CheckData:
        return CheckData.of(self.memory, self.where)

    @cached_property
    def beliefs(self) -> Array:
        return beliefs(self.data)

    @property
    def ways(self) -> dict[Kind, Callable[[], list[Issue]]]:
        """The function of each kind."""
        return {
            "mislabel": lambda: mislabels(self.data, self.beliefs),
            "conflict": lambda: conflicts(self.data, self.beliefs),
            "duplicate": lambda: duplicates(self.data),
            "hub": lambda: hubs(self.data),
            "text": lambda: misfits(self.data),
            "outlier": lambda: outliers(self.data),
            "imbalance": lambda: imbalances(self.data),
            "unencoded": lambda: unencoded(self.memory, self.where),
        }
