"""Open answers at work: pictures and questions in, what a generator writes with evidence out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Unpack

import numpy as np

from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.memory import Memory, Picture, Row
from ravl.models.generation.base import Decoding, Generator
from ravl.retrieval.datastore import Datastore, Ints
from ravl.runs.row_texts import base_of
from ravl.runs.run import Run
from ravl.tasks.ask.entries import question_of, says
from ravl.tasks.ask.given import asked_about
from ravl.tasks.ask.keys import AskKeys
from ravl.tasks.ask.knowledge import Cited, Knowledge
from ravl.tasks.ask.live_knowledge import KnowledgeSource
from ravl.tasks.ask.open_targets import OpenAnswerTargets
from ravl.tasks.ask.quoting import passages_of
from ravl.tasks.ask.results import Reply
from ravl.tasks.ask.vectors import question_vectors
from ravl.tasks.caption.consensus import CaptionIndex
from ravl.tasks.caption.predictor import Pictures, TextPredictor
from ravl.tasks.caption.results import Caption
from ravl.tasks.caption.writer import TextPipeline
from ravl.tasks.options import DecodingOptions
from ravl.tasks.pairing import OnePicture


class OpenAskPipeline(TextPipeline):
    """Writes answers to questions about pictures; see :class:`TextPipeline`.

    Args:
        memory: to answer from.
        run: what was fitted; None for a generator that was not.
        generator: that writes, without a run or instead of the run's.

    Raises:
        EncoderMismatchError: the memory's base encoder is another than the run was fitted with.
    """

    def __init__(
        self, memory: Memory, run: Run | None = None, *, generator: Generator | None = None
    ) -> None:
        super().__init__(memory, run, generator=generator)
        self._texts = KnowledgeSource(memory)

    def _usual_task(self, run: Run | None) -> OpenAnswerTargets:
        """The task of a run, or of a memory alone."""
        if run is None:
            return OpenAnswerTargets(width=self.memory.encoder.feature_dimension)
        return OpenAnswerTargets(
            generated=bool(run.record["generated"]),
            width=int(run.record["width"]),
            brief=bool(run.record["brief"]),
        )

    def predict(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        beside: str | Iterable[str] | None = None,
        *,
        k: int | None = None,
        retrieval: bool = True,
        vote_only: bool = False,
        abstain: float | None = None,
        how: Decoding | None = None,
        instruction: str = "",
        **single: Unpack[DecodingOptions],
    ) -> list[Reply]:
        """An answer to each question about the picture in the same place, in one pass.

        Args:
            pictures: paths, bytes or PIL pictures; or one, for all questions.
            beside: as many questions; or one, for all pictures.
            k: answered questions that vote; None for as many as were fitted.
            retrieval: False for the generator alone.
            vote_only: True for the memory alone.
            abstain: the share of wrong answers that is acceptable, such as 0.05; answers that are
                less sure than that are marked.
            how: the decoding; None for the run's usual.
            instruction: style, length or audience in words, for a generator that reads them.
            **single: values of the decoding, such as ``num_beams=1``; see :class:`Decoding`.

        Raises:
            QueryError: numbers that do not fit, an empty question, k below 1, generator and memory
                both switched off, no calibrated confidence to abstain by, or the generator
                cannot do what ``how`` asks for.
            DataError: the memory has no answered question.
            PictureError: a picture cannot be read.
        """
        seen, asked = asked_about(pictures, beside)
        predictor = self._allowed(k, retrieval, vote_only, instruction)
        if not seen or not asked:
            return []
        examples, cited = self._examples(predictor, seen, asked)
        found = self.write(
            examples,
            k=k,
            retrieval=retrieval,
            vote_only=vote_only,
            abstain=abstain,
            how=self.decoding(how, single),
            instruction=instruction,
        )
        writes = predictor.generator is not None and not vote_only
        return self._replies(
            found, asked, cited if retrieval else None, predictor if writes else None, bool(abstain)
        )

    def look(self, pictures: Sequence[Picture | str], questions: Sequence[str]) -> Pictures:
        """Each picture with the question in the same place."""
        return self._examples(self._ready()[0], *asked_about(pictures, questions))[0]

    def results(self, seen: Pictures, hidden: Sequence[Ints] | None = None) -> list[Reply]:
        """Answers as :meth:`predict` gives them, to questions about pictures seen before.

        Args:
            seen: n questions about pictures, by :meth:`look`, or by :meth:`seen` and :meth:`about`.
            hidden: for each the groups of rows that it must not see; None for none.
        """
        predictor, asked = self._ready()[0], list(seen.questions or [])
        seen, cited = self._asked(seen, asked, seen.features, hidden)
        found = self.write(seen, hidden=hidden)
        writes = predictor if predictor.generator is not None else None
        return self._replies(found, asked, cited, writes)

    def stream(
        self,
        picture: Picture | str,
        beside: str | None = None,
        *,
        k: int | None = None,
        retrieval: bool = True,
        how: Decoding | None = None,
        instruction: str = "",
        **single: Unpack[DecodingOptions],
    ) -> Iterator[str]:
        """The generator's answer to one question, piece by piece as it is written.

        Nothing is chosen among candidates, which would have to be known to their ends.

        Raises:
            QueryError: there is no generator, or the question is empty.
        """
        seen, asked = asked_about([picture], beside)
        examples, _ = self._examples(self._writing(k, retrieval), seen, asked)
        return self._stream(examples, k, retrieval, self.decoding(how, single), instruction)

    def about(
        self,
        seen: Pictures,
        rows: Sequence[Row],
        features: Array,
        hidden: Sequence[Ints] | None = None,
    ) -> Pictures:
        """Entries as they are answered; see :meth:`TextPipeline.about`."""
        questions = [question_of(row) for row in rows]
        made, _ = self._asked(seen, questions, features, hidden)
        return made

    def _examples(
        self, predictor: TextPredictor, pictures: Sequence[OnePicture], asked: Sequence[str]
    ) -> tuple[Pictures, Cited | None]:
        """Questions about pictures, of which there may be one for all."""
        seen = self._look(predictor, pictures).take(np.arange(len(asked)) % len(pictures))
        features = np.hstack([seen.features, question_vectors(self.memory, asked)])
        return self._asked(seen, asked, features, None)

    def _asked(
        self,
        seen: Pictures,
        questions: Sequence[str],
        features: Array,
        hidden: Sequence[Ints] | None,
    ) -> tuple[Pictures, Cited | None]:
        """Pictures with what is asked about them, and what texts say of that."""
        knowledge, cited, passages = self._knowledge(), None, None
        if knowledge is not None:
            cited = knowledge.find(
                questions, features[:, : self.memory.encoder.feature_dimension], hidden
            )
            passages = knowledge.texts_of(cited)
        return replace(seen, features=features, questions=questions, passages=passages), cited

    def _knowledge(self) -> Knowledge | None:
        """What the memory's texts say now."""
        predictor, index = self._ready()
        keys = predictor.keys
        assert isinstance(keys, AskKeys)
        pictures = keys.pictures if index.row_texts.texts else None
        return self._texts.at(self.memory.live.view(), pictures)

    def _ready(self) -> tuple[TextPredictor, CaptionIndex]:
        """Who answers; a generator also where texts without a picture are all that there is."""
        try:
            return super()._ready()
        except DataError:
            view = self.memory.live.view()
            if not self.has_generator or self._texts.at(view, None) is None:
                raise
        task, datastore = self.task, nobody(self.memory)
        index = task.index_texts(datastore, self.memory)
        keys = task.keys(np.zeros((1, datastore.features.shape[1]), np.float32))
        made = self._fitted or TextPredictor(task, keys, task.vote(0), quotes=0)
        predictor = replace(made, generator=self._generator or made.generator)
        self._known = view, predictor, index
        return predictor, index

    def _replies(
        self,
        found: Sequence[Caption],
        asked: Sequence[str],
        cited: Cited | None,
        writes: TextPredictor | None,
        careful: bool = False,
    ) -> list[Reply]:
        """Texts as answers.

        Args:
            found, asked: n of each.
            cited: what passages were found for them.
            writes: whose generator has written; None where none has.
            careful: abstain from questions that cannot be read.
        """
        base = base_of(self.memory.encoder)
        # A generator of the hub reads languages of its own.
        own = writes is not None and writes.generator.spec != "fused"
        return [
            self._reply(
                found[i], question, own or base.supports_language(question), careful, cited, i
            )
            for i, question in enumerate(asked)
        ]

    def _reply(
        self, found: Caption, question: str, read: bool, careful: bool, cited: Cited | None, i: int
    ) -> Reply:
        evidence = tuple(replace(item, says=says(item.row)) for item in found.evidence)
        return Reply(
            question=question,
            answer=found.text,
            confidence=found.confidence,
            read=read,
            abstained=found.abstained or (careful and not read),
            gate=found.gate,
            scores=found.scores,
            memory=found.memory,
            model=found.model,
            written=found.written,
            others=found.others,
            open=True,
            evidence=evidence + passages_of(self._knowledge(), cited, i),
        )


def nobody(memory: Memory) -> Datastore:
    """The datastore of a memory in which no question has been answered."""
    encoder = memory.encoder
    width = encoder.feature_dimension + base_of(encoder).dimension
    nothing = np.zeros((0, width), np.float32)
    return Datastore([], nothing, np.zeros(0, np.int64), nothing)
