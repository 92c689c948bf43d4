"""Retrieval: what is found in a memory, and why."""

from ravl.retrieval.hits import Found, Hit, Hits
from ravl.retrieval.options import Mode, SearchOptions, Target
from ravl.retrieval.query import Query
from ravl.retrieval.retriever import Retriever

__all__ = ["Found", "Hit", "Hits", "Mode", "Query", "Retriever", "SearchOptions", "Target"]
