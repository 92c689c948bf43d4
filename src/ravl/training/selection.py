"""The choice among the levels of a fit."""

from __future__ import annotations

from collections.abc import Mapping

from ravl.encoders.base import Array
from ravl.evaluation import PRIMARY, OutputKind, compare, values
from ravl.evaluation.outputs import Targets, Thresholds
from ravl.evaluation.scores import Groups


def one_se_rule(
    kind: OutputKind,
    found: Mapping[str, tuple[Array, Thresholds | None]],
    truth: Targets,
    groups: Groups | None = None,
) -> tuple[str, dict[str, float]]:
    """The first level whose score is within half a standard error of the best, and all scores.

    Args:
        kind: of the outputs.
        found: probabilities and thresholds of each level, the simplest first.
        truth: as :func:`ravl.evaluation.measure` takes it, like ``groups``.
    """
    scores = {
        name: values(kind, p, truth, thresholds=limits).get(PRIMARY[kind], 0.0)
        for name, (p, limits) in found.items()
    }
    best = max(scores, key=lambda name: scores[name])
    for name in found:
        if name == best or scores[best] - scores[name] <= _half_error(
            kind, found[best][0], found[name][0], truth, groups
        ):
            return name, scores
    return best, scores


def _half_error(
    kind: OutputKind, after: Array, before: Array, truth: Targets, groups: Groups | None
) -> float:
    """Half a standard error of the difference of two rows' scores."""
    difference = compare(kind, after, before, truth, groups=groups)[PRIMARY[kind]]
    return (difference.high - difference.low) / (2 * 1.96) / 2
