"""Metrics of searches and answers, with intervals."""

from ravl.evaluation.answers import PRIMARY, compare, measure, values
from ravl.evaluation.calibration import Bin, calibration_curve
from ravl.evaluation.metrics import (
    Metric,
    added_names,
    is_percent,
    lower_is_better,
    mean_of,
    metrics_of,
)
from ravl.evaluation.outputs import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    OutputKind,
    Outputs,
    confidences,
)
from ravl.evaluation.reports import LabelScore, confusion, per_label, text_report
from ravl.evaluation.retrieval import (
    early_recall,
    precision_at,
    ranks_of_relevant,
    retrieval_differences,
    retrieval_scores,
)
from ravl.evaluation.scores import (
    OfSamples,
    Score,
    Statistic,
    bootstrap,
    bootstrap_of,
    difference_of,
    paired_difference,
)

__all__ = [
    "BINARY",
    "MULTICLASS",
    "MULTILABEL",
    "PRIMARY",
    "Bin",
    "LabelScore",
    "Metric",
    "OfSamples",
    "OutputKind",
    "Outputs",
    "Score",
    "Statistic",
    "added_names",
    "bootstrap",
    "bootstrap_of",
    "calibration_curve",
    "compare",
    "confidences",
    "confusion",
    "difference_of",
    "early_recall",
    "is_percent",
    "lower_is_better",
    "mean_of",
    "measure",
    "metrics_of",
    "paired_difference",
    "per_label",
    "precision_at",
    "ranks_of_relevant",
    "retrieval_differences",
    "retrieval_scores",
    "text_report",
    "values",
]
