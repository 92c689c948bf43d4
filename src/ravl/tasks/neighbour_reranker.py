"""Reranking of neighbours: do their texts fit the picture that is asked about?

Neighbours are found by the similarity of pictures alone. A fitted match run reads the text of each
beside the query's picture, and what it finds counts in their order and in their votes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.json_types import JsonObject
from ravl.memory import Memory
from ravl.retrieval.datastore import Datastore, Ints, Neighbours
from ravl.retrieval.reranking import Reranker
from ravl.runs.row_texts import RowTexts
from ravl.runs.run import RUN, Run, open_memory, open_run
from ravl.tasks.match.pair_features import look_up
from ravl.tasks.match.predictor import QueryPairs, logit
from ravl.tasks.match.task import MatchTask
from ravl.tasks.registry import of_run

if TYPE_CHECKING:  # it imports the models of labels, which rerank themselves
    from ravl.tasks.match.model import MatchPipeline

DEPTH = 64  # neighbours that are reranked


@dataclass(frozen=True, eq=False)
class NeighbourReranker:
    """Looks at neighbours again.

    Args:
        model: the match run at work.
        weight: of it beside the similarity, see :meth:`Reranker.neighbours`.
    """

    model: MatchPipeline
    weight: float = 0.0
    depth: ClassVar[int] = DEPTH

    @classmethod
    def open(cls, folder: Path, memory: Memory, weight: float = 0.0) -> NeighbourReranker:
        """By the match run in a folder.

        Raises:
            DataError: it holds no run of match.
            EncoderMismatchError: it was fitted with another encoder than the memory's.
        """
        from ravl.tasks.match.model import MatchPipeline

        run = open_run(folder)
        if of_run(run).name != MatchTask.name:
            raise DataError(
                f"{folder} was fitted for {run.task}, but neighbours are reranked by a run "
                "of match. Fit one with ravl fit match, and name its folder."
            )
        open_memory(run, memory, bool(run.record.get("reads_texts")))
        return cls(MatchPipeline(run, memory), weight)

    @classmethod
    def of_run(cls, run: Run, memory: Memory) -> NeighbourReranker | None:
        """That of a fitted run; None where it has none.

        Raises:
            DataError, EncoderMismatchError: as :meth:`open` does; or the match run has gone.
        """
        known = run.record.get("rerank")
        if not known or not known["weight"]:
            return None
        beside = (run.folder / known["relative"]).resolve()
        folder = beside if (beside / RUN).exists() else Path(known["path"])
        if not (folder / RUN).exists():
            raise DataError(
                f"{run.folder} looks at its neighbours again by the match run in {folder}, which "
                f"is not there. Bring it back, or fit again with ravl fit {run.task} and without "
                "--rerank."
            )
        return cls.open(folder, memory, float(known["weight"]))

    def describe(self, folder: Path) -> JsonObject:
        """What ``run.json`` of a run in a folder says of it."""
        its = self.model.run.folder.resolve()
        relative = os.path.relpath(its, folder.resolve())
        return {"path": str(its), "relative": relative, "weight": self.weight}

    def row_texts(self, datastore: Datastore) -> RowTexts:
        """The texts of a datastore's rows, as the match run reads and compares them."""
        predictor = self.model.match_predictor
        same = replace(datastore, keys=predictor.keys(datastore.features))
        return RowTexts.of(same, predictor.task, self.model.memory)

    def __call__(
        self,
        features: Array,
        row_texts: RowTexts,
        neighbours: Neighbours,
        hidden: Sequence[Ints] | None = None,
    ) -> Neighbours:
        """Neighbours in their new order; arguments as for :meth:`logit`."""
        return self.again(neighbours, *self.logit(features, row_texts, neighbours, hidden))

    def again(self, neighbours: Neighbours, found: Array, known: NDArray[np.bool_]) -> Neighbours:
        """Neighbours in their new order, from what :meth:`logit` found."""
        return Reranker(self.model, self.weight).neighbours(neighbours, found, known)

    def logit(
        self,
        features: Array,
        row_texts: RowTexts,
        neighbours: Neighbours,
        hidden: Sequence[Ints] | None = None,
    ) -> tuple[Array, NDArray[np.bool_]]:
        """Log odds that the first text of each neighbour fits the picture, in one call.

        Args:
            features: of n pictures by the memory's tower, (n, F).
            row_texts: texts of the datastore's rows, which vote on the pairs as well.
            neighbours: neighbours in it, (n, K).
            hidden: for each picture the groups of rows that it must not see: its own, in training.

        Returns:
            The log odds (n, K), and where there was a text to ask about (n, K).
        """
        found = np.zeros(neighbours.positions.shape, np.float32)
        known = neighbours.found & row_texts.has[neighbours.positions]
        if not known.any():
            return found, known
        query = np.nonzero(known)[0]
        rows, text = np.unique(neighbours.positions[known], return_inverse=True)
        first = row_texts.starts[rows]
        asked = QueryPairs(
            features,
            self.model.base.project(features),
            [row_texts.texts[i] for i in first.tolist()],
            row_texts.vectors_at(first),
            query,
            text,
        )
        found[known] = self._judged(asked, row_texts, hidden)
        return found, known

    def _judged(
        self, asked: QueryPairs, row_texts: RowTexts, hidden: Sequence[Ints] | None
    ) -> Array:
        """Log odds of pairs (n,); ``hidden`` is by picture."""
        predictor = self.model.match_predictor
        keys = predictor.keys(asked.features)
        wanted = max(predictor.vote.k, predictor.reader.evidence if predictor.reader else 0)
        # Once for each picture, of which there are many pairs.
        neighbours = row_texts.datastore.neighbours(keys, wanted, hidden).take(asked.picture)
        unseen = None if hidden is None else [hidden[i] for i in asked.picture.tolist()]
        clues = look_up(
            asked.vectors, keys, asked.picture, asked.text, row_texts, neighbours, hidden=unseen
        )
        evidence = predictor.evidence(row_texts)
        answers = predictor.answer(asked, row_texts, clues, evidence, apart=False)
        return logit(answers.probabilities)
