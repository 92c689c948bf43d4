"""The rows that the report of every fit has, and the differences between them."""

from __future__ import annotations

ROWS = ("zero_shot", "question_only", "vote", "no_retrieval", "with_retrieval")
DIFFERENCES = (
    ("with_retrieval", "no_retrieval"),
    ("with_retrieval", "vote"),
    ("no_retrieval", "zero_shot"),
    ("no_retrieval", "question_only"),
    ("retrieval_on", "retrieval_off"),
    ("retrieval_on", "retrieval_shuffled"),
    ("fusion", "fusion_off"),
    ("vote", "vote_human"),
)
