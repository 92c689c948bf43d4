"""The predictor: does this text fit this picture? By the memory, a model, and a stack of both.

The memory speaks twice: the texts of the rows whose pictures are like the picture may be like the
text, and the pictures of the rows whose texts are like the text may be like the picture. The model
is a pair of heads trained by contrast, and above it a language model that reads the text together
with the neighbours. It works on arrays alone: what fitting judges is what answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ravl.encoders.base import Array
from ravl.encoders.heads import Head
from ravl.errors import DataError
from ravl.models.calibration import RiskCalibrator
from ravl.models.evidence import Evidence
from ravl.models.linear import Standardizer
from ravl.models.stacking import ScoreStack
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Ints, Neighbours
from ravl.retrieval.key_projection import KeyProjection
from ravl.runs.row_texts import RowTexts, TextTargets
from ravl.tasks.match.pair_features import PairFeatures, look_up
from ravl.timing import step

if TYPE_CHECKING:  # they need torch, which a vote or the heads do not
    from ravl.models.reader import Reader
    from ravl.models.tokenizer import WordPieceTokenizer

MODEL = ("zero_shot", "dual", "fusion")  # scores that need no memory, in this order of levels
MEMORY = ("text_mean", "text_best", "picture_mean", "picture_best")
SURE = 1e-6  # log odds are taken of probabilities at least so far from 0 and 1
EVEN = 0.5  # probability where nothing is known


@dataclass(frozen=True, eq=False)
class QueryPairs:
    """Pairs of a picture and a text.

    Args:
        features: of m pictures by the memory's tower, (m, F).
        views: their vectors by the base encoder, (m, D).
        texts: t of them.
        vectors: of the texts by the base encoder, (t, D).
        picture: of each pair, (n,) positions.
        text: of each pair, (n,) positions.
    """

    features: Array
    views: Array
    texts: Sequence[str]
    vectors: Array
    picture: Ints
    text: Ints

    def __len__(self) -> int:
        return len(self.picture)

    def take(self, chosen: Ints) -> QueryPairs:
        """Some of the pairs, with the pictures and texts that they need."""
        several, picture = np.unique(self.picture[chosen], return_inverse=True)
        names, text = np.unique(self.text[chosen], return_inverse=True)
        return QueryPairs(
            self.features[several],
            self.views[several],
            [self.texts[i] for i in names.tolist()],
            self.vectors[names],
            picture,
            text,
        )


@dataclass(frozen=True, eq=False)
class PairScores:
    """Answers to n pairs, with all that they are made of.

    Args:
        probabilities: that they fit, (n,).
        votes: the memory's alone, (n,).
        own: the model's alone, (n,); 0 where it was not asked.
        gate: share of the memory in the decision, (n,).
        threshold: probability from which a pair fits.
        signals: scores (n,) by name.
        clues: what the memory was found to know; None without retrieval.
        picture_shares: share in the decision of each row found by picture, (n, k).
        text_shares: the same of each row found by text, (n, k).
    """

    probabilities: Array
    votes: Array
    own: Array
    gate: Array
    threshold: float
    signals: Mapping[str, Array]
    clues: PairFeatures | None = None
    picture_shares: Array | None = None
    text_shares: Array | None = None


@dataclass(frozen=True, eq=False)
class MatchPredictor:
    """A fitted predictor.

    Args:
        task: where texts are.
        keys: how pictures are compared with each other.
        standard: makes features fit for the reader.
        vote: how many rows speak, and by which weights.
        stacks: from scores to probabilities: ``zero_shot``, ``vote``; of a run with a model also
            ``alone`` and ``both``.
        thresholds: probability from which a pair fits, by name of the stack.
        picture_head, text_head: the dual encoder, None for a vote alone.
        reader: the fusion level, None below it; its base is the dual encoder's score.
        words: that the reader reads.
        calibration: for abstaining.
    """

    task: TextTargets
    keys: KeyProjection
    standard: Standardizer
    vote: Vote
    stacks: Mapping[str, ScoreStack]
    thresholds: Mapping[str, float] = field(default_factory=dict)
    picture_head: Head | None = None
    text_head: Head | None = None
    reader: Reader | None = None
    words: WordPieceTokenizer | None = None
    calibration: RiskCalibrator | None = None

    @property
    def has_model(self) -> bool:
        """False for a run that only votes."""
        return self.picture_head is not None

    @step("retrieve")
    def clues(
        self,
        asked: QueryPairs,
        row_texts: RowTexts,
        k: int | None = None,
        hidden: Sequence[Ints] | None = None,
    ) -> PairFeatures:
        """What the memory knows of the pairs.

        Args:
            asked: n pairs.
            row_texts: texts of the datastore's rows.
            k: rows that speak; None for as many as were fitted.
            hidden: for each pair the groups of rows that it must not see.
        """
        wanted = max(k or self.vote.k, self.reader.evidence if self.reader else 0)
        keys, datastore = self.keys(asked.features), row_texts.datastore
        if hidden is None:
            neighbours = datastore.neighbours(keys, wanted).take(asked.picture)
        else:
            neighbours = datastore.neighbours(keys[asked.picture], wanted, hidden)
        return look_up(
            asked.vectors, keys, asked.picture, asked.text, row_texts, neighbours, hidden=hidden
        )

    def evidence(self, row_texts: RowTexts) -> Evidence | None:
        """What the reader reads of the datastore's rows; None where there is no reader."""
        if self.reader is None or not self.reader.evidence:
            return None
        return row_texts.evidence(self.standard)

    def from_memory(
        self, clues: PairFeatures, row_texts: RowTexts, vote: Vote | None = None
    ) -> tuple[dict[str, Array], Array, Array]:
        """The memory's scores (n,) by name, and the shares of rows found by picture and by text.

        Shares are (n, k) each and sum to 1, or to 0 if no row votes.
        """
        vote = vote or self.vote
        neighbours, alike, k = clues.neighbours.first(vote.k), clues.alike.first(vote.k), vote.k
        speaks = neighbours.found & row_texts.has[neighbours.positions]
        by_picture = vote.shares(neighbours, row_texts.has.astype(np.float32))
        by_text = vote.shares(alike)
        signals = {
            "text_mean": (by_picture * clues.text_similarity[:, :k]).sum(1),
            "text_best": np.where(speaks, clues.text_similarity[:, :k], -1).max(1, initial=-1),
            "picture_mean": (by_text * clues.seen[:, :k]).sum(1),
            "picture_best": np.where(alike.found, clues.seen[:, :k], -1).max(1, initial=-1),
        }
        return signals, by_picture, by_text

    def from_model(
        self,
        asked: QueryPairs,
        neighbours: Neighbours | None = None,
        evidence: Evidence | None = None,
    ) -> dict[str, Array]:
        """The model's scores (n,) by name, with the evidence that its reader is given."""
        cosines = np.einsum("nd,nd->n", asked.views[asked.picture], asked.vectors[asked.text])
        signals = {"zero_shot": np.asarray(cosines, np.float32)}
        if self.picture_head is not None and self.text_head is not None:
            seen, read = self.picture_head(asked.features), self.text_head(asked.vectors)
            dual: Array = np.einsum("nd,nd->n", seen[asked.picture], read[asked.text])
            signals["dual"] = dual
            if self.reader is not None and self.words is not None:
                tokens = self.words(list(asked.texts))
                logits = self.reader(
                    self.standard(asked.features)[asked.picture],
                    neighbours,
                    evidence,
                    base=dual[:, None],
                    tokens=[tokens[i] for i in asked.text.tolist()],
                )
                # What reading adds: a reader that has learned nothing adds nothing, and the stack
                # need not weigh the dual encoder's score twice.
                signals["fusion"] = (logits - self.reader.base(dual[:, None]))[:, 0]
        return signals

    @step("fuse")
    def without(self, asked: QueryPairs) -> PairScores:
        """Answers of the model alone."""
        if not self.has_model:
            raise DataError(
                "This run has only the memory's vote; without retrieval it has no answer. Fit one "
                "with --model linear or fusion."
            )
        signals = self.from_model(asked)
        own, nothing = self.stacks["alone"].probabilities(signals), np.zeros(len(asked), np.float32)
        return PairScores(own, nothing, own, nothing, self.limit("alone"), signals)

    @step("fuse")
    def answer(
        self,
        asked: QueryPairs,
        row_texts: RowTexts,
        clues: PairFeatures,
        evidence: Evidence | None = None,
        *,
        vote_only: bool = False,
        k: int | None = None,
        apart: bool = True,
    ) -> PairScores:
        """Answers with retrieval.

        Args:
            asked: n pairs.
            row_texts: texts of the datastore's rows.
            clues: what was found there for the pairs.
            evidence: what the reader reads of the datastore's rows, for one that has a reader.
            vote_only: leave the model out.
            k: rows that speak, instead of as many as were fitted.
            apart: ask the model for its own answer as well, which a reader has to read for again.
        """
        vote = self.vote if k is None else replace(self.vote, k=k)
        signals, by_picture, by_text = self.from_memory(clues, row_texts, vote)
        has_votes = (by_picture.sum(1) > 0) & (by_text.sum(1) > 0)
        votes = np.where(has_votes, self.stacks["vote"].probabilities(signals), EVEN)
        name = "vote" if vote_only or not self.has_model else "both"
        own = np.zeros(len(asked), np.float32)
        found = votes
        if name == "both":
            signals |= self.from_model(asked, clues.neighbours, evidence)
            alone = apart or not has_votes.all()
            own = self.without(asked).probabilities if alone else own
            found = np.where(has_votes, self.stacks["both"].probabilities(signals), own)
        shares = self.stacks[name].shares(signals, MEMORY) * has_votes[:, None]  # (n, 4)
        return PairScores(
            found.astype(np.float32),
            votes.astype(np.float32),
            own,
            shares.sum(1),
            self.limit(name),
            signals,
            clues,
            by_picture * shares[:, :2].sum(1)[:, None],
            by_text * shares[:, 2:].sum(1)[:, None],
        )

    def limit(self, name: str) -> float:
        """The probability from which a pair fits, by a stack."""
        return self.thresholds.get(name, EVEN)


def logit(probabilities: Array) -> Array:
    """Log odds of probabilities, within bounds."""
    safe = probabilities.astype(np.float64).clip(SURE, 1 - SURE)
    found: Array = np.log(safe / (1 - safe)).astype(np.float32)
    return found
