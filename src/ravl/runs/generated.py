"""What ``ravl augment`` wrote of a row, for those who ask for it; nothing else uses it.

It lies in columns of its own, so that what people said always stays separate from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ravl.data import QA
from ravl.json_types import JsonValue
from ravl.memory import Memory, Row
from ravl.retrieval.datastore import Datastore
from ravl.retrieval.live import Followed, View
from ravl.store.blocks import BlockList
from ravl.untrusted import parse_json

CAPTION, LABEL = "generated_caption", "generated_label"
TAGS, ANSWERS = "generated_tags", "generated_qa"
CONFIDENCE, PROVENANCE = "generated_confidence", "generated_by"


def filled(row: Row) -> Row:
    """The row with a generated label, tags and answers where people gave none."""
    label, tags, qa = row.label, row.tags, row.qa
    if not label and row.columns.get(LABEL):
        label = str(row.columns[LABEL])
    if not tags:
        tags = tuple(str(tag) for tag in _listed(row, TAGS))
    if not qa:
        pairs = [pair for pair in _listed(row, ANSWERS) if isinstance(pair, dict)]
        qa = tuple(QA(str(p.get("question", "")), (str(p.get("answer", "")),)) for p in pairs)
    return replace(row, label=label, tags=tags, qa=qa)


def with_generated(datastore: Datastore) -> Datastore:
    """The datastore whose rows are :func:`filled`."""
    return replace(datastore, rows=[filled(row) for row in datastore.rows])


class Filled(Followed[View]):
    """The live view whose rows are :func:`filled`."""

    def follow(self, known: tuple[View, View] | None, view: View) -> View:
        """Only rows that say something else are filled anew."""
        edit = view.edit_since(known[0] if known else None)
        rows = [filled(row) for row in view.rows_at(edit.added)]
        old = known[1].rows.edited(edit, rows) if known else BlockList.of(rows)
        return replace(view, rows=old)


def of_people(
    datastore: Datastore, memory: Memory, says: Callable[[Row], tuple[str, ...]]
) -> NDArray[np.bool_]:
    """Which rows of a datastore say what they say by people, (N,).

    Args:
        datastore: some of whose rows may be filled.
        memory: that it is of.
        says: what a row of the memory says, without what was generated.
    """
    spoken = [row.number for row in memory.rows() if says(row)]
    return np.isin(datastore.numbers, spoken)


def _listed(row: Row, column: str) -> list[JsonValue]:
    """The list in a column; empty where there is none, or it is damaged."""
    try:
        found = parse_json(str(row.columns.get(column) or "[]"))
    except ValueError:
        return []
    return found if isinstance(found, list) else []
