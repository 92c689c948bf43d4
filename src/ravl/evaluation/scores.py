"""A number with its interval: bootstrap over groups of queries that belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ravl.errors import DataError

Statistic = Literal["mean", "median"]
Values = NDArray[np.floating] | NDArray[np.integer] | NDArray[np.bool_]
Groups = NDArray[Any]  # (q,) numbers or names; equal ones are one group
Weights = NDArray[np.float64]  # (n,) the count of each example in a sample: integers from 0
OfWeights = Callable[[Weights], float]
OfEach = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # weights (r, n) -> values (r,)

CONFIDENCE = 95  # ends of the interval, in percent
NOISE = 3  # a bias of the bootstrap below this many standard errors is ignored
DRAWS = 2_000_000  # group numbers drawn at once, to stay below 50 MB
AT_ONCE = 50_000  # numbers computed at once: arrays that stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Score:
    """A measured value with its 95 % interval.

    Args:
        value: measured on all queries.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    value: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """True if the interval excludes 0: the difference is significant."""
        return self.low > 0 or self.high < 0

    def to_json(self) -> dict[str, float]:
        """For result files, rounded to 6 decimal places."""
        return {k: round(getattr(self, k), 6) for k in ("value", "low", "high")}

    def percent(self) -> str:
        """A share in percent: ``25.1 % (22.9-27.3)``."""
        value, low, high = (f"{100 * x:.1f}" for x in (self.value, self.low, self.high))
        return f"{value} % ({_span(low, high)})"

    def __str__(self) -> str:
        """A number that is not a share: ``12 (9-14)``, ``0.345 (0.320-0.371)``."""
        numbers = (self.value, self.low, self.high)
        largest = max(abs(x) for x in numbers)
        digits = 0 if largest >= 100 else 1 if largest >= 10 else 2 if largest >= 1 else 3
        if all(float(x).is_integer() for x in numbers):
            digits = 0
        value, low, high = (f"{x:.{digits}f}" for x in numbers)
        return f"{value} ({_span(low, high)})"


@dataclass(frozen=True, slots=True)
class OfSamples:
    """A statistic that NumPy computes for many samples at once; called, it is one of one sample.

    Args:
        each: weights of r samples, (r, n) -> values, (r,).
        width: how many numbers it computes with for each sample, if that is more than n.
    """

    each: OfEach
    width: int = 0

    def __call__(self, weights: Weights) -> float:
        """Weights (n,) -> the value."""
        return float(self.each(weights[None])[0])

    def of_all(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights (r, n) -> values (r,), of as many samples at once as fit in memory."""
        step = max(1, AT_ONCE // max(self.width, weights.shape[1]))
        return np.concatenate(
            [self.each(weights[i : i + step]) for i in range(0, len(weights), step)]
        )


def bootstrap(
    values: Values,
    groups: Groups | None = None,
    statistic: Statistic = "mean",
    rounds: int = 1000,
    seed: int = 0,
) -> Score:
    """The statistic of all values, with its 95 % percentile bootstrap interval.

    Whole groups are drawn with replacement (the cluster bootstrap: Field & Welsh, "Bootstrapping
    clustered data", J. R. Statist. Soc. B 69, 2007): five captions of one picture are not five
    independent queries, and drawing them one by one would make the interval too narrow.

    Args:
        values: one per query, (q,).
        groups: the group of each query, (q,); None if each query is its own group.
        statistic: "mean" or "median" over the queries.
        rounds: the number of bootstrap samples.
        seed: of the random samples; the same seed and groups give the same samples.

    Raises:
        DataError: no values, a value that is not finite, or different numbers of groups and values.
    """
    numbers = _checked(values, groups)
    drawn = _replicates(numbers, groups, statistic, rounds, seed)
    return _score(_whole(numbers, statistic), drawn)


def paired_difference(
    after: Values,
    before: Values,
    groups: Groups | None = None,
    statistic: Statistic = "mean",
    rounds: int = 1000,
    seed: int = 0,
) -> Score:
    """The statistic after minus the statistic before, for the same queries in the same order.

    Both are sampled together, so the difficulty of a query cancels out, and the interval is
    narrower than the two single intervals suggest. For the median it is the difference of the
    medians.

    Args:
        after: one value per query, (q,).
        before: the values of the same queries, (q,).
        groups: as in :func:`bootstrap`, like the other arguments.

    Raises:
        DataError: as :func:`bootstrap`, and if the two have different lengths.
    """
    new, old = _checked(after, groups), _checked(before, groups)
    if len(new) != len(old):
        raise DataError(
            f"A paired difference needs the same queries twice, "
            f"but there are {len(new)} values after and {len(old)} before."
        )
    # The same seed gives the same samples, so the replicates are paired.
    drawn = _replicates(new, groups, statistic, rounds, seed)
    drawn = drawn - _replicates(old, groups, statistic, rounds, seed)
    return _score(_whole(new, statistic) - _whole(old, statistic), drawn)


def bootstrap_of(
    statistic: OfWeights,
    count: int,
    groups: Groups | None = None,
    rounds: int = 300,
    seed: int = 0,
    within: tuple[float, float] = (-np.inf, np.inf),
) -> Score:
    """Any statistic of n examples, with its interval; :func:`bootstrap` is for means and medians.

    The statistic gets the count of each example instead of the drawn examples, so it can sort the
    examples once for all rounds. Statistics such as the average precision are biased upwards in
    small samples, and even more in bootstrap samples; the interval is corrected for that bias
    (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 10).

    Args:
        statistic: weights (n,) -> value of the sample that contains example i weights[i] times. NaN
            if the value is not defined, such as an area under the curve without negatives; the
            interval is computed from the other samples. An :class:`OfSamples` is much faster.
        count: n, the number of examples; their value has all weights 1.
        groups: the group of each example, (n,); None if each example is its own group.
        rounds: the number of bootstrap samples.
        seed: as in :func:`bootstrap`.
        within: minimum and maximum of the statistic, and so of the interval.

    Raises:
        DataError: no examples, a different number of groups, or a value that is not finite.
    """
    if count < 1:
        raise DataError("There is no score without examples.")
    members = _members(groups, count)
    value = float(statistic(np.ones(count)))
    drawn = np.concatenate([_of(statistic, w) for w in _weights(members, rounds, seed)])
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not len(drawn):
        raise DataError("A score of these examples is not a finite number.")
    return _unbiased(value, drawn, *within)


def difference_of(
    after: OfWeights,
    before: OfWeights,
    count: int,
    groups: Groups | None = None,
    rounds: int = 300,
    seed: int = 0,
) -> Score:
    """One statistic minus another for the same examples, with paired samples.

    Args:
        after: as the statistic of :func:`bootstrap_of`, like the other arguments.
        before: the statistic to subtract.

    Raises:
        DataError: as there.
    """

    def each(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return _of(after, weights) - _of(before, weights)

    return bootstrap_of(OfSamples(each), count, groups, rounds, seed)


def _of(statistic: OfWeights, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of samples, (r, n) -> values, (r,)."""
    if isinstance(statistic, OfSamples):
        return statistic.of_all(weights)
    return np.array([statistic(one) for one in weights])


def _checked(values: Values, groups: Groups | None) -> NDArray[np.float64]:
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1 or not len(numbers):
        raise DataError("There is no score without queries: one value per query is needed.")
    if not np.isfinite(numbers).all():
        raise DataError("A score of a query is not a finite number.")
    if groups is not None and len(groups) != len(numbers):
        raise DataError(f"{len(numbers)} queries have {len(groups)} groups; each needs one.")
    return numbers


def _members(groups: Groups | None, count: int) -> NDArray[np.int64]:
    """The number (n,) of each example's group."""
    if groups is None:
        return np.arange(count)
    if len(groups) != count:
        raise DataError(f"{count} examples have {len(groups)} groups; each needs one.")
    return np.unique(groups, return_inverse=True)[1]


def _whole(values: NDArray[np.float64], statistic: Statistic) -> float:
    return float(np.mean(values) if statistic == "mean" else np.median(values))


def _score(value: float, drawn: NDArray[np.float64]) -> Score:
    rest = (100 - CONFIDENCE) / 2
    low, high = np.percentile(drawn, [rest, 100 - rest])
    return Score(value, float(low), float(high))


def _unbiased(value: float, drawn: NDArray[np.float64], least: float, most: float) -> Score:
    """The percentile interval, shifted by twice the bias; it contains the value.

    Twice, because the bootstrap samples differ from the value by the bias, and the value differs
    from the truth by the same amount. A bias within the sampling noise is ignored: means stay as in
    bootstrap().
    """
    score = _score(value, drawn)
    bias = float(drawn.mean()) - value
    if abs(bias) <= NOISE * float(drawn.std()) / len(drawn) ** 0.5:
        bias = 0.0
    low, high = np.clip([score.low - 2 * bias, score.high - 2 * bias], least, most)
    return Score(value, min(float(low), value), max(float(high), value))


def _replicates(
    values: NDArray[np.float64],
    groups: Groups | None,
    statistic: Statistic,
    rounds: int,
    seed: int,
) -> NDArray[np.float64]:
    """The statistic (rounds,) of bootstrap samples of whole groups."""
    members = _members(groups, len(values))
    count = int(members.max()) + 1
    of_draws = (_means if statistic == "mean" else _medians)(values, members, count)
    return np.concatenate([of_draws(draws) for draws in _draws(count, rounds, seed)])


def _draws(count: int, rounds: int, seed: int) -> Iterator[NDArray[np.int32]]:
    """Numbers of the groups of each sample, (r, count), in blocks that fit in memory."""
    random = np.random.default_rng(seed)
    step = max(1, DRAWS // count)
    for i in range(0, rounds, step):
        yield random.integers(0, count, (min(step, rounds - i), count), np.int32)


def _weights(members: NDArray[np.int64], rounds: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """The count of each example in each sample of whole groups, (r, n), in blocks."""
    count = int(members.max()) + 1
    step = max(1, AT_ONCE // count)
    for draws in _draws(count, rounds, seed):
        for i in range(0, len(draws), step):
            some = draws[i : i + step]
            numbers = some + count * np.arange(len(some))[:, None]
            counts = np.bincount(numbers.ravel(), minlength=numbers.size).reshape(some.shape)
            yield np.take(counts, members, axis=1).astype(np.float64)


OfDraws = Callable[[NDArray[np.int32]], NDArray[np.float64]]


def _means(values: NDArray[np.float64], members: NDArray[np.int64], count: int) -> OfDraws:
    """Drawn groups (r, g) -> means (r,); a group counts by its sum and its size."""
    sums = np.bincount(members, values, count)
    sizes = np.bincount(members, minlength=count)
    if sizes.min() == sizes.max():
        total = int(sizes[0]) * count
        return lambda draws: sums[draws].sum(axis=1) / total
    return lambda draws: sums[draws].sum(axis=1) / sizes[draws].sum(axis=1)


def _medians(values: NDArray[np.float64], members: NDArray[np.int64], count: int) -> OfDraws:
    """Drawn groups (r, g) -> medians (r,), without sorting again: the order stays, counts vary."""
    order = np.argsort(values, kind="stable")
    ordered, owner = values[order], members[order]

    def one(draw: NDArray[np.int32]) -> float:
        until = np.cumsum(np.bincount(draw, minlength=count)[owner])  # (q,) copies up to each value
        size = int(until[-1])
        middle = np.searchsorted(until, [(size - 1) // 2, size // 2], side="right")
        return float(ordered[middle].mean())

    return lambda draws: np.array([one(draw) for draw in draws])


def _span(low: str, high: str) -> str:
    return f"{low} to {high}" if "-" in low + high else f"{low}-{high}"
