"""The predictor: a text about a picture, by the memory, a generator, and a choice.

The memory offers its neighbours' texts and captions that are composed of them, the generator writes
others with these before its eyes, and a chooser takes the one that stands out by all scores. It
works on arrays alone: what fitting judges is what answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from ravl.encoders.base import Array
from ravl.memory import Row
from ravl.models.calibration import RiskCalibrator
from ravl.models.generation.base import Candidate, Decoding, EvidenceItem, GenerationRequest
from ravl.models.generation.candidate_ranker import CandidateRanker
from ravl.models.linear import Standardizer
from ravl.models.stacking import ScoreStack
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Ints, Neighbours, SimilarityFloor
from ravl.retrieval.live_datastore import Projection
from ravl.tasks.caption.composer import NEAREST, Captions
from ravl.tasks.caption.consensus import CONSENSUS, CaptionIndex, ConsensusTexts, recall
from ravl.tasks.caption.image_text_score import ImageTextScorer
from ravl.tasks.caption.proposals import (
    MEMORY,
    OFFERED,
    Proposals,
    complies,
    mixed,
    new_texts,
    of_memory,
)
from ravl.tasks.caption.regions import Regions
from ravl.tasks.caption.targets import CaptionTargets
from ravl.timing import step

T = TypeVar("T")

Opens = Callable[[Row], Image.Image]  # the picture of a row, for generators that look themselves


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures to be described.

    Args:
        features: of the frozen tower, (n, F).
        looks: opens each, for generators that read pixels; None for others.
        regions: of each, standardised, (n, R, G); None if regions are not used.
        questions: asked about each; None where they are to be described.
        passages: of texts without a picture that have to do with each, with their scores, best
            first; None where there are no such texts.
    """

    features: Array
    looks: Sequence[Callable[[], Image.Image]] | None = None
    regions: Array | None = None
    questions: Sequence[str] | None = None
    passages: Sequence[Sequence[tuple[str, float]]] | None = None

    def __len__(self) -> int:
        return len(self.features)

    def one(self, i: int) -> Pictures:
        """One of them."""
        return self.take(np.array([i]))

    def take(self, chosen: Ints) -> Pictures:
        """Some of them; any may be taken several times."""

        def some(values: Sequence[T] | None) -> list[T] | None:
            return None if values is None else [values[i] for i in chosen.tolist()]

        regions = None if self.regions is None else self.regions[chosen]
        return Pictures(
            self.features[chosen],
            some(self.looks),
            regions,
            some(self.questions),
            some(self.passages),
        )


@dataclass(frozen=True, eq=False)
class TextPredictor:
    """A predictor of texts.

    Args:
        task: what is written, and where the memory's texts are.
        keys: how neighbours are found, see :class:`ravl.retrieval.key_projection.KeyProjection`.
        vote: how they vote.
        usual: how alike neighbours are; a generator describes a picture without those that are
            less so, since they were not found because they are like it. None to believe all.
        generator: see :class:`ravl.models.generation.base.Generator`; None for the memory alone.
        standard: makes features fit for the generator.
        regions: how the generator looks at parts of a picture; None for one that does not.
        quotes: of the memory's best supported texts, how many the generator reads word for word.
        chooser: among candidates; None takes the generator's first, or else the memory's.
        alone: among candidates without the memory.
        fits: how well texts fit pictures; None where nothing was trained for that.
        composes: new captions are made of the n-grams of the memory's; see
            :class:`ravl.tasks.caption.composer.Captions`. False for texts that stay whole.
        doubts: confidence of the chosen text, by level: ``memory``, ``alone``, ``both``.
        calibration: for abstaining.
        good: what counts as a good text, in words: what confidence is the probability of.
        how: usual decoding.
    """

    task: CaptionTargets
    keys: Projection
    vote: Vote = CONSENSUS
    usual: SimilarityFloor | None = None
    generator: Any = None
    standard: Standardizer | None = None
    regions: Regions | None = None
    quotes: int = 3
    chooser: CandidateRanker | None = None
    alone: CandidateRanker | None = None
    fits: ImageTextScorer | None = None
    composes: bool = False
    doubts: dict[str, ScoreStack] = field(default_factory=dict)
    calibration: RiskCalibrator | None = None
    good: str = ""
    how: Decoding = field(default_factory=Decoding)

    @step("retrieve")
    def neighbours(
        self,
        features: Array,
        index: CaptionIndex,
        k: int | None = None,
        hidden: Sequence[Ints] | None = None,
    ) -> Neighbours:
        """Rows that say something, as many as anything looks at; see :meth:`recall`."""
        wanted = max(k or (NEAREST if self.composes else 0), k or self.vote.k, self._read)
        row_texts = index.row_texts
        return row_texts.datastore.neighbours(self.keys(features), wanted, hidden, row_texts.has)

    @property
    def _read(self) -> int:
        """Neighbours that the generator reads."""
        return int(self.generator.evidence) if self.generator is not None else 0

    def above_floor(self, neighbours: Neighbours, vote_only: bool = False) -> Neighbours:
        """The neighbours above the floor; all of them if nothing could answer without them.

        The nearest ones decide, of which the vote and the generator take notice. Those behind them
        stay if any of the nearest does.
        """
        if vote_only or self.generator is None or self.usual is None:
            return neighbours
        nearest = max(self.vote.k, self._read)
        near = neighbours.first(nearest).above_floor(self.usual)
        found = neighbours.found & near.found.any(axis=1, keepdims=True)
        found[:, :nearest] = near.found
        return Neighbours(
            np.where(found, neighbours.positions, -1),
            np.where(found, neighbours.similarity, 0).astype(np.float32),
        )

    @step("retrieve")
    def recall(
        self, features: Array, neighbours: Neighbours, index: CaptionIndex, k: int | None = None
    ) -> list[ConsensusTexts]:
        """What the memory says of pictures.

        Args:
            features: of n pictures, (n, F).
            neighbours: of each.
            index: of the datastore's texts.
            k: neighbours whose texts count; None for as many as are usual.
        """
        vote = self.vote if k is None else replace(self.vote, k=k)
        recalled = recall(index, neighbours, vote)
        if not self.composes:
            return recalled
        return [
            replace(its, captions=Captions.of(index, line[line >= 0][:k], key))
            if len(its.voters)
            else its
            for its, line, key in zip(
                recalled, neighbours.positions, self.keys(features), strict=True
            )
        ]

    def requests(
        self,
        pictures: Pictures,
        index: CaptionIndex | None = None,
        neighbours: Neighbours | None = None,
        recalled: Sequence[ConsensusTexts] | None = None,
        instruction: str = "",
        opens: Opens | None = None,
    ) -> list[GenerationRequest]:
        """What the generator is asked; without ``index`` it sees the pictures alone."""
        seen = self.seen(pictures.features)
        found = []
        for i in range(len(pictures)):
            evidence_items: list[EvidenceItem] = []
            weighted_texts: list[tuple[str, float]] = []
            if index is not None and neighbours is not None and recalled is not None:
                evidence_items = self._passages(pictures, i)
                evidence_items += self._exhibits(index, neighbours, recalled[i], i, opens)
                weighted_texts = recalled[i].weighted_texts(index)
            look = pictures.looks[i] if pictures.looks is not None else None
            regions = pictures.regions[i] if pictures.regions is not None else None
            asked = pictures.questions[i] if pictures.questions is not None else ""
            wish = instruction or self.task.instruction
            found.append(
                GenerationRequest(
                    seen[i], asked, wish, evidence_items, weighted_texts, look, regions
                )
            )
        return found

    def seen(self, features: Array) -> Array:
        """Features (n, F) as the generator reads them."""
        return features if self.standard is None else self.standard(features)

    def _passages(self, pictures: Pictures, i: int) -> list[EvidenceItem]:
        """The best passages; they leave half of what the generator reads to the neighbours."""
        if pictures.passages is None:
            return []
        most = (self.generator.evidence + 1) // 2
        return [EvidenceItem(text, similarity=score) for text, score in pictures.passages[i][:most]]

    def _exhibits(
        self,
        index: CaptionIndex,
        neighbours: Neighbours,
        recalled: ConsensusTexts,
        i: int,
        opens: Opens | None,
    ) -> list[EvidenceItem]:
        """The nearest rows with their best supported texts, and the best of all, word for word."""
        row_texts, count = index.row_texts, self.generator.evidence
        rows = [int(r) for r in neighbours.positions[i] if r >= 0][:count]
        shown = []
        for j, row in enumerate(rows):
            text = recalled.text_of(index, row)
            look = None if opens is None else _look(opens, row_texts.datastore.rows[row])
            shown.append(
                EvidenceItem(
                    text,
                    self.task.question(row_texts.datastore.rows[row]),
                    similarity=float(neighbours.similarity[i, j]),
                    vector=row_texts.means_at(np.array([row]))[0],
                    features=self.seen(row_texts.datastore.features_at(np.array([row])))[0],
                    open_picture=look,
                )
            )
        return shown + [EvidenceItem(row_texts.texts[t]) for t in self.quoted(recalled)]

    def quoted(self, recalled: ConsensusTexts) -> list[int]:
        """Texts that are read word for word: the best supported, of different rows."""
        found: dict[int, int] = {}
        for text, row in zip(recalled.texts.tolist(), recalled.rows.tolist(), strict=True):
            found.setdefault(row, text)
        return list(found.values())[: self.quotes]

    @step("generate")
    def propose(
        self,
        pictures: Pictures,
        index: CaptionIndex,
        neighbours: Neighbours | None = None,
        recalled: Sequence[ConsensusTexts] | None = None,
        *,
        how: Decoding | None = None,
        vote_only: bool = False,
        instruction: str = "",
        opens: Opens | None = None,
    ) -> list[Proposals]:
        """Candidates for each picture, the best first.

        Args:
            pictures: n of them.
            index: of the datastore's texts; how rare its words are counts without retrieval, too.
            neighbours: neighbours of the pictures; None to describe them without retrieval.
            recalled: what these say, by :meth:`recall`.
            how: the decoding; None for the usual.
            vote_only: leave the generator out.
            instruction: style or audience, for generators that read instructions.
            opens: opens a row's picture, for generators that look themselves.
        """
        how = how or self.how
        offered = [self._offered(index, r, how) for r in recalled] if recalled is not None else None
        if self.generator is None or vote_only:
            assert offered is not None
            assert recalled is not None
            return [of_memory(index, r, o, how) for r, o in zip(recalled, offered, strict=True)]
        requests = self.requests(
            pictures,
            index if neighbours is not None else None,
            neighbours,
            recalled,
            instruction,
            opens,
        )
        pool = replace(how, num_return_sequences=max(how.num_return_sequences, how.num_beams))
        written = self.generator(requests, pool)
        rates = getattr(self.generator, "log_probabilities", None)
        if offered is None or rates is None:
            rated: list[list[Candidate]] = [[] for _ in requests]
        else:
            assert recalled is not None
            rated = rates(
                requests,
                [
                    list(
                        dict.fromkeys([*(index.row_texts.texts[t] for t in o), *new_texts(r, how)])
                    )
                    for r, o in zip(recalled, offered, strict=True)
                ],
            )
        both = [{c.text: c for c in (*r, *w)} for r, w in zip(rated, written, strict=True)]
        fits = self.fits(pictures.features, [list(its) for its in both]) if self.fits else None
        counts = neighbours.found.sum(axis=1) if neighbours is not None else np.zeros(len(requests))
        return [
            mixed(
                index,
                both[i],
                written[i],
                recalled[i] if recalled is not None else None,
                offered[i] if offered is not None else [],
                self.chooser if counts[i] else self.alone,
                fits[i] if fits is not None else None,
            )
            for i in range(len(requests))
        ]

    def confidence(self, proposals: Sequence[Proposals], level: str) -> Array:
        """How sure the chosen texts are to be good, (n,); uncalibrated where nothing was fitted.

        Args:
            proposals: of n pictures.
            level: ``memory``, ``alone`` or ``both``.
        """
        doubt = self.doubts.get(level)
        if doubt is None:
            names = MEMORY if level != "alone" else ()
            return np.array(
                [p.scores[names[0]][0] if names and p.texts else 0.0 for p in proposals], np.float32
            ).clip(0, 1)
        scores = {
            name: np.array([p.scores[name][0] if p.texts else 0.0 for p in proposals], np.float32)
            for name in doubt.names
        }
        empty = np.array([not p.texts for p in proposals], bool)
        sure: Array = np.where(empty, 0.0, doubt.probabilities(scores)).astype(np.float32)
        return sure

    def _offered(self, index: CaptionIndex, recalled: ConsensusTexts, how: Decoding) -> list[int]:
        """The memory's best supported texts that the decoding allows, positions among its texts."""
        found: list[int] = []
        for text in recalled.texts.tolist():
            if complies(index.row_texts.texts[text], how):
                found.append(text)
            if len(found) >= max(OFFERED, how.num_return_sequences):
                break
        return found


def _look(opens: Opens, row: Row) -> Callable[[], Image.Image] | None:
    return (lambda: opens(row)) if row.hash is not None else None
