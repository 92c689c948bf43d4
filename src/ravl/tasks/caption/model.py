"""A memory, and a fitted run if there is one, at work: pictures in, captions with evidence out."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from ravl.encoders import Fingerprint
from ravl.encoders.base import Array
from ravl.errors import EncoderMismatchError, QueryError
from ravl.memory import Memory, Picture
from ravl.memory.spaces import position
from ravl.models.generation.base import Decoding
from ravl.retrieval.bank import Ints, Neighbours, read_bank
from ravl.retrieval.keys import Keys
from ravl.retrieval.query import open_picture
from ravl.tasks.caption.captioner import Captioner, Pictures
from ravl.tasks.caption.diverse import diverse
from ravl.tasks.caption.evidence import evidence_of, nothing_said
from ravl.tasks.caption.files import load_captioner
from ravl.tasks.caption.grounding import known_words
from ravl.tasks.caption.proposals import MEMORY, Proposals
from ravl.tasks.caption.recall import Recalled, Told, consensus
from ravl.tasks.caption.results import Caption
from ravl.tasks.match_texts import MatchTask, base_of
from ravl.tasks.run import Run

SHOWN = 5  # candidates of an answer with their scores
SIDE = 448  # pixels of a picture's longer side, for generators that look themselves


class CaptionModel:
    """Writes captions from a memory.

    The memory is followed: a row that is added, changed or deleted counts from the next call on.

    Args:
        memory: to answer from.
        run: what was fitted; None for the consensus of the neighbours' texts, without training.
        column: of the user's own that holds the texts, without a run; None for captions.
        generator: that writes, without a run or instead of the run's.

    Raises:
        DataError, EncoderError: the run's files are missing or damaged.
    """

    def __init__(
        self, memory: Memory, run: Run | None = None, *, column: str | None = None,
        generator: Any = None,
    ) -> None:  # fmt: skip
        self.memory = memory
        self.run = run
        self._fitted = self._load(run) if run is not None else None
        self._column = column
        self._generator = generator
        self._lock = threading.Lock()
        self._known: tuple[Any, Captioner, Told] | None = None

    @property
    def task(self) -> MatchTask:
        """Where texts are."""
        return self._fitted.task if self._fitted is not None else MatchTask(self._column)

    @property
    def has_generator(self) -> bool:
        """True where something writes, beside the memory's own texts."""
        fitted = self._fitted.generator if self._fitted is not None else None
        return self._generator is not None or fitted is not None

    @property
    def usual(self) -> Decoding:
        """How the run decodes where nothing else is asked for."""
        return self._fitted.how if self._fitted is not None else Decoding()

    def caption(
        self, pictures: Sequence[Picture | str], *, k: int | None = None, retrieval: bool = True,
        vote_only: bool = False, abstain: float | None = None, how: Decoding | None = None,
        instruction: str = "", grounded: bool = False,
    ) -> list[Caption]:  # fmt: skip
        """A text for each picture, in one pass.

        Args:
            pictures: paths, bytes or PIL pictures.
            k: neighbours whose texts count; None for as many as were fitted.
            retrieval: False for the generator alone.
            vote_only: True for the memory's own texts alone.
            abstain: the share of texts that need not be good, such as 0.2; captions that are less
                sure than that are marked.
            how: the decoding; None for the run's usual.
            instruction: style, length or audience in words, for a generator that reads them.
            grounded: only nouns that the evidence has, or that the encoder is sure to see.

        Raises:
            QueryError: k below 1, neither memory nor generator shall answer, nothing was
                calibrated to abstain by, or the generator cannot do what ``how`` asks for.
            DataError: the memory has no texts.
            PictureError: a picture cannot be read.
        """
        _check(k, retrieval, vote_only)
        if not pictures:
            return []
        captioner, told = self._ready()
        self._can(captioner, retrieval, vote_only, instruction)
        seen = self._look(captioner, pictures)
        near, recalled = self._recalled(captioner, told, seen, k, None, retrieval)
        decoding = how or captioner.how
        if not grounded:
            found = self._propose(
                captioner, told, seen, near, recalled, decoding, vote_only, instruction
            )
        else:  # each picture has nouns of its own
            found = []
            if near is None or recalled is None:
                raise QueryError("Without retrieval there is no evidence to be grounded in.")
            for i in range(len(seen)):
                nouns = known_words(told, recalled[i])
                found += self._propose(
                    captioner, told, seen.one(i), near.take(np.array([i])), recalled[i : i + 1],
                    replace(decoding, nouns=nouns), vote_only, instruction,
                )  # fmt: skip
        level = _level(captioner, retrieval, vote_only)
        sure = self._least(captioner, abstain)
        confidence = captioner.confidence(found, level)
        return [
            self._result(captioner, told, found[i], float(confidence[i]), sure, level, near, i,
                         decoding)
            for i in range(len(found))
        ]  # fmt: skip

    def stream(
        self, picture: Picture | str, *, k: int | None = None, retrieval: bool = True,
        how: Decoding | None = None, instruction: str = "",
    ) -> Iterator[str]:  # fmt: skip
        """The generator's text of one picture, piece by piece as it is written.

        Nothing is chosen among candidates, which would have to be known to their ends.

        Raises:
            QueryError: there is no generator.
        """
        _check(k, retrieval, False)
        captioner, told = self._ready()
        if captioner.generator is None:
            raise QueryError(
                "Without a generator nothing is written piece by piece. Fit one with ravl fit "
                "caption, or name one with --generator."
            )
        seen = self._look(captioner, [picture])
        near, recalled = self._recalled(captioner, told, seen, k, None, retrieval)
        requests = captioner.requests(
            seen, told if retrieval else None, near, recalled, instruction, self._opens
        )
        pieces: Iterator[str] = captioner.generator.stream(requests[0], how or captioner.how)
        return pieces

    def seen(
        self, features: Array, looks: Sequence[Callable[[], Image.Image]]
    ) -> Pictures:  # fmt: skip
        """Pictures whose features (n, F) are known; looked at closer where the generator does."""
        captioner, encoder = self._ready()[0], self.memory.encoder
        if captioner.regions is None:
            return Pictures(features, looks)
        size = encoder.batch_size
        blocks = [looks[i : i + size] for i in range(0, len(looks), size)]
        parts = [captioner.regions(encoder, [look() for look in block]) for block in blocks]
        return Pictures(features, looks, np.concatenate(parts))

    def judge(self, seen: Pictures, hidden: Sequence[Ints], **how: Any) -> list[Proposals]:
        """Candidates of pictures that do not see some groups of rows: what evaluation asks for.

        Args:
            seen: the pictures, by :meth:`seen`.
            hidden: for each the groups of rows that show the same picture.
            **how: ``k``, ``retrieval``, ``vote_only`` of :meth:`caption`.
        """
        captioner, told = self._ready()
        retrieval, vote_only = how.get("retrieval", True), how.get("vote_only", False)
        near, recalled = self._recalled(captioner, told, seen, how.get("k"), hidden, retrieval)
        return self._propose(captioner, told, seen, near, recalled, captioner.how, vote_only, "")

    def _load(self, run: Run) -> Captioner:
        """The run's captioner, which reads texts with the memory's base encoder."""
        base = base_of(self.memory.encoder)
        fitted = Fingerprint.from_json(json.dumps(run.record["base"]))
        if not base.fingerprint.matches(fitted):
            raise EncoderMismatchError(
                f"{run.folder} was fitted with the encoder {fitted.spec!r} ({fitted.digest}), and "
                f"{self.memory.path} has {base.spec!r} ({base.fingerprint.digest}). Fit again with "
                "ravl fit caption, or name a memory that has the old encoder with --memory."
            )
        made = load_captioner(run)
        return replace(made, fits=replace(made.fits, base=base)) if made.fits else made

    def _recalled(
        self, captioner: Captioner, told: Told, seen: Pictures, k: int | None,
        hidden: Sequence[Ints] | None, retrieval: bool,
    ) -> tuple[Neighbours | None, list[Recalled] | None]:  # fmt: skip
        if not retrieval:
            return None, None
        near = captioner.neighbours(seen.features, told, k, hidden)
        return near, captioner.recall(near, told, k)

    def _propose(
        self, captioner: Captioner, told: Told, seen: Pictures, near: Neighbours | None,
        recalled: Sequence[Recalled] | None, how: Decoding, vote_only: bool, instruction: str,
    ) -> list[Proposals]:  # fmt: skip
        return captioner.propose(
            seen, told, near, recalled, how=how, vote_only=vote_only, instruction=instruction,
            opens=self._opens,
        )  # fmt: skip

    def _opens(self, row: Any) -> Image.Image:
        return self.memory.picture(row, hint=SIDE)

    def _look(self, captioner: Captioner, pictures: Sequence[Picture | str]) -> Pictures:
        """Features of pictures by the memory's tower, and the pictures themselves."""
        encoder = self.memory.encoder
        opened = [open_picture(p, max(encoder.picture_size, SIDE)) for p in pictures]
        prepared = [encoder.prepare(p) for p in opened]
        size = encoder.batch_size
        parts = [encoder.features(prepared[i : i + size]) for i in range(0, len(prepared), size)]
        looks: list[Callable[[], Image.Image]] = [lambda p=p: p for p in opened]  # type: ignore[misc]
        closer = captioner.regions
        regions = closer(encoder, opened) if closer is not None else None
        return Pictures(np.concatenate(parts), looks, regions)

    def _ready(self) -> tuple[Captioner, Told]:
        """The captioner, and what the memory says now."""
        with self._lock, self.memory.snapshot() as connection:
            now = position(connection)
            if self._known is None or self._known[0] != now:
                fitted, task = self._fitted, self.task
                bank = read_bank(self.memory, fitted.keys if fitted is not None else None)
                told = Told.of(bank, task, self.memory)
                vote = consensus(int(told.said.has.sum()))
                captioner = fitted or Captioner(task, Keys.of(bank.features), vote)
                if self._generator is not None:
                    captioner = replace(
                        captioner, generator=self._generator, standard=None, regions=None,
                        chooser=None,
                        alone=None, fits=None, doubts={},
                        calibration=None,
                    )  # fmt: skip
                if not told.said.texts:
                    raise nothing_said(self.memory, task)
                self._known = now, captioner, told
            return self._known[1], self._known[2]

    def _can(self, captioner: Captioner, retrieval: bool, vote_only: bool, words: str) -> None:
        """Refuse what nobody here could do."""
        if captioner.generator is None and not retrieval:
            raise QueryError(
                "Without a generator there are only the memory's texts, and without retrieval not "
                "these. Fit one with ravl fit caption, or name one with --generator."
            )
        writes = captioner.generator is not None and not vote_only
        if words and (not writes or captioner.generator.spec == "fused"):
            raise QueryError(
                "Instructions are for generators that read them: name one with --generator, such "
                "as hf:HuggingFaceTB/SmolVLM-256M-Instruct."
            )

    def _least(self, captioner: Captioner, abstain: float | None) -> float:
        """The confidence below which it abstains."""
        if abstain is None:
            return 0.0
        if captioner.calibration is None:
            raise QueryError(
                "Nothing tells how sure is sure enough. Fit a run with ravl fit caption, which "
                "learns that on held-out pictures."
            )
        return captioner.calibration.threshold(abstain)

    def _result(
        self, captioner: Captioner, told: Told, found: Proposals, confidence: float, least: float,
        level: str, near: Neighbours | None, i: int, how: Decoding,
    ) -> Caption:  # fmt: skip
        gate = {"memory": 1.0, "alone": 0.0}.get(level)
        if gate is None:
            gate = captioner.chooser.share(MEMORY) if captioner.chooser is not None else 0.0
        others = diverse(told.phrases(found.texts), found.total, how.candidates)[1:]
        memory: dict[str, float] = {}
        if found.recalled is not None:
            top = zip(found.recalled.texts[:SHOWN], found.recalled.support[:SHOWN], strict=True)
            memory = {told.said.texts[t]: float(s) for t, s in top}
        likely = sorted(found.written.values(), key=lambda c: -c.mean)[:SHOWN]
        return Caption(
            text=found.best, written=bool(found.texts) and bool(found.rows[0] < 0),
            others=tuple(found.texts[j] for j in others), confidence=confidence,
            abstained=confidence < least or not found.texts, gate=gate,
            scores=dict(zip(found.texts[:SHOWN], found.total[:SHOWN].tolist(), strict=True)),
            memory=memory, model={c.text: float(np.exp(c.mean)) for c in likely if c.mean <= 0},
            signals={n: float(v[0]) for n, v in found.scores.items() if len(v)},
            evidence=() if near is None else evidence_of(told, found, near, i, gate),
        )  # fmt: skip


def _check(k: int | None, retrieval: bool, vote_only: bool) -> None:
    if k is not None and k < 1:
        raise QueryError(f"k is {k}; it must be at least 1.")
    if vote_only and not retrieval:
        raise QueryError("Without retrieval there is no vote. Leave one of the two out.")


def _level(captioner: Captioner, retrieval: bool, vote_only: bool) -> str:
    if captioner.generator is None or vote_only:
        return "memory"
    return "both" if retrieval else "alone"
