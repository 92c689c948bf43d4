"""A memory, and a fitted run if there is one, at work: pictures in, texts with evidence out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Unpack

import numpy as np
from PIL import Image

from ravl.encoders import Fingerprint
from ravl.encoders.base import Array
from ravl.errors import EncoderMismatchError, QueryError
from ravl.memory import Memory, Picture, Row
from ravl.models.generation.base import Decoding, Generator
from ravl.retrieval.datastore import Ints, Neighbours, nothing_seen
from ravl.retrieval.key_projection import KeyProjection
from ravl.retrieval.live import View
from ravl.retrieval.live_datastore import MemoryProjection, Projection
from ravl.retrieval.query import open_pictures
from ravl.runs.answers import Answer
from ravl.runs.row_texts import base_of
from ravl.runs.run import Run
from ravl.tasks.caption.consensus import CaptionIndex, ConsensusTexts
from ravl.tasks.caption.files import load_text_predictor
from ravl.tasks.caption.grounding import known_words
from ravl.tasks.caption.live import IndexSource
from ravl.tasks.caption.predictor import Pictures, TextPredictor
from ravl.tasks.caption.proposals import Proposals
from ravl.tasks.caption.results import Caption
from ravl.tasks.caption.targets import CaptionTargets
from ravl.tasks.caption.task import CaptionTask
from ravl.tasks.caption.telling import caption_of
from ravl.tasks.options import DecodingOptions, JudgeOptions
from ravl.timing import step

SIDE = CaptionTask.picture_size  # pixels of a picture that a generator looks at


class TextPipeline:
    """Writes texts from a memory; each task that does so has a class of its own on top.

    The memory is followed: a row that is added, changed or deleted counts from the next call on.

    Args:
        memory: to answer from.
        run: what was fitted; None for what the neighbours' texts agree with, without training.
        generator: that writes, without a run or instead of the run's.

    Raises:
        DataError, EncoderError: the run's files are missing or damaged.
    """

    def __init__(
        self, memory: Memory, run: Run | None = None, *, generator: Generator | None = None
    ) -> None:
        self.memory = memory
        self.run = run
        self._fitted = self._load(run) if run is not None else None
        self._generator = generator
        self._lock = threading.Lock()
        self._known: tuple[View, TextPredictor, CaptionIndex] | None = None
        self._index = IndexSource(memory, self.task)
        self._projection = memory.live.shared("projection", MemoryProjection)
        self._measured: tuple[KeyProjection, Projection] | None = None

    @property
    def task(self) -> CaptionTargets:
        """What is written, and where texts are."""
        return self._fitted.task if self._fitted is not None else self._usual_task(None)

    @property
    def fitted(self) -> TextPredictor | None:
        """Who answers, as the run keeps it; None for a memory alone."""
        return self._fitted

    def _usual_task(self, run: Run | None) -> CaptionTargets:
        """The task of a run, or of a memory alone."""
        raise NotImplementedError

    @property
    def has_generator(self) -> bool:
        """True where something writes, beside the memory's own texts."""
        fitted = self._fitted.generator if self._fitted is not None else None
        return self._generator is not None or fitted is not None

    @property
    def usual(self) -> Decoding:
        """How the run decodes where nothing else is asked for."""
        return self._fitted.how if self._fitted is not None else Decoding()

    def decoding(self, how: Decoding | None, single: DecodingOptions) -> Decoding | None:
        """How a text is written; None for the run's usual.

        Args:
            how: a whole decoding, or None.
            single: values that replace its own; None and empty ones leave it as it is.
        """
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in single.items()
            if value is not None and value not in ((), [])
        }
        return replace(how or self.usual, **given) if given else how

    def write(
        self,
        seen: Pictures,
        *,
        k: int | None = None,
        retrieval: bool = True,
        vote_only: bool = False,
        abstain: float | None = None,
        how: Decoding | None = None,
        instruction: str = "",
        grounded: bool = False,
        hidden: Sequence[Ints] | None = None,
    ) -> list[Caption]:
        """A text about each picture that was looked at; see :meth:`CaptionPipeline.predict`.

        ``hidden`` has for each the groups of rows that it must not see; None for none.
        """
        predictor, index = self._ready()
        neighbours, recalled = self._recalled(
            predictor, index, seen, k, hidden, retrieval, vote_only
        )
        decoding = how or predictor.how
        if not grounded:
            found = self._propose(
                predictor, index, seen, neighbours, recalled, decoding, vote_only, instruction
            )
        else:  # each picture has nouns of its own
            found = []
            if neighbours is None or recalled is None:
                raise QueryError("Without retrieval there is no evidence to be grounded in.")
            for i in range(len(seen)):
                nouns = known_words(index, recalled[i])
                found += self._propose(
                    predictor,
                    index,
                    seen.one(i),
                    neighbours.take(np.array([i])),
                    recalled[i : i + 1],
                    replace(decoding, nouns=nouns),
                    vote_only,
                    instruction,
                )
        level = _level(predictor, retrieval, vote_only)
        sure = self._least(predictor, abstain)
        confidence = predictor.confidence(found, level)
        return [
            caption_of(
                predictor,
                index,
                found[i],
                float(confidence[i]),
                sure,
                level,
                neighbours,
                i,
                decoding,
            )
            for i in range(len(found))
        ]

    def _stream(
        self,
        seen: Pictures,
        k: int | None,
        retrieval: bool,
        how: Decoding | None,
        instruction: str,
    ) -> Iterator[str]:
        """The text about the first of some pictures."""
        predictor, index = self._ready()
        neighbours, recalled = self._recalled(predictor, index, seen, k, None, retrieval)
        requests = predictor.requests(
            seen, index if retrieval else None, neighbours, recalled, instruction, self._opens
        )
        pieces: Iterator[str] = predictor.generator.stream(requests[0], how or predictor.how)
        return pieces

    def about(
        self,
        seen: Pictures,
        rows: Sequence[Row],  # noqa: ARG002 (for tasks that need it)
        features: Array,
        hidden: Sequence[Ints] | None = None,  # noqa: ARG002 (the same)
    ) -> Pictures:
        """Examples as they are written about.

        Args:
            seen: n pictures, that of each example.
            rows: the examples.
            features: theirs, (n, F').
            hidden: for each the groups of rows that show the same picture.
        """
        return replace(seen, features=features)

    def seen(self, features: Array, looks: Sequence[Callable[[], Image.Image]]) -> Pictures:
        """Pictures whose features (n, F) are known; looked at closer where the generator does."""
        predictor, encoder = self._ready()[0], self.memory.encoder
        if predictor.regions is None:
            return Pictures(features, looks)
        size = encoder.batch_size
        blocks = [looks[i : i + size] for i in range(0, len(looks), size)]
        parts = [predictor.regions(encoder, [look() for look in block]) for block in blocks]
        return Pictures(features, looks, np.concatenate(parts))

    def results(self, seen: Pictures, hidden: Sequence[Ints] | None = None) -> Sequence[Answer]:
        """Answers to pictures that were looked at before; each task has its own."""
        raise NotImplementedError

    def judge(
        self, seen: Pictures, hidden: Sequence[Ints], **how: Unpack[JudgeOptions]
    ) -> list[Proposals]:
        """Candidates of pictures that do not see some groups of rows: what evaluation asks for.

        Args:
            seen: the pictures, by :meth:`seen` and :meth:`about`.
            hidden: for each the groups of rows that show the same picture.
            **how: ``k``, ``retrieval``, ``vote_only``, as when it answers.
        """
        predictor, index = self._ready()
        retrieval, vote_only = how.get("retrieval", True), how.get("vote_only", False)
        neighbours, recalled = self._recalled(
            predictor, index, seen, how.get("k"), hidden, retrieval, vote_only
        )
        return self._propose(
            predictor, index, seen, neighbours, recalled, predictor.how, vote_only, ""
        )

    def _load(self, run: Run) -> TextPredictor:
        """The run's predictor, which reads texts with the memory's base encoder."""
        base = base_of(self.memory.encoder)
        fitted = Fingerprint.from_record(run.record["base"])
        if not base.fingerprint.matches(fitted):
            raise EncoderMismatchError(
                f"{run.folder} was fitted with the encoder {fitted.spec!r} ({fitted.digest}), and "
                f"{self.memory.path} has {base.spec!r} ({base.fingerprint.digest}). Fit again with "
                f"ravl fit {run.task}, or name a memory that has the old encoder with --memory."
            )
        made = load_text_predictor(run, self._usual_task(run))
        return replace(made, fits=replace(made.fits, base=base)) if made.fits else made

    def _recalled(
        self,
        predictor: TextPredictor,
        index: CaptionIndex,
        seen: Pictures,
        k: int | None,
        hidden: Sequence[Ints] | None,
        retrieval: bool,
        vote_only: bool = False,
    ) -> tuple[Neighbours | None, list[ConsensusTexts] | None]:
        if not retrieval:
            return None, None
        if not index.row_texts.texts:
            count = len(seen)
            neighbours = Neighbours(
                np.zeros((count, 0), np.int64), np.zeros((count, 0), np.float32)
            )
            return neighbours, [ConsensusTexts.of_nobody()] * count
        neighbours = predictor.neighbours(seen.features, index, k, hidden)
        neighbours = predictor.above_floor(neighbours, vote_only)
        return neighbours, predictor.recall(seen.features, neighbours, index, k)

    def _propose(
        self,
        predictor: TextPredictor,
        index: CaptionIndex,
        seen: Pictures,
        neighbours: Neighbours | None,
        recalled: Sequence[ConsensusTexts] | None,
        how: Decoding,
        vote_only: bool,
        instruction: str,
    ) -> list[Proposals]:
        return predictor.propose(
            seen,
            index,
            neighbours,
            recalled,
            how=how,
            vote_only=vote_only,
            instruction=instruction,
            opens=self._opens,
        )

    def _opens(self, row: Row) -> Image.Image:
        return self.memory.picture(row, hint=SIDE)

    @step("encode")
    def _look(self, predictor: TextPredictor, pictures: Sequence[Picture | str]) -> Pictures:
        """Features of pictures by the memory's tower, and the pictures themselves."""
        encoder = self.memory.encoder
        opened = open_pictures(pictures, max(encoder.picture_size, SIDE))
        prepared = [encoder.prepare(p) for p in opened]
        size = encoder.batch_size
        parts = [encoder.features(prepared[i : i + size]) for i in range(0, len(prepared), size)]
        looks: list[Callable[[], Image.Image]] = [lambda p=p: p for p in opened]  # type: ignore[misc]
        closer = predictor.regions
        regions = closer(encoder, opened) if closer is not None else None
        return Pictures(np.concatenate(parts), looks, regions)

    def _ready(self) -> tuple[TextPredictor, CaptionIndex]:
        """The predictor, and what the memory says now."""
        with self.memory.snapshot(), self._lock:
            view = self.memory.live.view()
            if self._known is None or self._known[0] is not view:
                fitted, task = self._fitted, self.task
                if not len(view):
                    raise nothing_seen(self.memory)
                keys = fitted.keys if fitted is not None else self._own_keys(view)
                index = self._index.at(view, keys)
                predictor = fitted or self._unfitted(
                    task.fitting(index.row_texts.texts), index, keys
                )
                if self._generator is not None:
                    predictor = replace(
                        predictor,
                        generator=self._generator,
                        standard=None,
                        regions=None,
                        chooser=None,
                        alone=None,
                        fits=None,
                        doubts={},
                        calibration=None,
                    )
                if not index.row_texts.texts:
                    raise task.silent(self.memory)
                self._known = view, predictor, index
            return self._known[1], self._known[2]

    def _unfitted(
        self, task: CaptionTargets, index: CaptionIndex, keys: Projection
    ) -> TextPredictor:
        """Who answers where nothing has been fitted."""
        return TextPredictor(
            task,
            keys,
            task.vote(int(index.row_texts.has.sum())),
            quotes=task.quotes,
            composes=task.composes,
        )

    def _own_keys(self, view: View) -> Projection:
        """Keys of the memory's own, where nothing has been fitted."""
        pictures = self._projection.at(view)
        if self._measured is None or self._measured[0] is not pictures:
            self._measured = pictures, self.task.own_keys(pictures)
        return self._measured[1]

    def _allowed(
        self, k: int | None, retrieval: bool, vote_only: bool, words: str
    ) -> TextPredictor:
        """Who answers; refuses what nobody here could do."""
        if k is not None and k < 1:
            raise QueryError(f"k is {k}; it must be at least 1.")
        if vote_only and not retrieval:
            raise QueryError("Without retrieval there is no vote. Leave one of the two out.")
        predictor, _ = self._ready()
        if predictor.generator is None and not retrieval:
            raise QueryError(
                "Without a generator there are only the memory's texts, and without retrieval not "
                f"these. Fit one with ravl fit {self.task.name}, or name one with --generator."
            )
        writes = predictor.generator is not None and not vote_only
        if words and (not writes or predictor.generator.spec == "fused"):
            raise QueryError(
                "Instructions are for generators that read them: name one with --generator, such "
                "as hf:HuggingFaceTB/SmolVLM-256M-Instruct."
            )
        return predictor

    def _writing(self, k: int | None, retrieval: bool) -> TextPredictor:
        """The predictor that answers piece by piece; refuses if the run has no generator."""
        predictor = self._allowed(k, retrieval, False, "") if self.has_generator else None
        if predictor is None:
            raise QueryError(
                "Without a generator nothing is written piece by piece. Fit one with ravl fit "
                f"{self.task.name}, or name one with --generator."
            )
        return predictor

    def _least(self, predictor: TextPredictor, abstain: float | None) -> float:
        """The confidence below which it abstains."""
        if abstain is None:
            return 0.0
        if predictor.calibration is None:
            raise QueryError(
                f"Nothing tells how sure is sure enough. Fit a run with ravl fit {self.task.name}, "
                "which learns that on held-out pictures."
            )
        return predictor.calibration.threshold(abstain)


def _level(predictor: TextPredictor, retrieval: bool, vote_only: bool) -> str:
    if predictor.generator is None or vote_only:
        return "memory"
    return "both" if retrieval else "alone"
