"""A fitted run at work: pictures and texts in, whether they fit with the evidence out."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Unpack

import numpy as np

from ravl.encoders import Fingerprint
from ravl.encoders.base import Array
from ravl.errors import EncoderMismatchError, QueryError
from ravl.memory import Memory, Picture
from ravl.models.evidence import Evidence as ReadEvidence
from ravl.retrieval.datastore import Ints, nothing_seen
from ravl.retrieval.live import View
from ravl.retrieval.live_datastore import keys_of
from ravl.retrieval.query import open_pictures
from ravl.retrieval.reranking import Reranker
from ravl.runs.answers import Evidence
from ravl.runs.live_texts import FollowedTexts, LiveTexts
from ravl.runs.row_texts import RowTexts, base_of
from ravl.runs.run import Run
from ravl.tasks.match.files import load_match_predictor
from ravl.tasks.match.predictor import PairScores, QueryPairs, logit
from ravl.tasks.match.results import NO, YES, Matching
from ravl.tasks.options import JudgeOptions
from ravl.tasks.pairing import OnePicture, check_pairs, picture_list, text_list
from ravl.timing import step


class MatchPipeline:
    """Answers match from a run and its memory.

    The memory is followed: a row that is added, changed or deleted counts from the next call on.

    Args:
        run: what was fitted.
        memory: to answer from; checked by :func:`ravl.runs.run.open_memory`.

    Raises:
        EncoderMismatchError: the memory's base encoder is another than the run was fitted with.
    """

    def __init__(self, run: Run, memory: Memory) -> None:
        self.run = run
        self.memory = memory
        self.base = base_of(memory.encoder)
        self._check()
        self.match_predictor = load_match_predictor(run)
        self._lock = threading.Lock()
        self._keys = keys_of(memory.live, self.match_predictor.keys)
        targets = self.match_predictor.task
        self._texts = memory.live.shared(
            ("texts with vectors", targets),
            lambda: FollowedTexts(memory, targets, unread=False, vectors=True),
        )
        self._known: tuple[View, LiveTexts, ReadEvidence | None] | None = None

    def predict(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        beside: str | Iterable[str] | None = None,
        *,
        k: int | None = None,
        retrieval: bool = True,
        vote_only: bool = False,
        abstain: float | None = None,
    ) -> list[Matching]:
        """Whether each text fits the picture in the same place, in one pass.

        Args:
            pictures: paths, bytes or PIL pictures; or one, for all texts.
            beside: as many texts; or one, for all pictures.
            k: rows of the memory that speak; None for as many as were fitted.
            retrieval: False for the model alone.
            vote_only: True for the memory alone.
            abstain: the share of wrong answers that is acceptable, such as 0.05; answers that are
                less sure than that are marked.

        Raises:
            QueryError: numbers that do not fit, an empty text, k below 1, or model and memory
                both switched off.
            PictureError: a picture cannot be read.
        """
        seen, read = _lists(pictures, beside)
        check_pairs(len(seen), len(read), "text")
        count = max(len(seen), len(read)) if seen and read else 0
        pairs = np.arange(count)
        asked = self.ask(
            seen, read, np.minimum(pairs, len(seen) - 1), np.minimum(pairs, len(read) - 1)
        )
        if not count:
            return []
        found, row_texts = self._answers(asked, k, retrieval, vote_only)
        calibration = self.match_predictor.calibration
        sure = calibration.threshold(abstain) if abstain is not None and calibration else 0.0
        return self._results(asked, found, row_texts, sure)

    def look(self, pictures: Sequence[Picture | str], texts: Sequence[str]) -> QueryPairs:
        """Each picture with the text in the same place."""
        each = np.arange(len(texts))
        return self.ask(pictures, texts, each, each)

    def results(self, asked: QueryPairs, hidden: Sequence[Ints] | None = None) -> list[Matching]:
        """Answers as :meth:`predict` gives them to pairs that were looked at before.

        Args:
            asked: n pairs.
            hidden: for each the groups of rows that it must not see; None for none.
        """
        found, row_texts = self._answers(asked, None, True, False, hidden)
        return self._results(asked, found, row_texts, 0.0)

    def scores(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        texts: str | Iterable[str],
        *,
        k: int | None = None,
        retrieval: bool = True,
        vote_only: bool = False,
    ) -> Array:
        """Probabilities that each of t texts fits each of p pictures, (p, t).

        A run of the level fusion reads every pair; the others take seconds for a million.

        Raises:
            QueryError, PictureError: as :meth:`predict` does.
        """
        seen, read = _lists(pictures, texts)
        shape = len(seen), len(read)
        picture, text = (a.ravel() for a in np.indices(shape))
        asked = self.ask(seen, read, picture, text)
        if not len(asked):
            return np.zeros(shape, np.float32)
        found = self._answers(asked, k, retrieval, vote_only, apart=False)[0]
        return found.probabilities.reshape(shape)

    def assign(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        texts: str | Iterable[str],
        **how: Unpack[JudgeOptions],
    ) -> list[tuple[int, int, float]]:
        """The one-to-one assignment of texts to pictures that is likeliest as a whole.

        The sum of log odds is made as large as can be (Kuhn 1955, "The Hungarian method"; by
        Jonker and Volgenant's algorithm). Where there are more of one kind, some are left over.

        Args:
            pictures, texts: as for :meth:`scores`.
            **how: as for :meth:`scores`.

        Returns:
            Positions of a picture and its text, and the probability that they fit; by picture.
        """
        from scipy.optimize import linear_sum_assignment

        found = self.scores(pictures, texts, **how)
        chosen, their = linear_sum_assignment(logit(found), maximize=True)
        return [(int(i), int(j), float(found[i, j])) for i, j in zip(chosen, their, strict=True)]

    @step("encode")
    def ask(
        self, pictures: Sequence[Picture | str], texts: Sequence[str], picture: Ints, text: Ints
    ) -> QueryPairs:
        """Pairs of opened pictures and read texts; the last two are positions of each pair's."""
        if empty := [i for i, t in enumerate(texts) if not t.strip()]:
            raise QueryError(
                f"The text number {empty[0] + 1} is empty. Give words to compare with the picture."
            )
        encoder = self.memory.encoder
        opened = open_pictures(pictures, encoder.picture_size)
        prepared = [encoder.prepare(p) for p in opened]
        size = encoder.batch_size
        parts = [encoder.features(prepared[i : i + size]) for i in range(0, len(prepared), size)]
        empty_features = np.zeros((0, encoder.feature_dimension), np.float32)
        return self.asked(np.concatenate([empty_features, *parts]), texts, picture, text)

    def asked(self, features: Array, texts: Sequence[str], picture: Ints, text: Ints) -> QueryPairs:
        """Pairs of pictures whose features (m, F) are known."""
        vectors = self.base.embed_texts(texts)
        return QueryPairs(features, self.base.project(features), texts, vectors, picture, text)

    def log_odds(self, features: Array, texts: Sequence[str], picture: Ints, text: Ints) -> Array:
        """That texts fit pictures whose features are known; see :class:`PairScorer`."""
        asked = self.asked(features, texts, picture, text)
        if not len(asked):
            return np.zeros(0, np.float32)
        return logit(self._answers(asked, None, True, False, apart=False)[0].probabilities)

    def reranker(self) -> Reranker:
        """Reranks the top of this memory's searches: ``memory.search(..., rerank=it)``.

        Raises:
            QueryError: the fit found that it is worth nothing, or did not measure it.
        """
        known = self.run.record.get("rerank")
        if not known or not known["weight"]:
            raise QueryError(
                f"{self.run.folder} found on its validation split that reranking gains nothing "
                "in a search. Search without it, or fit match on more pictures."
            )
        return Reranker(self, float(known["weight"]), int(known["depth"]))

    def judge(
        self, asked: QueryPairs, hidden: Sequence[Ints], **how: Unpack[JudgeOptions]
    ) -> PairScores:
        """Answers that do not see some groups of rows: what evaluation asks for.

        Args:
            asked: n pairs.
            hidden: for each the groups of rows that show its picture, or say its text.
            **how: ``k``, ``retrieval``, ``vote_only`` of :meth:`predict`.
        """
        return self._answers(
            asked,
            how.get("k"),
            how.get("retrieval", True),
            how.get("vote_only", False),
            hidden,
            apart=False,
        )[0]

    def _answers(
        self,
        asked: QueryPairs,
        k: int | None,
        retrieval: bool,
        vote_only: bool,
        hidden: Sequence[Ints] | None = None,
        apart: bool = True,
    ) -> tuple[PairScores, RowTexts | None]:
        if k is not None and k < 1:
            raise QueryError(f"k is {k}; it must be at least 1.")
        if vote_only and not retrieval:
            raise QueryError("Without retrieval there is no vote. Leave one of the two out.")
        if not retrieval:
            return self.match_predictor.without(asked), None
        row_texts, evidence = self._row_texts()
        clues = self.match_predictor.clues(asked, row_texts, k, hidden)
        found = self.match_predictor.answer(
            asked, row_texts, clues, evidence, vote_only=vote_only, k=k, apart=apart
        )
        return found, row_texts

    def _row_texts(self) -> tuple[LiveTexts, ReadEvidence | None]:
        """The present memory."""
        with self.memory.snapshot():
            return self.row_texts_at(self.memory.live.view())

    def row_texts_at(self, view: View) -> tuple[LiveTexts, ReadEvidence | None]:
        """What the rows of a view say, and what the reader may read of them.

        Raises:
            DataError: the view is empty.
        """
        with self._lock:
            if self._known is None or self._known[0] is not view:
                if not len(view):
                    raise nothing_seen(self.memory)
                row_texts = self._texts.of_datastore(self._keys.at(view))
                self._known = view, row_texts, self.match_predictor.evidence(row_texts)
            return self._known[1], self._known[2]

    def _results(
        self, asked: QueryPairs, found: PairScores, row_texts: RowTexts | None, sure: float
    ) -> list[Matching]:
        results = []
        for i, p in enumerate(found.probabilities.tolist()):
            text = asked.texts[asked.text[i]]
            fits = p >= found.threshold
            confidence = p if fits else 1 - p
            read = self.base.supports_language(text)
            results.append(
                Matching(
                    text=text,
                    fits=fits,
                    score=p,
                    confidence=confidence,
                    read=read,
                    abstained=confidence < sure or bool(sure and not read),
                    gate=float(found.gate[i]),
                    scores=_both(p),
                    memory=_both(float(found.votes[i])) if found.clues is not None else {},
                    model=_both(float(found.own[i])) if found.own[i] > 0 else {},
                    signals={name: float(values[i]) for name, values in found.signals.items()},
                    evidence=() if row_texts is None else evidence_of(found, row_texts, i),
                )
            )
        return results

    def _check(self) -> None:
        fitted = Fingerprint.from_record(self.run.record["base"])
        now = self.base.fingerprint
        if not now.matches(fitted):
            raise EncoderMismatchError(
                f"{self.run.folder} was fitted with the encoder {fitted.spec!r} "
                f"({fitted.digest}), and {self.memory.path} has {now.spec!r} ({now.digest}). Fit "
                "again with ravl fit match, or name a memory that has the old encoder with "
                "--memory."
            )


def evidence_of(found: PairScores, row_texts: RowTexts, i: int) -> tuple[Evidence, ...]:
    """The rows that spoke about pair ``i``, the largest shares first."""
    clues = found.clues
    if clues is None or found.picture_shares is None or found.text_shares is None:
        return ()
    shares: dict[int, float] = {}
    similarity: dict[int, float] = {}
    for neighbours, values, seen in (
        (clues.neighbours, found.picture_shares, clues.neighbours.similarity),
        (clues.alike, found.text_shares, clues.seen),
    ):
        for j in range(values.shape[1]):
            row = int(neighbours.positions[i, j])
            if row >= 0:
                shares[row] = shares.get(row, 0.0) + float(values[i, j])
                similarity[row] = float(seen[i, j])
    order = sorted(shares, key=lambda row: (-shares[row], -similarity[row]))
    return tuple(
        Evidence(row_texts.datastore.rows[r], similarity[r], shares[r], _says(row_texts, r))
        for r in order
    )


def _says(row_texts: RowTexts, row: int) -> tuple[str, ...]:
    return tuple(row_texts.texts[row_texts.starts[row] : row_texts.starts[row + 1]])


def _both(probability: float) -> dict[str, float]:
    return {YES: probability, NO: 1 - probability}


def _lists(
    pictures: OnePicture | Iterable[OnePicture], texts: str | Iterable[str] | None
) -> tuple[list[OnePicture], list[str]]:
    return picture_list(pictures)[0], text_list(() if texts is None else texts)
