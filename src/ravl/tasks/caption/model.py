"""Captions: pictures in, texts about them with evidence out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Unpack

from ravl.memory import Memory, Picture
from ravl.models.generation.base import Decoding, Generator
from ravl.retrieval.datastore import Ints
from ravl.runs.run import Run
from ravl.tasks.caption.predictor import Pictures
from ravl.tasks.caption.results import Caption
from ravl.tasks.caption.targets import CaptionTargets
from ravl.tasks.caption.writer import TextPipeline
from ravl.tasks.options import DecodingOptions


class CaptionPipeline(TextPipeline):
    """Writes captions from a memory; see :class:`TextPipeline`.

    Args:
        memory: to answer from.
        run: what was fitted; None for what the neighbours' texts agree with, without training.
        column: of the user's own that holds the texts, without a run; None for captions.
        generator: that writes, without a run or instead of the run's.

    Raises:
        DataError, EncoderError: the run's files are missing or damaged.
    """

    def __init__(
        self,
        memory: Memory,
        run: Run | None = None,
        *,
        column: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        self._column = column
        super().__init__(memory, run, generator=generator)

    def _usual_task(self, run: Run | None) -> CaptionTargets:
        """The task of a run, or of a memory alone."""
        if run is None:
            return CaptionTargets(self._column)
        return CaptionTargets(run.record["column"], bool(run.record["generated"]))

    def predict(
        self,
        pictures: Sequence[Picture | str],
        beside: Sequence[str] | None = None,  # noqa: ARG002 (nothing comes with the picture)
        *,
        k: int | None = None,
        retrieval: bool = True,
        vote_only: bool = False,
        abstain: float | None = None,
        how: Decoding | None = None,
        instruction: str = "",
        grounded: bool = False,
        **single: Unpack[DecodingOptions],
    ) -> list[Caption]:
        """A text for each picture, in one pass.

        Args:
            pictures: paths, bytes or PIL pictures.
            beside: None; pictures are described as they are.
            k: neighbours whose texts count; None for as many as were fitted.
            retrieval: False for the generator alone.
            vote_only: True for the memory's own texts alone.
            abstain: the share of texts that need not be good, such as 0.2; captions that are less
                sure than that are marked.
            how: the decoding; None for the run's usual.
            instruction: style, length or audience in words, for a generator that reads them.
            grounded: only nouns that the evidence has, or that the encoder is sure to see.
            **single: values of the decoding, such as ``num_beams=1``; see :class:`Decoding`.

        Raises:
            QueryError: k below 1, memory and generator both switched off, no calibrated
                confidence to abstain by, or the generator cannot do what ``how`` asks for.
            DataError: the memory has no texts.
            PictureError: a picture cannot be read.
        """
        predictor = self._allowed(k, retrieval, vote_only, instruction)
        if not pictures:
            return []
        seen = self._look(predictor, pictures)
        return self.write(
            seen,
            k=k,
            retrieval=retrieval,
            vote_only=vote_only,
            abstain=abstain,
            how=self.decoding(how, single),
            instruction=instruction,
            grounded=grounded,
        )

    def look(self, pictures: Sequence[Picture | str]) -> Pictures:
        """Pictures as they are described."""
        return self._look(self._ready()[0], pictures)

    def results(self, seen: Pictures, hidden: Sequence[Ints] | None = None) -> list[Caption]:
        """Answers as :meth:`predict` gives them to pictures that were looked at before.

        Args:
            seen: n pictures, by :meth:`look`, or by :meth:`seen` and :meth:`about`.
            hidden: for each the groups of rows that it must not see; None for none.
        """
        return self.write(seen, hidden=hidden)

    def stream(
        self,
        picture: Picture | str,
        beside: str | None = None,  # noqa: ARG002 (nothing comes with the picture)
        *,
        k: int | None = None,
        retrieval: bool = True,
        how: Decoding | None = None,
        instruction: str = "",
        **single: Unpack[DecodingOptions],
    ) -> Iterator[str]:
        """The generator's text of one picture, piece by piece as it is written.

        Nothing is chosen among candidates, which would have to be known to their ends.

        Raises:
            QueryError: there is no generator.
        """
        seen = self._look(self._writing(k, retrieval), [picture])
        return self._stream(seen, k, retrieval, self.decoding(how, single), instruction)
