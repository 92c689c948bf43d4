"""Metrics as entries of a registry: ``KIND.NAME``, the builtin ones and those of packages.

The kind says which outputs a metric measures: ``multiclass``, ``multilabel`` and ``binary``
take :class:`ravl.evaluation.outputs.Outputs`; ``captions`` and ``answers`` take
:class:`ravl.evaluation.generation.outputs.TextOutputs`. A metric is loaded only for its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ravl import plugins
from ravl.errors import PluginError
from ravl.evaluation.scores import OfSamples, OfWeights

Measured = TypeVar("Measured")  # Outputs or TextOutputs


@dataclass(frozen=True)
class Metric(Generic[Measured]):
    """One metric of one kind of outputs.

    Args:
        of: takes the outputs of n examples, and returns the metric as a function of weights (n,):
            how often each example counts in a sample of the bootstrap. See :func:`mean_of`. None
            where the metric is not defined for these outputs.
        higher_is_better: False for a loss.
        percent: the metric is a share, 0 to 1, which people read in percent.
        bounds: the least and the most that the metric can be.
    """

    of: Callable[[Measured], OfWeights | None]
    higher_is_better: bool = True
    percent: bool = True
    bounds: tuple[float, float] = (0.0, 1.0)


def mean_of(values: NDArray[np.floating]) -> OfSamples:
    """The weighted mean of one value for each example, (n,)."""
    return OfSamples(lambda weights: weights @ values / weights.sum(axis=1))


def builtin_metrics(kind: str) -> dict[str, Metric[Measured]]:
    """The metrics that ravl has for a kind of outputs, by name."""
    return _loaded(kind, plugins.BUILTIN[plugins.METRICS])


def metrics_of(kind: str) -> dict[str, Metric[Measured]]:
    """All metrics for a kind of outputs, by name: those of ravl, then those of packages.

    Raises:
        PluginError: one of a package cannot be imported, or is not a :class:`Metric`.
    """
    return _loaded(kind, plugins.names(plugins.METRICS))


def defined(
    metrics: dict[str, Metric[Measured]], outputs: Measured
) -> dict[str, tuple[Metric[Measured], OfWeights]]:
    """Those that are defined for these outputs, each with its function of weights."""
    found = {name: (metric, metric.of(outputs)) for name, metric in metrics.items()}
    return {name: (metric, of) for name, (metric, of) in found.items() if of is not None}


def added_names() -> tuple[str, ...]:
    """Names of metrics that packages add, whatever their kind: tables show them last."""
    builtin = plugins.BUILTIN[plugins.METRICS]
    added = (name for name in plugins.names(plugins.METRICS) if name not in builtin)
    return tuple(dict.fromkeys(name.partition(".")[2] for name in added))


def is_percent(name: str) -> bool:
    """Whether a metric, by its name without the kind, is a share that people read in percent."""
    metric = _named(name)
    return name == "valid" if metric is None else metric.percent


def lower_is_better(name: str) -> bool:
    """Whether less of a metric, by its name without the kind, is better."""
    metric = _named(name)
    return metric is not None and not metric.higher_is_better


def _named(name: str) -> Metric[object] | None:
    """The metric of that name, of the first kind that has one; no other is loaded."""
    for full in plugins.names(plugins.METRICS):
        kind, _, short = full.partition(".")
        if short == name:
            found: dict[str, Metric[object]] = _loaded(kind, [full])
            return found[name]
    return None


def _loaded(kind: str, names: Iterable[str]) -> dict[str, Metric[Measured]]:
    found: dict[str, Metric[Measured]] = {}
    for full in names:
        of, _, name = full.partition(".")
        if of != kind:
            continue
        metric = plugins.load(plugins.METRICS, full)
        if not isinstance(metric, Metric):
            raise PluginError(
                f"The plug-in for metrics named {full!r} is {metric!r}; it must be a "
                "ravl.evaluation.Metric. Ask its author to correct the entry point."
            )
        found[name] = metric
    return found
