"""Answers in words: exact match, overlap, agreement with people, similarity of meaning."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ravl.evaluation.generation import wordnet

NUMBERS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
)
DIGITS = {word: str(number) for number, word in enumerate(NUMBERS)} | {"none": "0"}
ARTICLES = {"a", "an", "the"}
# separates answers; not a thousands separator as in 1,000
LISTED = re.compile(r"\s*(?:[;，、；]|,(?!\d{3}(?!\d)))\s*")
WORD = re.compile(r"[^\W_]+(?:[.'’-][^\W_]+)*")
AGREED = 3  # number of people who must agree for the full score
PEOPLE = 3  # minimum number of people for this metric


def members(answer: str) -> frozenset[str]:
    """The listed answers, normalised: "A book, two Pens" is {book, 2 pens}.

    As in the VQA evaluation (Antol et al. 2015): case, articles, punctuation and underscores are
    ignored, and number words become digits.
    """
    plain = unicodedata.normalize("NFKC", answer).casefold().replace("_", " ")
    found = (
        " ".join(DIGITS.get(w, w) for w in WORD.findall(part) if w not in ARTICLES)
        for part in LISTED.split(plain)
    )
    return frozenset(part for part in found if part)


def exact(answers: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """1 for an answer that equals one of the references, as a set; otherwise 0, (n,)."""
    return np.array(
        [
            float(any(members(a) == members(r) for r in people) and bool(members(a)))
            for a, people in zip(answers, references, strict=True)
        ]
    )


def overlap(answers: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """F1 of the words of each answer and of its best reference, (n,).

    Rajpurkar et al. 2016, "SQuAD".
    """
    return np.array(
        [
            max((_f1(_words(a), _words(r)) for r in people), default=0.0)
            for a, people in zip(answers, references, strict=True)
        ]
    )


def agreed(answers: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """Soft accuracy of each answer, (n,) from 0 to 1 (Antol et al. 2015, "VQA").

    The mean of min(agreeing people / 3, 1) over all subsets without one person. With fewer than
    three people: 1 if anybody agrees.
    """
    found = np.zeros(len(answers))
    for i, (answer, people) in enumerate(zip(answers, references, strict=True)):
        own = members(answer)
        same = [bool(own) and members(r) == own for r in people]
        if len(people) < PEOPLE:
            found[i] = float(any(same))
            continue
        others = sum(same) - np.array(same, np.int64)
        found[i] = float(np.minimum(others / AGREED, 1).mean())
    return found


def wups(
    answers: Sequence[str], references: Sequence[Sequence[str]], threshold: float
) -> NDArray[np.float64]:
    """WUPS of each answer, (n,) from 0 to 1 (Malinowski & Fritz 2014).

    Sets of answers are compared by the similarity of their members in WordNet (Wu & Palmer 1994),
    in both directions: the smaller product counts. Similarity below the threshold is multiplied by
    0.1.

    Raises:
        DataError: WordNet is not installed, see :mod:`ravl.evaluation.generation.wordnet`.
    """
    return np.array(
        [
            max((_set_likeness(members(a), members(r), threshold) for r in people), default=0.0)
            for a, people in zip(answers, references, strict=True)
        ]
    )


def _set_likeness(some: frozenset[str], others: frozenset[str], threshold: float) -> float:
    if not some or not others:
        return 0.0

    def one_way(these: frozenset[str], those: frozenset[str]) -> float:
        found = 1.0
        for a in these:
            best = max(wordnet.similarity(a, b) for b in those)
            found *= best if best >= threshold else 0.1 * best
        return found

    return min(one_way(some, others), one_way(others, some))


def _words(answer: str) -> Counter[str]:
    return Counter(word for part in members(answer) for word in part.split())


def _f1(one: Counter[str], other: Counter[str]) -> float:
    shared = sum((one & other).values())
    return 2 * shared / (sum(one.values()) + sum(other.values())) if shared else 0.0
