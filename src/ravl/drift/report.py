"""What a comparison found, in figures and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import mannwhitneyu

from ravl.drift.permutation import member_table, permutation_test
from ravl.errors import DataError, QueryError
from ravl.json_types import JsonObject
from ravl.memory import Picture
from ravl.runs.answers import Answer
from ravl.runs.signals import ANSWERS, Signals, nearest

RATE = 0.05
FEWEST = 20  # pictures that can be compared at all
# What is called small, medium and large: of Cliff's delta (Romano et al. 2006), and of Cohen's w.
SIZES = {True: (0.147, 0.33, 0.474), False: (0.1, 0.3, 0.5)}
WORDS = ("negligible", "small", "medium", "large")
TITLES = {
    "similarity": "similarity of the nearest in the memory",
    "confidence": "confidence",
    "disagreement": "disagreement of vote and model",
    ANSWERS: "mix of answers",
}
CHANGES = {
    "similarity": ("further from the memory", "closer to the memory"),
    "confidence": ("answered less surely", "answered more surely"),
    "disagreement": ("vote and model agree more", "vote and model agree less"),
}
NAMED = 3  # answers whose share changed most


@dataclass(frozen=True, slots=True)
class Tested:
    """One signal, compared.

    Args:
        name: similarity, confidence, disagreement, or answers.
        p: how often chance alone gives any signal such a difference; adjusted for their number.
        effect: of a number Cliff's delta, -1 to 1: by how much more often a picture of now has
            the larger value than the smaller, against one of then. Of the answers Cohen's w, 0
            and above, less what chance gives.
        then: mean at fitting time; for the answers their shares.
        now: the same of the pictures.
        drifted: p is at most the rate.
    """

    name: str
    p: float
    effect: float
    then: float | Mapping[str, float]
    now: float | Mapping[str, float]
    drifted: bool

    @property
    def size(self) -> str:
        """negligible, small, medium or large."""
        limits = SIZES[self.name != ANSWERS]
        return WORDS[sum(abs(self.effect) >= limit for limit in limits)]

    @property
    def said(self) -> str:
        """What changed, in words."""
        if isinstance(self.then, Mapping) and isinstance(self.now, Mapping):
            then, now = self.then, self.now
            order = sorted(then, key=lambda name: -abs(now[name] - then[name]))[:NAMED]
            changes = [f"{n} {100 * then[n]:.0f} % → {100 * now[n]:.0f} %" for n in order]
            return ", ".join(changes)
        return f"{CHANGES[self.name][self.effect > 0]}: {self.then:.3f} → {self.now:.3f}"

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {
            "signal": self.name,
            "p": round(self.p, 5),
            "drifted": self.drifted,
            "effect": round(self.effect, 4),
            "size": self.size,
            "said": self.said,
            "then": _rounded(self.then),
            "now": _rounded(self.now),
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """A picture that was compared.

    Args:
        name: its file, or its place in the list.
        picture: as it was given.
        similarity: mean of its five nearest.
        answer: what the run says, with what was asked, and the neighbours as evidence.
    """

    name: str
    picture: Picture = field(repr=False)
    similarity: float
    answer: Answer = field(repr=False)

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        asked = self.answer.asked
        return {
            "picture": self.name,
            **({"asked": asked} if asked else {}),
            "similarity": round(self.similarity, 4),
            "answer": self.answer.said,
            "confidence": round(self.answer.confidence, 4),
            "nearest": [each.id for each in nearest(self.answer, NAMED)],
        }


@dataclass(frozen=True, eq=False)
class Drift:
    """Whether pictures differ from those of fitting time.

    Args:
        signals: each with what was found.
        rate: of false alarms, over all signals together.
        then, now: what was compared.
        furthest: pictures, those that the memory knows least first.
        notes: what should be known, in sentences.
    """

    signals: Sequence[Tested]
    rate: float
    then: Signals
    now: Signals
    furthest: Sequence[Asked] = ()
    notes: Sequence[str] = ()

    @property
    def drifted(self) -> bool:
        """Whether any signal differs beyond chance."""
        return any(tested.drifted for tested in self.signals)

    @property
    def p(self) -> float:
        """How often chance alone gives as much."""
        return min(tested.p for tested in self.signals)

    @property
    def said(self) -> str:
        """The outcome in a sentence."""
        count = f"{len(self.now):,} pictures against {len(self.then):,} of fitting time"
        if not self.drifted:
            return f"No drift beyond chance: {count}, p = {words_of(self.p)}."
        changed = [TITLES[t.name] for t in self.signals if t.drifted]
        return f"Drift: {count}; changed: {', '.join(changed)}."

    def to_json(self, furthest: int = 10) -> JsonObject:
        """As plain JSON types, with some of the pictures that the memory knows least."""
        return {
            "drifted": self.drifted,
            "p": round(self.p, 5),
            "rate": self.rate,
            "said": self.said,
            "pictures": len(self.now),
            "reference": len(self.then),
            "signals": [tested.to_json() for tested in self.signals],
            "furthest": [asked.to_json() for asked in self.furthest[:furthest]],
            "notes": list(self.notes),
        }


def compare_signals(then: Signals, now: Signals, rate: float = RATE, seed: int = 0) -> Drift:
    """Test all signals of two samples.

    Args:
        then: of fitting time.
        now: of the pictures in question.
        rate: how often there may be a false alarm, over all signals together.
        seed: of the permutations.

    Raises:
        DataError: there are too few pictures to compare.
        QueryError: the rate is no share.
    """
    check_rate(rate)
    for signals, which in ((then, "the reference has"), (now, "there are")):
        if len(signals) < FEWEST:
            raise DataError(
                f"{len(signals):,} pictures are too few to compare; {which} to be at least "
                f"{FEWEST}, and 200 tell much more."
            )
    found = permutation_test(then, now, seed=seed)
    return Drift(
        [_tested(name, p, then, now, rate) for name, (_, p) in found.items()], rate, then, now
    )


def check_rate(rate: float) -> None:
    """Refuse a rate that can never be held, or that always alarms.

    Raises:
        QueryError: it is not from 0.005 to 0.5.
    """
    if not 0.005 <= rate <= 0.5:
        raise QueryError(f"The rate is {rate:g}; it must be a share from 0.005 to 0.5, like 0.05.")


def words_of(p: float) -> str:
    """A p value as it is written."""
    return f"{p:.3f}" if p >= 0.001 else "below 0.001"


def _tested(name: str, p: float, then: Signals, now: Signals, rate: float) -> Tested:
    if name != ANSWERS:
        a, b = then.numbers[name], now.numbers[name]
        delta = 2 * float(mannwhitneyu(b, a).statistic) / (len(a) * len(b)) - 1
        return Tested(name, p, delta, float(a.mean()), float(b.mean()), p <= rate)
    table, names = member_table([*(then.answers or ()), *(now.answers or ())])
    a, b = table[: len(then)].mean(axis=0), table[len(then) :].mean(axis=0)
    m, n = len(then), len(now)
    both = table.mean(axis=0)
    square = ((a - b) ** 2 / np.maximum(both, 1e-9)).sum() * m * n / (m + n) ** 2
    # Hundreds of answers differ by chance alone; that much is taken off (Bergsma 2013).
    effect = float(np.sqrt(max(square - (1 - both).sum() / (m + n - 1), 0)))
    old, new = (dict(zip(names, part.tolist(), strict=True)) for part in (a, b))
    return Tested(name, p, effect, old, new, p <= rate)


def _rounded(value: float | Mapping[str, float]) -> float | dict[str, float]:
    if isinstance(value, Mapping):
        return {name: round(share, 4) for name, share in value.items()}
    return round(value, 4)
