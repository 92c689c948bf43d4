"""What a caption rests on, and what to say where there is nothing to say."""

from __future__ import annotations

from ravl.errors import DataError
from ravl.memory import Memory
from ravl.retrieval.datastore import Neighbours
from ravl.runs.answers import Evidence
from ravl.runs.row_texts import TextTargets
from ravl.tasks.caption.consensus import CaptionIndex
from ravl.tasks.caption.proposals import Proposals


def nothing_said(memory: Memory, task: TextTargets) -> DataError:
    """Why a memory cannot be described from."""
    what = f"a text in the column {task.column!r}" if task.column else "a caption"
    return DataError(
        f"No picture in {memory.path} has {what}, so there is nothing to say. Bring captions in "
        f"with ravl index PICTURES --memory {memory.path} --captions TABLE, or name the column "
        "that holds the texts."
    )


def evidence_of(
    index: CaptionIndex, found: Proposals, neighbours: Neighbours, i: int, gate: float
) -> tuple[Evidence, ...]:
    """The rows that voted on picture ``i``, the largest shares first, with their best texts.

    Args:
        index: of the datastore's texts.
        found: the proposals for the picture.
        neighbours: neighbours of all pictures.
        i: which picture.
        gate: how much the memory counted.
    """
    recalled = found.recalled
    if recalled is None:
        return ()
    shares: dict[int, float] = {}
    owners = index.row_texts.owners[recalled.voters]
    for row, share in zip(owners.tolist(), recalled.shares.tolist(), strict=True):
        shares[row] = shares.get(row, 0.0) + share
    similarity = dict(
        zip(neighbours.positions[i].tolist(), neighbours.similarity[i].tolist(), strict=True)
    )
    order = sorted(shares, key=lambda row: (-shares[row], -similarity[row]))
    rows = index.row_texts.datastore.rows
    return tuple(
        Evidence(rows[r], float(similarity[r]), shares[r] * gate, (recalled.said_by(index, r),))
        for r in order
    )
