"""How good a search is: ranks of what should be found, and how sure each number is."""

from ravl.evaluation.retrieval import (
    precision_at,
    ranks_of_relevant,
    retrieval_differences,
    retrieval_scores,
)
from ravl.evaluation.scores import Score, Statistic, bootstrap, paired_difference

__all__ = [
    "Score",
    "Statistic",
    "bootstrap",
    "paired_difference",
    "precision_at",
    "ranks_of_relevant",
    "retrieval_differences",
    "retrieval_scores",
]
