"""Retrieval: what is found in a memory, and why."""

from ravl.retrieval.hits import Found, Hit, Hits
from ravl.retrieval.query import Query
from ravl.retrieval.retriever import Mode, Retriever, Target

__all__ = ["Found", "Hit", "Hits", "Mode", "Query", "Retriever", "Target"]
