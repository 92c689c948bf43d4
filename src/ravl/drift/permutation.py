"""The two-sample test: all signals at once, by permutation.

If nothing has changed, it is chance which pictures are called old and which new. So they are mixed
and shared out again many times, and what was seen is compared with what chance gives. That holds
whatever the signals' distributions and ties are. The p values are adjusted for the number of
signals by the least p value of each round (Westfall and Young 1993), which also knows that the
signals go together: the chance that *any* signal is called changed, where none is, is at most the
rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.runs.signals import ANSWERS, Signals

ROUNDS = 1999
TOGETHER = 250  # rounds that are computed in one go
DIGITS = 9  # of a statistic; equal values must stay equal

Flags = NDArray[np.bool_]
Numbers = NDArray[np.float64]
Statistic = Callable[[Flags], Numbers]  # of divisions (rounds, n), each True where new


def permutation_test(
    then: Signals, now: Signals, rounds: int = ROUNDS, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Statistic and adjusted p value of each signal that both samples have.

    The statistic of a number is Kolmogorov's and Smirnov's, that of the answers the chi-squared
    distance of their shares.

    Args:
        then: signals of the reference, n pictures.
        now: of the pictures in question, m of them.
        rounds: permutations; the least p value is about the number of signals / (rounds + 1).
        seed: of the permutations.
    """
    both = then.then(now)
    size, count = len(both), len(now)
    statistics = [_smirnov(values, count) for values in both.numbers.values()]
    names = [*both.numbers]
    if both.answers is not None:
        statistics.append(_chi_squared(member_table(both.answers)[0], count))
        names.append(ANSWERS)
    random = np.random.default_rng(seed)
    seen = np.zeros((1, size), bool)
    seen[0, len(then) :] = True
    parts = [[statistic(seen) for statistic in statistics]]
    for start in range(0, rounds, TOGETHER):
        flags = np.repeat(seen, min(TOGETHER, rounds - start), axis=0)
        flags = random.permuted(flags, axis=1)
        parts.append([statistic(flags) for statistic in statistics])
    table = np.hstack([np.stack(part) for part in parts]).round(DIGITS)  # (signals, 1 + rounds)
    p = np.stack([_shares_above(line) for line in table])
    least = p.min(axis=0)
    adjusted = [(least <= line[0]).mean() for line in p]
    return {
        name: (float(line[0]), float(value))
        for name, line, value in zip(names, table, adjusted, strict=True)
    }


def member_table(answers: Sequence[tuple[str, ...]]) -> tuple[Array, list[str]]:
    """Which answer each picture got, (n, C) of 0 and 1, and the C answers."""
    names = sorted({name for answer in answers for name in answer})
    places: Mapping[str, int] = {name: i for i, name in enumerate(names)}
    table = np.zeros((len(answers), len(names)), np.float32)
    for i, answer in enumerate(answers):
        table[i, [places[name] for name in answer]] = 1
    return table, names


def _smirnov(values: Array, count: int) -> Statistic:
    """The largest difference of two cumulative shares, for many divisions at once."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # the last of equal ones
    size = len(values)

    def statistic(flags: Flags) -> Numbers:
        new = flags[:, order].cumsum(axis=1, dtype=np.int32)[:, ends]
        # new / count - old / (size - count), where new + old = ends + 1
        gap = new * (size / (count * (size - count))) - (ends + 1) / (size - count)
        found: Numbers = np.abs(gap).max(axis=1)
        return found

    return statistic


def _chi_squared(table: Array, count: int) -> Statistic:
    """How far the shares of answers differ, each by how frequent it is."""
    totals, size = table.sum(axis=0), len(table)
    weights = size / np.maximum(totals, 1)

    def statistic(flags: Flags) -> Numbers:
        new = flags.astype(np.float32) @ table
        gap = new / count - (totals - new) / (size - count)
        found: Numbers = (gap**2 * weights).sum(axis=1).astype(np.float64)
        return found

    return statistic


def _shares_above(line: Numbers) -> Numbers:
    """For each number the share of all that are as large, itself included."""
    ascending = np.sort(line)
    return (len(line) - np.searchsorted(ascending, line, "left")) / len(line)
