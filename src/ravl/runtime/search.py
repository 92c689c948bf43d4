"""Decoding token by token in NumPy: greedy, sampled, and beam search.

The beam search equals that of `transformers` with its default settings (length-normalised; a text
is finished when its end is among the best beams; the search ends when no running beam can become
better than the worst finished one at its present length), so an export writes the same texts as the
run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.models.generation.base import Decoding
from ravl.models.generation.special_tokens import BEGIN, END
from ravl.retrieval.datastore import Ints

NEVER = -np.inf  # log probability of forbidden tokens
AFTER = np.float32(-1e9)  # score of an ended beam among the running ones


class Steps(Protocol):
    """A decoder with its texts so far."""

    def __call__(self, ids: Ints) -> Array:
        """Logits (n, W) of the next token, after one more token of each text, (n,)."""

    def keep(self, rows: Ints) -> None:
        """Continue with these texts, (n',): positions among the present texts, may repeat."""


@dataclass(frozen=True)
class Written:
    """One text.

    Args:
        ids: including the end token, if there is one.
        log_probability: of all ids together under the model.
    """

    ids: tuple[int, ...]
    log_probability: float


@dataclass
class _Beams:
    """The search for one request: running and ended beams, each best first."""

    running: list[tuple[float, tuple[int, ...]]]
    ended: list[tuple[float, Written]] = field(default_factory=list)
    open: bool = True


def beam_search(
    steps: Steps, count: int, how: Decoding, max_new_tokens: int
) -> list[list[Written]]:
    """The most likely texts of each of ``count`` requests, at most ``how.num_return_sequences``.

    Args:
        steps: with one text per request.
        count: b, the number of requests.
        how: the decoding.
        max_new_tokens: maximal number of tokens, including the end token.
    """
    n = max(how.num_beams, how.num_return_sequences)
    steps.keep(np.repeat(np.arange(count), n))
    first: list[tuple[float, tuple[int, ...]]] = [(0.0, ()), *[(float(AFTER), ())] * (n - 1)]
    searches = [_Beams(list(first)) for _ in range(count)]
    ids = np.full(count * n, BEGIN, np.int64)
    for length in range(1, max_new_tokens + 1):
        texts = [text for search in searches for _, text in search.running]
        logs = allowed(log_softmax(steps(ids)), texts, how, max_new_tokens).reshape(count, n, -1)
        sources = [
            _advance(search, own, n, length, length == max_new_tokens, how.length_penalty)
            for search, own in zip(searches, logs, strict=True)
        ]
        if length == max_new_tokens or not any(search.open for search in searches):
            break
        steps.keep(np.concatenate([np.array(s) + i * n for i, s in enumerate(sources)]))
        ids = np.array([text[-1] for s in searches for _, text in s.running], np.int64)
    return [[text for _, text in search.ended[: how.num_return_sequences]] for search in searches]


def _advance(
    search: _Beams, logs: Array, n: int, length: int, last: bool, penalty: float
) -> list[int]:
    """One step of a search; returns the parent beam of each running beam.

    Args:
        search: changed in place.
        logs: of each beam's next token, (n, W).
        n: the number of beams.
        length: tokens of the texts, including this one.
        last: no further token may follow.
        penalty: exponent of the length.
    """
    size = logs.shape[1]
    scores = np.array([score for score, _ in search.running], np.float32)
    total = (logs + scores[:, None]).ravel()
    best = np.argpartition(-total, min(2 * n, len(total)) - 1)[: 2 * n]
    best = best[np.argsort(-total[best], kind="stable")]
    found = [(float(total[j]), int(j) // size, int(j) % size) for j in best.tolist()]
    ends = [last or token == END for _, _, token in found]
    texts = [(*search.running[beam][1], token) for _, beam, token in found]
    if search.open:  # only beams that end among the best n count; the others are kept
        search.ended += [
            (score / length**penalty, Written(texts[i], score))
            for i, (score, _, _) in enumerate(found[:n])
            if ends[i]
        ]
        search.ended = sorted(search.ended, key=lambda pair: -pair[0])[:n]
    order = sorted(range(len(found)), key=lambda i: ends[i])[:n]  # running beams come first
    search.running = [(found[i][0] + float(AFTER) * ends[i], texts[i]) for i in order]
    if len(search.ended) == n:
        hope = search.running[0][0] / length**penalty
        search.open = search.open and hope > search.ended[-1][0]
    return [found[i][1] for i in order]


def greedy(steps: Steps, count: int, how: Decoding, max_new_tokens: int) -> list[list[Written]]:
    """The text of each request with the most likely token at each step."""
    return [[text] for text in list(_follow(steps, count, how, max_new_tokens, None))[-1]]


def sample(
    steps: Steps, count: int, how: Decoding, max_new_tokens: int, chance: np.random.Generator
) -> list[list[Written]]:
    """Sampled texts, ``how.num_return_sequences`` for each request."""
    steps.keep(np.repeat(np.arange(count), how.num_return_sequences))
    texts = list(_follow(steps, count * how.num_return_sequences, how, max_new_tokens, chance))[-1]
    return [
        texts[i : i + how.num_return_sequences]
        for i in range(0, len(texts), how.num_return_sequences)
    ]


def pieces(
    steps: Steps, how: Decoding, max_new_tokens: int, chance: np.random.Generator | None
) -> Iterator[tuple[int, ...]]:
    """The growing ids of one text, after each step."""
    for texts in _follow(steps, 1, how, max_new_tokens, chance):
        yield texts[0].ids


def _follow(
    steps: Steps, count: int, how: Decoding, max_new_tokens: int, chance: np.random.Generator | None
) -> Iterator[list[Written]]:
    """Texts that are generated in parallel, after each step."""
    texts: list[tuple[int, ...]] = [()] * count
    sums = np.zeros(count)
    ids = np.full(count, BEGIN, np.int64)
    for _ in range(max_new_tokens):
        own = log_softmax(steps(ids))
        logs = allowed(own.copy(), texts, how, max_new_tokens)
        ids = logs.argmax(1) if chance is None else _draw(logs, how, chance)
        for i, text in enumerate(texts):
            if not text or text[-1] != END:
                texts[i] = (*text, int(ids[i]))
                sums[i] += own[i, ids[i]]
        yield [Written(text, float(s)) for text, s in zip(texts, sums, strict=True)]
        if all(text[-1] == END for text in texts):
            return


def _draw(logs: Array, how: Decoding, chance: np.random.Generator) -> Ints:
    """One token of each text, (n,), by temperature and nucleus."""
    heated = log_softmax(logs / np.float32(how.temperature)).astype(np.float64)
    odds = np.exp(heated)
    if how.top_p < 1:
        order = np.argsort(odds, axis=1, kind="stable")  # ascending
        below = np.take_along_axis(odds, order, 1).cumsum(1)
        out = below <= 1 - how.top_p
        out[:, -1] = False
        np.put_along_axis(odds, order, np.where(out, 0, np.take_along_axis(odds, order, 1)), 1)
    sums = odds.cumsum(1)
    drawn = chance.random(len(odds)) * sums[:, -1]
    return np.array([np.searchsorted(s, d, "right") for s, d in zip(sums, drawn, strict=True)])


def allowed(
    logs: Array, texts: Sequence[tuple[int, ...]], how: Decoding, max_new_tokens: int
) -> Array:
    """Log probabilities (n, W), changed in place: forbidden tokens are excluded."""
    min_new_tokens = min(max(how.min_new_tokens, 1), max_new_tokens)
    for line, text in zip(logs, texts, strict=True):
        if len(text) < min_new_tokens:
            line[END] = NEVER
        if how.no_repeat_ngram_size and len(text) + 1 >= how.no_repeat_ngram_size:
            line[_repeating(text, how.no_repeat_ngram_size)] = NEVER
    return logs


def _repeating(text: tuple[int, ...], size: int) -> list[int]:
    """Tokens that would repeat an n-gram of this size."""
    head = text[len(text) - size + 1 :]
    return [
        text[i + size - 1] for i in range(len(text) - size + 1) if text[i : i + size - 1] == head
    ]


def log_softmax(logits: NDArray[np.floating[Any]]) -> Array:
    """Log probabilities, of the same shape, over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    found: Array = (shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))).astype(np.float32)
    return found
