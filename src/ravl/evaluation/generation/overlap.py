"""Overlap of words: BLEU, ROUGE-L, and the diversity of texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ravl.evaluation.generation.words import LONGEST, Phrase, phrases, words_of
from ravl.evaluation.scores import OfSamples, OfWeights

BETA = 1.2  # beta of ROUGE-L: recall counts slightly more
TINY, SMALL = 1e-15, 1e-9  # of the COCO evaluation: an empty text scores 0 instead of undefined


def bleu(written: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, OfWeights]:
    """BLEU-1 to BLEU-4 of a whole set, 0 to 1 (Papineni et al. 2002).

    The brevity penalty uses the length of the closest reference, as in the COCO evaluation.

    Args:
        written: n texts.
        references: texts of people for each.
    """
    count = len(written)
    hits, totals = np.zeros((count, LONGEST)), np.zeros((count, LONGEST))
    lengths, wanted = np.zeros(count), np.zeros(count)
    for i, (text, people) in enumerate(zip(written, references, strict=True)):
        words, theirs = words_of(text), [words_of(r) for r in people]
        lengths[i] = len(words)
        wanted[i] = min((abs(len(r) - len(words)), len(r)) for r in theirs)[1]
        most: dict[Phrase, int] = {}
        for reference in theirs:
            for phrase, times in phrases(reference).items():
                most[phrase] = max(most.get(phrase, 0), times)
        for phrase, times in phrases(words).items():
            hits[i, len(phrase) - 1] += min(times, most.get(phrase, 0))
        totals[i] = np.maximum(len(words) - np.arange(LONGEST), 0)

    def of_order(n: int) -> OfWeights:
        def score(weights: NDArray[np.float64]) -> NDArray[np.float64]:
            right = weights @ hits[:, :n] + TINY
            length = weights @ totals[:, :n] + SMALL
            mean: NDArray[np.float64] = np.exp(np.log(right / length).mean(axis=1))
            ratio = (weights @ lengths + TINY) / (weights @ wanted + SMALL)
            return mean * np.exp(np.minimum(1 - 1 / ratio, 0))

        return OfSamples(score)

    return {f"BLEU-{n}": of_order(n) for n in range(1, LONGEST + 1)}


def rouge(written: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """ROUGE-L of each text, (n,), 0 to 1 (Lin 2004): the longest common subsequence of words.

    The best precision and the best recall among the references, as in the COCO evaluation.
    """
    found = np.zeros(len(written))
    for i, (text, people) in enumerate(zip(written, references, strict=True)):
        words = words_of(text)
        common = [(_common(words, theirs), len(theirs)) for r in people if (theirs := words_of(r))]
        if not words or not common:
            continue
        precision = max(c / len(words) for c, _ in common)
        recall = max(c / length for c, length in common)
        if precision and recall:
            found[i] = (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)
    return found


def distinct(written: Sequence[str]) -> dict[str, OfWeights]:
    """Share of distinct words, and of distinct word pairs, in all texts (Li et al.

    2016, "A Diversity-Promoting Objective Function"): near 0 for a generator that always writes the
    same text.
    """
    by_order: dict[int, list[list[Phrase]]] = {1: [], 2: []}
    for text in written:
        found = phrases(words_of(text))
        for n, lists in by_order.items():
            lists.append([p for p, times in found.items() if len(p) == n for _ in range(times)])
    return {f"distinct-{n}": _different(lists) for n, lists in by_order.items()}


def _different(lists: list[list[Phrase]]) -> OfWeights:
    places: dict[Phrase, int] = {}
    ids = [np.array([places.setdefault(p, len(places)) for p in its], np.int64) for its in lists]
    owners = np.repeat(np.arange(len(ids)), [len(its) for its in ids])
    flat = np.concatenate([np.zeros(0, np.int64), *ids])
    if not len(flat):
        return OfSamples(lambda weights: np.zeros(len(weights)))
    order = np.argsort(flat, kind="stable")
    starts = np.flatnonzero(np.diff(flat[order], prepend=-1))  # of the copies of each phrase
    owners = owners[order]

    def score(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn = np.take(weights, owners, axis=1)
        there = np.logical_or.reduceat(drawn > 0, starts, axis=1)
        different: NDArray[np.float64] = there.sum(axis=1) / np.maximum(drawn.sum(axis=1), 1)
        return different

    return OfSamples(score, len(flat))


def _common(one: list[str], other: list[str]) -> int:
    """Length of the longest common subsequence."""
    line = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for j, theirs in enumerate(other, 1):
            kept = line[j]
            line[j] = before + 1 if word == theirs else max(line[j], line[j - 1])
            before = kept
    return line[-1]
