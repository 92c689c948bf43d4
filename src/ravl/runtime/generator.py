"""The generator of an export: FusedGenerator in onnxruntime and NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array, Numbers
from ravl.errors import QueryError
from ravl.json_types import JsonRecord
from ravl.models.generation.base import (
    CONSTRAINTS,
    Candidate,
    Decoding,
    GenerationRequest,
    best_first,
)
from ravl.models.generation.reading import (
    FAINT,
    READ,
    CopyPrior,
    neighbours_of,
    padded,
    pictures_of,
    regions_of,
    words_of,
)
from ravl.models.generation.special_tokens import PAD
from ravl.models.generation.stream_cleanup import tidy
from ravl.retrieval.datastore import Ints
from ravl.runtime import names
from ravl.runtime.reader import near_inputs
from ravl.runtime.search import Written, beam_search, greedy, log_softmax, pieces, sample
from ravl.runtime.sessions import Session
from ravl.runtime.tokenizer import OnnxTokenizer, OnnxVocabulary

BATCH = 32  # requests per batch
# an incomplete character: some of its bytes are not generated yet
HALF = "\N{REPLACEMENT CHARACTER}"


class OnnxGenerator:
    """Writes texts about pictures with an exported generator; see FusedGenerator.

    Constraints (``require``, ``forbid``, ``nouns``, ``schema``, ``grammar``) are not supported, and
    sampled texts differ from those of torch.

    Args:
        folder: the folder of its files.
        about: its entry in the manifest.
        max_new_tokens: maximal number of tokens of a text, if the Decoding does not give it.
    """

    spec = "fused"

    def __init__(self, folder: Path, about: JsonRecord, max_new_tokens: int) -> None:
        self._read = Session(folder / f"{names.READ}.onnx")
        self._write = Session(folder / f"{names.WRITE}.onnx")
        self.vocabulary = OnnxVocabulary(folder)
        self.words = OnnxTokenizer(folder, READ, int(about["separator"]), int(about["unknown"]))
        self.evidence, self.regions = int(about["evidence"]), int(about["regions"])
        self.max_new_tokens = max_new_tokens
        self._copy_prior = CopyPrior(self.vocabulary.words_of, len(self.vocabulary))

    def __call__(
        self, requests: Sequence[GenerationRequest], how: Decoding | None = None
    ) -> list[list[Candidate]]:
        """Texts for each request, the most likely first; sampled texts do not depend on the batch.

        Raises:
            QueryError: constraints, which an export does not support.
        """
        how = how or Decoding()
        max_new_tokens = self._max_new_tokens(how)
        size = 1 if how.do_sample else BATCH
        found: list[list[Candidate]] = []
        for start in range(0, len(requests), size):
            some = requests[start : start + size]
            steps, count = _Cached(self._write, *self.read(some)), len(some)
            if how.do_sample:
                written = sample(steps, count, how, max_new_tokens, np.random.default_rng(how.seed))
            elif max(how.num_beams, how.num_return_sequences) == 1:
                written = greedy(steps, count, how, max_new_tokens)
            else:
                written = beam_search(steps, count, how, max_new_tokens)
            found += [
                best_first([self._candidate(text) for text in its], how.length_penalty)
                for its in written
            ]
        return found

    def stream(self, request: GenerationRequest, how: Decoding | None = None) -> Iterator[str]:
        """The text of one request, in pieces; greedy or sampled."""
        how = how or Decoding()
        max_new_tokens = self._max_new_tokens(how)
        chance = np.random.default_rng(how.seed) if how.do_sample else None

        def grown() -> Iterator[str]:
            sent = text = ""
            for ids in pieces(
                _Cached(self._write, *self.read([request])), how, max_new_tokens, chance
            ):
                text = self.vocabulary.text(ids)
                if not text.endswith(HALF):
                    yield text[len(sent) :]
                    sent = text
            yield text[len(sent) :]

        return tidy(grown(), line=False)

    def log_probabilities(
        self, requests: Sequence[GenerationRequest], texts: Sequence[Sequence[str]]
    ) -> list[list[Candidate]]:
        """Score given texts of each request as candidates, in their order."""
        found: list[list[Candidate]] = []
        for start in range(0, len(requests), BATCH):
            some = texts[start : start + BATCH]
            flat = [text for its in some for text in its]
            owners = np.repeat(np.arange(len(some)), [len(its) for its in some])
            rated = self._rated(self.read(requests[start : start + BATCH]), flat, owners)
            given = iter(rated)
            found += [[next(given) for _ in its] for its in some]
        return found

    def read(self, requests: Sequence[GenerationRequest]) -> tuple[Array, NDArray[np.bool_], Array]:
        """The inputs of the decoder: keys and values, their mask, and the copy prior."""
        session, count = self._read, len(requests)
        tokens = words_of(self.words, requests)
        if tokens is None or not tokens.shape[1]:
            tokens = np.full((count, 1), PAD, np.int64)
        inputs: dict[str, Numbers] = {"features": pictures_of(requests), "tokens": tokens}
        if self.evidence:
            widths = session.width("near_features"), session.width("near_texts")
            inputs |= near_inputs(neighbours_of(requests, self.evidence, *widths))
        if self.regions:
            inputs["regions"] = regions_of(requests, self.regions, session.width("regions"))
        read, there = session(**inputs)
        return read, there, np.log1p(self._copy_prior(requests) / np.float32(FAINT))

    def _rated(
        self, known: tuple[Array, NDArray[np.bool_], Array], texts: Sequence[str], owners: Ints
    ) -> list[Candidate]:
        """Texts, each with the request that it belongs to."""
        ids = self.vocabulary(texts, self.max_new_tokens)
        rated: list[Candidate] = []
        for start in range(0, len(texts), BATCH):
            part = slice(start, start + BATCH)
            lines, own = padded(ids[part]), owners[part]
            read, there, prior = known
            logits = _Cached(self._write, read[own], there[own], prior[own]).all(lines[:, :-1])
            targets = lines[:, 1:]
            logs = np.take_along_axis(log_softmax(logits), targets[:, :, None], 2)[:, :, 0]
            sums = np.where(targets != PAD, logs, 0).sum(1, dtype=np.float64)
            rated += [
                Candidate(text, min(float(log), 0.0), len(its) - 1)
                for text, log, its in zip(texts[part], sums, ids[part], strict=True)
            ]
        return rated

    def _max_new_tokens(self, how: Decoding) -> int:
        if not how.plain:
            usual = Decoding()
            asked = [n for n in CONSTRAINTS if getattr(how, n) != getattr(usual, n)]
            raise QueryError(
                f"An exported run cannot do {', '.join(asked)}. Leave this out, or use the "
                "original run."
            )
        return how.max_new_tokens or max(self.max_new_tokens, how.min_new_tokens)

    def _candidate(self, written: Written) -> Candidate:
        text = self.vocabulary.text(written.ids)
        probability = min(written.log_probability, 0.0)
        return Candidate("".join(tidy([text], line=False)), probability, len(written.ids))


class _Cached:
    """A decoder with a cache of keys and values; see Steps."""

    def __init__(
        self, session: Session, read: Array, there: NDArray[np.bool_], prior: Array
    ) -> None:
        self._session = session
        self._read, self._there, self._prior = read, there, prior
        shape = (*read.shape[:4], 0, read.shape[5])
        self._past: Numbers = np.zeros(shape, np.float32)

    def __call__(self, ids: Ints) -> Array:
        """Logits (n, W) of the next token, after one more token of each text, (n,)."""
        return self.all(ids[:, None])[:, -1]

    def all(self, ids: Ints) -> Array:
        """Logits (n, l, W) of the next token after each of l more tokens, (n, l)."""
        logits, self._past = self._session(
            ids=ids, past=self._past, read=self._read, there=self._there, prior=self._prior
        )
        return logits

    def keep(self, rows: Ints) -> None:
        """Continue with these texts."""
        self._past = self._past[rows]
        if len(rows) != len(self._there) or (rows != np.arange(len(rows))).any():
            self._read, self._there = self._read[rows], self._there[rows]
            self._prior = self._prior[rows]
