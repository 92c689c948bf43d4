"""The predictor: answers classify and tag, with the memory's vote, a model, and the gate of both.

It works on arrays alone. Fitting judges exactly this object, and serving loads it again, so that
what was measured is what answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, Unpack

import numpy as np

from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.memory import Memory, Row
from ravl.models.calibration import RiskCalibrator
from ravl.models.class_means import ClassMeans
from ravl.models.gate import NUM_GATE_FEATURES, SMOOTHING, Gate, probabilities
from ravl.models.linear import LinearHead, Standardizer
from ravl.models.vote import Vote, rebalance
from ravl.retrieval.datastore import Datastore, Ints, Neighbours
from ravl.retrieval.key_projection import KeyProjection
from ravl.runs.answers import Answer, Evidence
from ravl.runs.evidence_arrays import EvidenceArrays
from ravl.runs.run import Run
from ravl.tasks.labels.targets import LabelTargets
from ravl.tasks.labels.votes import LabelMatrix
from ravl.tasks.options import JudgeOptions
from ravl.timing import step

if TYPE_CHECKING:  # it needs torch, which a vote or a linear head does not
    from ravl.models.reader import Evidence as ReaderEvidence
    from ravl.models.reader import Reader
    from ravl.models.tokenizer import WordPieceTokenizer

SHOWN = 5  # scores of an answer


@dataclass(frozen=True, eq=False)
class Queries:
    """Pictures to be labelled.

    Args:
        features: by the memory's own tower, (n, F): what neighbours are found by.
        tuned: by the run's fine-tuned tower, (n, F); None where it has none.
        texts: what the reader reads with each picture, n of them; None for nothing.
    """

    features: Array
    tuned: Array | None = None
    texts: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.features)

    @property
    def seen(self) -> Array:
        """What the model looks at, (n, F)."""
        return self.features if self.tuned is None else self.tuned

    def take(self, chosen: np.ndarray) -> Queries:
        """Some of them."""
        texts = None if self.texts is None else [self.texts[i] for i in np.asarray(chosen)]
        tuned = None if self.tuned is None else self.tuned[chosen]
        return Queries(self.features[chosen], tuned, texts)


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers to n queries, with all that they are made of.

    Args:
        names: C' labels.
        probabilities: (n, C').
        votes: the memory's answer, (n, C').
        own: the model's answer, (n, C'); 0 for labels that it does not know.
        gate: weight of the memory's answer, (n,).
        neighbours: that voted or were read; None without retrieval.
        shares: of each neighbour in the decision, (n, k).
    """

    names: list[str]
    probabilities: Array
    votes: Array
    own: Array
    gate: Array
    neighbours: Neighbours | None = None
    shares: Array | None = None

    @classmethod
    def of_model(cls, names: list[str], own: Array) -> Answers:
        """Answers of a model alone: probabilities (n, C) of its labels."""
        return cls(names, own, np.zeros_like(own), own, np.zeros(len(own), np.float32))

    def fields_of(self, i: int) -> dict[str, Any]:
        """What query ``i`` is answered from, as the fields that every answer has."""
        return {
            "gate": float(self.gate[i]),
            "scores": best_of(self.names, self.probabilities[i]),
            "memory": best_of(self.names, self.votes[i]),
            "model": best_of(self.names, self.own[i]),
        }

    def evidence(
        self, datastore: Datastore, i: int, says: Callable[[Row], tuple[str, ...]]
    ) -> tuple[Evidence, ...]:
        """The neighbours of query ``i``, the largest shares first; none without retrieval.

        Args:
            datastore: whose rows they are.
            i: the position of the query.
            says: what a row says.
        """
        neighbours, shares = self.neighbours, self.shares
        if neighbours is None or shares is None:
            return ()
        order = np.lexsort((-neighbours.similarity[i], -shares[i]))
        return tuple(
            Evidence(row, float(neighbours.similarity[i, j]), float(shares[i, j]), says(row))
            for j in order
            if neighbours.positions[i, j] >= 0
            for row in [datastore.rows[neighbours.positions[i, j]]]
        )


def best_of(names: Sequence[str], line: Array) -> dict[str, float]:
    """The likeliest of the names, with their probabilities."""
    order = np.argsort(-line, kind="stable")[:SHOWN]
    return {names[j]: float(line[j]) for j in order if line[j] > 0}


@dataclass(frozen=True, eq=False)
class Votes:
    """What a memory says of n queries.

    Args:
        votes: (n, C').
        fair: the same, with labels that only the memory knows counted by their rarity, (n, C').
        shares: of each neighbour in the votes, (n, k).
    """

    votes: Array
    fair: Array
    shares: Array


@dataclass(frozen=True, eq=False)
class LabelPredictor:
    """A fitted predictor.

    Args:
        task: classify, tag or ask.
        labels: C names that the model knows.
        keys: how neighbours are found.
        standard: makes the features of evidence fit for the reader.
        vote: how they vote.
        gate: of the vote and the model.
        vote_gate: the gate whose smoothing serves the vote alone.
        head: the linear level, None for a vote alone.
        reader: the fusion level, None below it; its base is the linear one.
        words: its tokenizer, where it reads texts with the pictures.
        alone: temperature of the model's logits when there is no retrieval.
        spread: whether labels are propagated to rows that have none.
        thresholds: of the tags, (C,); for labels unused.
        calibration: for abstaining.
        means: the class means of the memory, None for the vote alone.
        means_weight: of the class means beside the vote, 0 to 1.
        tuned_keys: pictures are compared as the run's fine-tuned tower sees them; False for the
            memory's own tower, also where a run of an older ravl has one.
        memory_counts: how many rows of the memory had each label at the time of the fit, (C,);
            empty where what the memory says is not measured again, see
            :mod:`ravl.tasks.labels.renewal`.
    """

    task: LabelTargets
    labels: list[str]
    keys: KeyProjection
    standard: Standardizer
    vote: Vote
    gate: Gate
    vote_gate: Gate
    head: LinearHead | None = None
    reader: Reader | None = None
    words: WordPieceTokenizer | None = None
    alone: float = 1.0
    spread: bool = False
    thresholds: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    calibration: RiskCalibrator | None = None
    means: ClassMeans | None = None
    means_weight: float = 0.0
    tuned_keys: bool = False
    memory_counts: Array = field(default_factory=lambda: np.zeros(0, np.float32))

    @classmethod
    def of_vote(
        cls, task: LabelTargets, labels: list[str], keys: KeyProjection, vote: Vote
    ) -> LabelPredictor:
        """Who answers where nothing has been fitted: the vote of the rows that say these labels."""
        rates = np.full(len(labels), 1 / len(labels), np.float32)
        gate = Gate(task.exclusive, np.zeros(NUM_GATE_FEATURES, np.float32), 1.0, SMOOTHING, rates)
        unread = Standardizer(1.0, np.zeros(0, np.float32), np.ones(0, np.float32))  # by no model
        return cls(task, labels, keys, unread, vote, gate, gate)

    def _looked(self, queries: Queries) -> Array:
        """Features (n, F) that are compared with the memory's."""
        return queries.seen if self.tuned_keys else queries.features

    @step("retrieve")
    def neighbours(
        self,
        queries: Queries,
        label_matrix: LabelMatrix,
        k: int | None = None,
        hidden: Sequence[Ints] | None = None,
    ) -> Neighbours:
        """Rows that say something, as many as the vote asks (or k) and the reader reads.

        See :meth:`Datastore.neighbours`.
        """
        wanted = max(k or self.vote.k, self.reader.evidence if self.reader else 0)
        keys = self.keys(self._looked(queries))
        datastore = label_matrix.datastore
        found = datastore.neighbours(keys, wanted, hidden, label_matrix.worth > 0)
        return datastore.weighed(found, keys, self.keys)

    def evidence(self, label_matrix: LabelMatrix, memory: Memory) -> EvidenceArrays | None:
        """What the reader reads of the datastore's rows; None where there is no reader."""
        if self.reader is None or not self.reader.evidence:
            return None
        features = self.standard(label_matrix.datastore.features)
        return EvidenceArrays.of(label_matrix, features, memory, self.task)

    def logits(
        self,
        queries: Queries,
        neighbours: Neighbours | None = None,
        evidence: ReaderEvidence | None = None,
    ) -> Array:
        """The model's logits (n, C), with the evidence that its reader is given."""
        assert self.head is not None
        if self.reader is None:
            return self.head(queries.seen)
        tokens = None
        if self.words is not None and queries.texts is not None:
            tokens = self.words(queries.texts)
        return self.reader(self.head.standard(queries.seen), neighbours, evidence, tokens=tokens)

    @step("fuse")
    def without(self, queries: Queries) -> Answers:
        """Answers of the model alone."""
        if self.head is None:
            raise DataError(
                "Here only the neighbours' vote answers, and without retrieval there is no vote. "
                "Fit a run with --model linear or fusion."
            )
        own = probabilities(self.logits(queries) / self.alone, self.task.exclusive)
        return Answers.of_model(self.labels, own)

    @step("fuse")
    def answer(
        self,
        queries: Queries,
        label_matrix: LabelMatrix,
        neighbours: Neighbours,
        evidence: ReaderEvidence | None = None,
        *,
        vote_only: bool = False,
        k: int | None = None,
        hidden: Sequence[Ints] | None = None,
    ) -> Answers:
        """Answers with retrieval.

        Args:
            queries: n of them.
            label_matrix: what the datastore says.
            neighbours: their neighbours in it.
            evidence: what the reader reads of the datastore's rows, for one that has a reader.
            vote_only: leave the model out.
            k: neighbours that vote, instead of as many as were fitted.
            hidden: of each query the groups of rows that it does not see; None for none. They are
                not among the neighbours, and no class mean holds them.
        """
        said = self.votes(queries, label_matrix, neighbours, k=k, hidden=hidden)
        votes, fair, shares = said.votes, said.fair, said.shares
        known = votes[:, : label_matrix.known]
        if vote_only or self.head is None:
            mixed = smooth = self.vote_gate.smoothed_votes(known)
            own, gate = np.zeros_like(mixed), (votes.sum(1) > 0).astype(np.float32)
        else:
            similarity = neighbours.best_similarity
            logits = self.logits(queries, neighbours, evidence)
            own_rows = None if hidden is None else label_matrix.datastore.showing_each(hidden)
            rows = label_matrix.rows_of_labels(own_rows)[..., : label_matrix.known]
            mixed, gate, smooth, own = self.gate(known, logits, similarity, rows)
        if len(label_matrix.names) > label_matrix.known:
            mixed, smooth, gate = self._with_novel(fair, label_matrix, mixed, smooth, gate)
            own = np.pad(own, ((0, 0), (0, votes.shape[1] - own.shape[1])))
        return Answers(
            label_matrix.names,
            mixed,
            smooth,
            own,
            gate,
            neighbours.first(k or self.vote.k),
            shares * gate[:, None],
        )

    def votes(
        self,
        queries: Queries,
        label_matrix: LabelMatrix,
        neighbours: Neighbours,
        *,
        k: int | None = None,
        hidden: Sequence[Ints] | None = None,
    ) -> Votes:
        """What the memory says: the vote of the neighbours, and the class means; see `answer`."""
        vote = self.vote if k is None else replace(self.vote, k=k)
        counts = label_matrix.counts if vote.class_balance else None
        votes = vote(neighbours, label_matrix.table, label_matrix.worth, counts)  # (n, C')
        shares = vote.shares(neighbours, label_matrix.worth)  # (n, k)
        fair = self._fair(votes, label_matrix)
        if self.means is not None:
            own = None if hidden is None else label_matrix.datastore.showing_each(hidden)
            means = self._means_answers(queries, label_matrix, own)
            votes = with_means(votes, means, self.means_weight)
            fair = with_means(fair, means, self.means_weight)
            shares = shares * (1 - self.means_weight)
        return Votes(votes, fair, shares)

    def _means_answers(
        self, queries: Queries, label_matrix: LabelMatrix, own: Sequence[Ints] | None
    ) -> Array:
        """Answers of the class means, (n, C')."""
        assert self.means is not None
        sums = label_matrix.sums
        scores = label_matrix.scores(self.keys(self._looked(queries)), self.task.exclusive, own)
        return self.means(scores, sums.counts, sums.rows)

    def _fair(self, votes: Array, label_matrix: LabelMatrix) -> Array:
        """Votes (n, C') in which labels that only the memory knows count by their rarity."""
        if not self.task.exclusive or len(label_matrix.names) == label_matrix.known:
            return votes
        power = max(self.task.novel_balance - self.vote.class_balance, 0)
        return rebalance(votes, label_matrix.counts, power)

    def _with_novel(
        self, fair: Array, label_matrix: LabelMatrix, mixed: Array, smooth: Array, gate: Array
    ) -> tuple[Array, Array, Array]:
        """Answers for labels that only the memory knows, beside those of the gate.

        They keep their share of the vote, and the gate shares out the rest.
        """
        if not self.task.exclusive:
            new = fair[:, label_matrix.known :]
            return np.hstack([mixed, new]), np.hstack([smooth, new]), gate
        new = fair[:, label_matrix.known :] / np.maximum(fair.sum(1, keepdims=True), 1e-9)
        rest = 1 - new.sum(1, keepdims=True)  # (n, 1)
        of_memory = (1 - rest[:, 0]) + rest[:, 0] * gate
        return np.hstack([rest * mixed, new]), np.hstack([rest * smooth, new]), of_memory

    def limits(self, names: Sequence[str]) -> Array:
        """The thresholds of these tags, one half for those that the model does not know."""
        limits = np.full(len(names), 0.5, np.float32)
        limits[: len(self.thresholds)] = self.thresholds
        return limits


def with_means(votes: Array, answers: Array | None, weight: float) -> Array:
    """Votes (n, C) and the answers of class means (n, C), which alone count where no row votes."""
    if answers is None or not weight:
        return votes
    part = np.where(votes.sum(1, keepdims=True) > 0, weight, 1.0).astype(np.float32)
    mixed: Array = (1 - part) * votes + part * answers
    return mixed


class ChoosingPipeline(Protocol):
    """A pipeline that answers with a :class:`LabelPredictor`: of classify, tag or ask.

    Args:
        run: that was fitted; None for a memory alone.
    """

    run: Run | None

    @property
    def memory(self) -> Memory:
        """That the evidence comes from."""

    @property
    def label_predictor(self) -> LabelPredictor:
        """Who answers."""

    def judge(
        self, queries: Queries, hidden: Sequence[Ints], **how: Unpack[JudgeOptions]
    ) -> Answers:
        """Answers to n queries, each of which does not see some groups of rows.

        Args:
            queries: n of them.
            hidden: for each the groups of rows that show the same picture.
            **how: ``k``, ``retrieval``, ``vote_only``.
        """

    def results(self, queries: Queries, hidden: Sequence[Ints] | None = None) -> Sequence[Answer]:
        """The same as answers for people."""
