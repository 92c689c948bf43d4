"""A memory, and a fitted run if there is one, at work: questions in, answers with evidence out."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

import numpy as np

from ravl.encoders import Fingerprint
from ravl.encoders.base import Array
from ravl.errors import EncoderMismatchError, QueryError
from ravl.memory import Memory, Picture
from ravl.retrieval.datastore import Datastore, Ints
from ravl.retrieval.live import Followed, View
from ravl.retrieval.live_datastore import MemoryProjection
from ravl.retrieval.query import open_pictures
from ravl.runs.evidence_arrays import MadeEvidence
from ravl.runs.row_texts import base_of
from ravl.runs.run import Run
from ravl.tasks.ask.entries import LONGEST, says
from ravl.tasks.ask.given import asked_about
from ravl.tasks.ask.keys import VOTE, AskKeys
from ravl.tasks.ask.knowledge import Cited, Knowledge
from ravl.tasks.ask.live_knowledge import KnowledgeSource
from ravl.tasks.ask.quoting import NEAR, passages_of, quoted, silent
from ravl.tasks.ask.results import Reply
from ravl.tasks.ask.targets import AnswerTargets, ask_task, nothing_asked
from ravl.tasks.ask.vectors import question_features, question_vectors
from ravl.tasks.labels.live import EvidenceSource, LabelSource, LiveLabels, evidence_source
from ravl.tasks.labels.predictor import Answers, LabelPredictor, Queries
from ravl.tasks.labels.renewal import fitted_and_renewed
from ravl.tasks.options import JudgeOptions, WritingOptions
from ravl.tasks.pairing import OnePicture
from ravl.timing import step


@dataclass(frozen=True, eq=False)
class _Ready:
    """What the memory says now, and who answers by it; without entries the last two are None."""

    label_predictor: LabelPredictor | None
    knowledge: Knowledge | None
    label_matrix: LiveLabels | None = None
    evidence: MadeEvidence | None = None


class AskPipeline:
    """Answers questions about pictures from a memory.

    The memory is followed: a row that is added, changed or deleted counts from the next call on.

    Args:
        memory: to answer from.
        run: what was fitted; None for the vote of the memory's answered questions, untrained.

    Raises:
        EncoderMismatchError: the memory's base encoder is another than the run was fitted with.
    """

    def __init__(self, memory: Memory, run: Run | None = None) -> None:
        self.memory = memory
        self.run = run
        self._fitted: LabelPredictor | None = None
        self._renewal: Followed[LabelPredictor] | None = None
        if run is not None:
            check_base(run, memory)
            self._fitted, self._renewal = fitted_and_renewed(
                run, memory, self._alone, AnswerTargets
            )
        fitted: Any = self._fitted
        self._task: AnswerTargets = fitted.task if fitted is not None else ask_task(memory)
        self._lock = threading.Lock()
        self._known: tuple[View, _Ready] | None = None
        self._rows = self._task.source(memory)
        self._texts = KnowledgeSource(memory)
        self._projection = memory.live.shared("projection", MemoryProjection)
        self._keys: Any = None
        self._labels: LabelSource | None = None
        self._read: EvidenceSource | None = None
        self._answering: LabelPredictor | None = None
        self._untrained: LabelPredictor | None = None
        if fitted is not None:
            self._answer_by(fitted)
            self._read = evidence_source(fitted, memory)

    @property
    def label_predictor(self) -> LabelPredictor:
        """Who answers.

        Raises:
            DataError: the memory has no answered question.
        """
        found = self._ready().label_predictor
        if found is None:
            raise nothing_asked(self.memory)
        return found

    def predict(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        beside: str | Iterable[str] | None = None,
        *,
        k: int | None = None,
        retrieval: bool = True,
        vote_only: bool = False,
        abstain: float | None = None,
        **writing: Unpack[WritingOptions],
    ) -> list[Reply]:
        """An answer to each question about the picture in the same place, in one pass.

        Args:
            pictures: paths, bytes or PIL pictures; or one, for all questions.
            beside: as many questions; or one, for all pictures.
            k: answered questions that vote; None for as many as were fitted.
            retrieval: False for the model alone.
            vote_only: True for the memory alone.
            abstain: the share of wrong answers that is acceptable, such as 0.05; answers that are
                less sure than that are marked.
            **writing: refused, since these answers are chosen and not written.

        Raises:
            QueryError: numbers that do not fit, an empty question, k below 1, model and memory
                both switched off, or no calibrated confidence to abstain by.
            DataError: the memory has neither an answered question nor a text that is no caption.
            PictureError: a picture cannot be read.
        """
        if k is not None and k < 1:
            raise QueryError(f"k is {k}; it must be at least 1.")
        if vote_only and not retrieval:
            raise QueryError("Without retrieval there is no vote. Leave one of the two out.")
        if not retrieval and self.run is None:
            raise QueryError(
                "Nothing has been fitted, so that only the memory answers, and without retrieval "
                "nobody does. Fit a run with ravl fit ask."
            )
        if given := [name for name, value in writing.items() if value not in (None, (), [], "")]:
            who = self.memory.path.name if self.run is None else self.run.folder.name
            raise QueryError(
                f"{who} chooses its answers and writes none, so {', '.join(given)} says nothing to "
                "it. Leave it out, or ask a run that was fitted with --answers open."
            )
        seen, asked = asked_about(pictures, beside)
        if not seen or not asked:
            return []
        sure = self._least(abstain)
        return self._replies(self.look(seen, asked), None, k, retrieval, vote_only, sure)

    def results(self, queries: Queries, hidden: Sequence[Ints] | None = None) -> list[Reply]:
        """Answers as :meth:`predict` gives them, to questions about pictures seen before.

        Args:
            queries: n of them, with the questions as their texts.
            hidden: for each the groups of rows that it must not see; None for none.
        """
        return self._replies(queries, hidden)

    def judge(
        self, queries: Queries, hidden: Sequence[Ints], **how: Unpack[JudgeOptions]
    ) -> Answers:
        """Answers that do not see some groups of rows: what evaluation asks for.

        Args:
            queries: n of them, with the questions as their texts.
            hidden: for each the groups of rows that show the same picture.
            **how: ``k``, ``retrieval``, ``vote_only`` of :meth:`predict`.
        """
        return self._answers(
            self._ready(),
            queries,
            how.get("k"),
            how.get("retrieval", True),
            how.get("vote_only", False),
            hidden,
        )

    @step("encode")
    def look(self, pictures: Sequence[Picture | str], questions: Sequence[str]) -> Queries:
        """Questions about pictures, of which there may be one for all."""
        seen = self._look(pictures)[np.arange(len(questions)) % len(pictures)]
        asked = [question[:LONGEST] for question in questions]
        read = question_features(self.memory, asked, self._task.words)
        return Queries(np.hstack([seen, read]), texts=asked)

    def _look(self, pictures: Sequence[Picture | str]) -> Array:
        """Features of pictures by the memory's tower, (n, F)."""
        encoder = self.memory.encoder
        opened = open_pictures(pictures, encoder.picture_size)
        prepared = [encoder.prepare(p) for p in opened]
        size = encoder.batch_size
        parts = [encoder.features(prepared[i : i + size]) for i in range(0, len(prepared), size)]
        return np.concatenate(parts)

    def _replies(
        self,
        queries: Queries,
        hidden: Sequence[Ints] | None,
        k: int | None = None,
        retrieval: bool = True,
        vote_only: bool = False,
        sure: float = 0.0,
    ) -> list[Reply]:
        ready, asked = self._ready(), list(queries.texts or [])
        cited = None
        if ready.knowledge is not None and retrieval:
            cited = ready.knowledge.find(asked, self._pictures(queries), hidden)
        if ready.label_predictor is None or ready.label_matrix is None:
            if cited is None or ready.knowledge is None:
                raise nothing_asked(self.memory)
            return [
                quoted(self.memory, ready.knowledge, cited, asked[i], i) or silent(asked[i])
                for i in range(len(asked))
            ]
        found = self._answers(ready, queries, k, retrieval, vote_only, hidden)
        return [self._reply(ready, found, cited, asked[i], i, sure) for i in range(len(asked))]

    def _pictures(self, queries: Queries) -> Array:
        """The pictures' part of features, (n, F)."""
        return queries.features[:, : self._task.width]

    def _answers(
        self,
        ready: _Ready,
        queries: Queries,
        k: int | None,
        retrieval: bool,
        vote_only: bool,
        hidden: Sequence[Ints] | None = None,
    ) -> Answers:
        predictor, label_matrix = ready.label_predictor, ready.label_matrix
        assert predictor is not None
        if not retrieval:
            return predictor.without(queries)
        assert label_matrix is not None
        queries = self._read_by(ready, queries, hidden)
        neighbours = predictor.neighbours(queries, label_matrix, k, hidden)
        return predictor.answer(
            queries,
            label_matrix,
            neighbours,
            ready.evidence,
            vote_only=vote_only,
            k=k,
            hidden=hidden,
        )

    def _read_by(self, ready: _Ready, queries: Queries, hidden: Sequence[Ints] | None) -> Queries:
        """Questions as the run reads them: with the passage that is best for each."""
        if (
            ready.label_predictor is None
            or ready.label_predictor.words is None
            or ready.knowledge is None
        ):
            return queries
        read = ready.knowledge.reading(queries.texts or [], self._pictures(queries), hidden)
        return replace(queries, texts=read)

    def _ready(self) -> _Ready:
        """The present memory."""
        with self.memory.snapshot(), self._lock:
            view = self.memory.live.view()
            if self._known is None or self._known[0] is not view:
                self._known = view, self._at(view)
            return self._known[1]

    def _at(self, view: View) -> _Ready:
        if self._fitted is None and len(view):
            self._measure(view)
        knowledge = self._texts.at(view, self._keys.pictures if self._keys is not None else None)
        entries = self._rows.at(view)
        if not len(entries) or self._labels is None:
            if knowledge is None:
                raise nothing_asked(self.memory)
            return _Ready(None, knowledge)
        if self._renewal is not None:
            self._answer_by(self._renewal.at(entries))
        label_matrix = self._labels.at(entries)
        predictor = self._answering or LabelPredictor.of_vote(
            self._task, label_matrix.names, self._keys, VOTE
        )
        evidence = self._read.at(label_matrix) if self._read is not None else None
        return _Ready(predictor, knowledge, label_matrix, evidence)

    def _answer_by(self, predictor: LabelPredictor) -> None:
        """Let a predictor answer from now on."""
        if predictor is not self._answering:
            self._answering, self._keys = predictor, predictor.keys
            self._labels = LabelSource.of(predictor, self.memory)

    def _measure(self, view: View) -> None:
        """Compare entries by a projection of the memory's own, where nothing has been fitted."""
        pictures = self._projection.at(view)
        if self._keys is None or self._keys.pictures is not pictures:
            self._keys = AskKeys(pictures, words=self._task.words)
            self._labels = LabelSource(self.memory, self._task, self._keys, None)

    def _alone(self, entries: View) -> LabelPredictor:  # noqa: ARG002 (their pictures tell)
        """Who would answer without a run."""
        assert self._fitted is not None
        pictures = self._projection.at(self.memory.live.view())
        known: Any = self._untrained.keys if self._untrained is not None else None
        if self._untrained is None or known.pictures is not pictures:
            keys: Any = AskKeys(pictures, words=self._task.words)
            self._untrained = LabelPredictor.of_vote(self._task, self._fitted.labels, keys, VOTE)
        return self._untrained

    def _least(self, abstain: float | None) -> float:
        """The confidence below which it abstains."""
        if abstain is None:
            return 0.0
        answering = self._ready().label_predictor if self._fitted is not None else None
        calibration = None if answering is None else answering.calibration
        if calibration is None:
            raise QueryError(
                "Nothing tells how sure is sure enough. Fit a run with ravl fit ask, which learns "
                "that on held-out questions."
            )
        return calibration.threshold(abstain)

    def _reply(
        self,
        ready: _Ready,
        found: Answers,
        cited: Cited | None,
        question: str,
        i: int,
        sure: float,
    ) -> Reply:
        assert ready.label_matrix is not None
        evidence = found.evidence(ready.label_matrix.datastore, i, says)
        known = ready.knowledge if self.run is None and cited is not None else None
        if known is not None and not self._similar(
            ready.label_matrix.datastore, question, found, i
        ):
            reply = quoted(self.memory, known, cited, question, i, evidence)
            if reply is not None:
                return reply
        best = int(found.probabilities[i].argmax())
        confidence = float(found.probabilities[i, best])
        read = base_of(self.memory.encoder).supports_language(question)
        return Reply(
            question=question,
            answer=found.names[best],
            confidence=confidence,
            read=read,
            abstained=confidence < sure or bool(sure and not read),
            **found.fields_of(i),
            evidence=evidence + passages_of(ready.knowledge, cited, i),
        )

    def _similar(self, datastore: Datastore, question: str, found: Answers, i: int) -> bool:
        """Whether any answered question among the neighbours asks the same kind of thing."""
        assert found.neighbours is not None
        line = found.neighbours.positions[i]
        neighbours = datastore.features_at(line[line >= 0])
        vector = question_vectors(self.memory, [question])[0]
        return bool((self._task.vectors_of(neighbours) @ vector).max(initial=-1) >= NEAR)


def check_base(run: Run, memory: Memory) -> None:
    """Refuse a memory whose base encoder reads questions otherwise than at fitting time.

    Raises:
        EncoderMismatchError: says what was found and what to do.
    """
    fitted = Fingerprint.from_record(run.record["base"])
    now = base_of(memory.encoder).fingerprint
    if not now.matches(fitted):
        raise EncoderMismatchError(
            f"{run.folder} was fitted with the encoder {fitted.spec!r} ({fitted.digest}), and "
            f"{memory.path} has {now.spec!r} ({now.digest}). Fit again with ravl fit ask, or name "
            "a memory that has the old encoder with --memory."
        )
