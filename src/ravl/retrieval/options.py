"""How to search: the options, their defaults and their bounds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict, get_args

from ravl.data.pictures import Picture
from ravl.errors import QueryError
from ravl.store.hubness import check_strength

if TYPE_CHECKING:
    from ravl.retrieval.reranking import Reranker

Mode = Literal["auto", "dense", "keyword", "fused"]
Target = Literal["pictures", "texts"]

MOST = 10_000  # hits a search may ask for


class QueryOptions(TypedDict, total=False):
    """Keywords of a search, here or by a server; :meth:`Retriever.search` explains each."""

    image: Picture | str | None
    like: str | None
    weight: float
    mode: Mode
    target: Target
    where: str | None
    exclude: Collection[str]
    min_score: float | None
    diversity: float
    collapse: bool
    hubness: float | None
    exact: bool


class SearchOptions(QueryOptions, total=False):
    """Keywords of :meth:`ravl.retrieval.Retriever.search`, which explains each."""

    rerank: Reranker | None


@dataclass(frozen=True, slots=True)
class Options:
    """How to search; see :meth:`Retriever.search`."""

    k: int = 10
    mode: Mode = "auto"
    target: Target = "pictures"
    where: str | None = None
    exclude: Collection[str] = ()
    min_score: float | None = None
    diversity: float = 0.0
    collapse: bool = False
    hubness: float | None = None
    exact: bool = False
    rerank: Reranker | None = None

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, int) or not 1 <= self.k <= MOST:
            raise QueryError(f"k is {self.k!r}; it must be a whole number from 1 to {MOST:,}.")
        for name, value, allowed in (
            ("mode", self.mode, get_args(Mode)),
            ("target", self.target, get_args(Target)),
        ):
            if value not in allowed:
                raise QueryError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}.")
        if not 0 <= self.diversity <= 1:
            raise QueryError(f"diversity is {self.diversity:g}; it must lie between 0 and 1.")
        if self.hubness is not None:
            check_strength(self.hubness)
        if self.target == "texts" and self.mode in ("keyword", "fused"):
            raise QueryError(
                "Texts are searched by meaning only; use mode dense, or search pictures."
            )
