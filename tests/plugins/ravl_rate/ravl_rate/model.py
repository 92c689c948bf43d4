"""A fitted run at work: pictures in, numbers with their evidence out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ravl.encoders.base import Array
from ravl.errors import QueryError
from ravl.memory import Memory
from ravl.retrieval.datastore import Ints, Neighbours
from ravl.retrieval.live import Followed, View
from ravl.retrieval.live_datastore import DatastoreView, keys_of
from ravl.retrieval.query import open_pictures
from ravl.runs.answers import Evidence
from ravl.runs.run import Run

from .predictor import RatePredictor
from .results import Rating
from .targets import NumberTargets


class LiveNumbers(Followed[Array]):
    """The numbers of a view's rows, (N,); after an edit only the edited rows are read.

    Args:
        targets: what a row says.
    """

    def __init__(self, targets: NumberTargets) -> None:
        super().__init__()
        self._targets = targets

    def follow(self, known: tuple[View, Array] | None, view: View) -> Array:
        """The numbers for a view, from those for another."""
        edit = view.edit_since(known[0] if known else None)
        fresh = self._targets.numbers(view.rows_at(edit.added))
        return fresh if known is None else edit.on(known[1], fresh)


class RatePipeline:
    """Numbers for pictures, from a run and the memory as it is now.

    Args:
        run: what was fitted.
        memory: to answer from.
    """

    def __init__(self, run: Run, memory: Memory) -> None:
        self.run, self.memory = run, memory
        self.rater = RatePredictor.from_arrays(run.arrays())
        self.targets = NumberTargets(str(run.record["column"]))
        self._keys = keys_of(memory.live, self.rater.keys)
        self._numbers = LiveNumbers(self.targets)

    def look(self, *asked: Any) -> Array:
        """Features of n pictures, (n, F)."""
        encoder, (pictures,) = self.memory.encoder, asked
        opened = open_pictures(pictures, encoder.picture_size)
        prepared = [encoder.prepare(p) for p in opened]
        size = encoder.batch_size
        parts = [encoder.features(prepared[i : i + size]) for i in range(0, len(prepared), size)]
        return np.concatenate(parts)

    def predict(
        self,
        pictures: Sequence[Any],
        beside: Sequence[str] | None = None,
        *,
        k: int | None = None,
        retrieval: bool = True,
        vote_only: bool = False,
        abstain: float | None = None,
    ) -> list[Rating]:
        """Numbers for some pictures, in one pass.

        Args:
            pictures: paths, bytes or PIL pictures.
            beside: nothing comes with a picture.
            k: neighbours that vote; None for as many as were fitted.
            retrieval: False for the regression alone.
            vote_only: True for the neighbours alone.
            abstain: not offered; a number has an error instead.

        Raises:
            QueryError: k is below 1, or neither model nor memory shall answer.
        """
        if k is not None and k < 1:
            raise QueryError(f"k is {k}; it must be at least 1.")
        if vote_only and not retrieval:
            raise QueryError("Without retrieval there is no vote. Leave one of the two out.")
        if not pictures:
            return []
        return self._results(self.look(pictures), None, k, retrieval, vote_only)

    def results(self, seen: Array, hidden: Sequence[Ints] | None = None) -> list[Rating]:
        """Numbers for pictures that were looked at before."""
        return self._results(seen, hidden, None, True, False)

    def numbers(
        self,
        features: Array,
        hidden: Sequence[Ints] | None = None,
        retrieval: bool = True,
        vote_only: bool = False,
    ) -> Array:
        """Numbers (n,) of pictures by their features (n, F)."""
        found = self._results(features, hidden, None, retrieval, vote_only)
        return np.array([each.number for each in found], np.float32)

    def _results(
        self,
        features: Array,
        hidden: Sequence[Ints] | None,
        k: int | None,
        retrieval: bool,
        vote_only: bool,
    ) -> list[Rating]:
        rater, own = self.rater, self.rater.model(features)
        if not retrieval:
            return [self._rating(number, 0.0, None, number, ()) for number in own.tolist()]
        with self.memory.snapshot():
            view = self.memory.live.view()
            datastore, numbers = self._keys.at(view), self._numbers.at(view)
        neighbours = datastore.neighbours(
            rater.keys(features), k or rater.k, hidden, ~np.isnan(numbers)
        )
        vote, shares = rater.vote(neighbours, np.nan_to_num(numbers))
        final = vote if vote_only else rater.mixed(vote, own)
        gate = 1.0 if vote_only else rater.share
        return [
            self._rating(
                float(final[i]),
                gate,
                float(vote[i]),
                float(own[i]),
                self._evidence(datastore, neighbours, shares[i] * gate, i),
            )
            for i in range(len(features))
        ]

    def _rating(
        self,
        number: float,
        gate: float,
        vote: float | None,
        own: float,
        evidence: tuple[Evidence, ...],
    ) -> Rating:
        known = self.rater.weight is not None
        return Rating(
            number=round(number, 6),
            error=round(self.rater.error, 6),
            confidence=1.0,
            abstained=False,
            gate=gate,
            scores={},
            memory={} if vote is None else {f"{vote:.4g}": 1.0},
            model={f"{own:.4g}": 1.0} if known else {},
            evidence=evidence,
        )

    def _evidence(
        self, datastore: DatastoreView, neighbours: Neighbours, shares: Array, i: int
    ) -> tuple[Evidence, ...]:
        places = [j for j in np.argsort(-shares).tolist() if neighbours.positions[i, j] >= 0]
        rows = [datastore.rows[int(neighbours.positions[i, j])] for j in places]
        return tuple(
            Evidence(
                row, float(neighbours.similarity[i, j]), float(shares[j]), self.targets.of(row)
            )
            for row, j in zip(rows, places, strict=True)
        )
