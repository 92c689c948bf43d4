"""The retriever: dense, keyword and fused search, filtered and exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Unpack, overload

from PIL import Image

from ravl.data.pictures import Picture
from ravl.errors import PictureError, QueryError
from ravl.retrieval.hits import Hits
from ravl.retrieval.options import Options, SearchOptions
from ravl.retrieval.query import Query, open_picture
from ravl.retrieval.search import Search
from ravl.store.collection import Collection
from ravl.threads import one_blas_thread

One = str | Picture | Query
Many = list[Any] | tuple[Any, ...]  # of One

DIVERSE_POOL = 5  # candidates for each hit wanted, when they must differ


class Retriever:
    """Finds rows of a memory.

    * ``dense`` compares vectors: finds what looks or means alike, whatever the words.
    * ``keyword`` compares words (BM25): finds names, numbers and languages the encoder cannot read.
    * ``fused`` asks for both, and for texts that mean alike, and merges the rankings.

    Args:
        memory: to search in.
    """

    def __init__(self, memory: Collection) -> None:
        self._memory = memory

    @overload
    def search(
        self, query: One | None = None, k: int = 10, **options: Unpack[SearchOptions]
    ) -> Hits: ...

    @overload
    def search(
        self,
        query: Many,
        k: int = 10,
        *,
        return_exceptions: Literal[False] = False,
        **options: Unpack[SearchOptions],
    ) -> list[Hits]: ...

    @overload
    def search(
        self,
        query: Many,
        k: int = 10,
        *,
        return_exceptions: bool,
        **options: Unpack[SearchOptions],
    ) -> list[Hits | PictureError]: ...

    def search(
        self,
        query: One | Many | None = None,
        k: int = 10,
        *,
        return_exceptions: bool = False,
        **options: Unpack[SearchOptions],
    ) -> Hits | list[Hits] | list[Hits | PictureError]:
        """The k best rows for a text, a picture, or both.

        Args:
            query: a text (a str is never taken for a file name), a picture (Path, bytes or PIL),
                a :class:`Query`, or a list of any of these, which is answered by a list of
                :class:`Hits` and costs far less than one call each.
            k: how many hits; fewer only if fewer rows match.
            return_exceptions: True for a :class:`~ravl.errors.PictureError` in the place of the
                hits of each query of a list whose picture cannot be read, instead of raising it.
            image: a picture to search with beside a text: path, bytes or PIL.
            like: id of a row to search with instead; it is not among the hits.
            weight: of the text against the picture, 0 to 1.
            mode: ``dense``, ``keyword``, ``fused``; ``auto`` is fused for a query with a text and
                dense for a picture alone.
            target: ``pictures``, or ``texts`` to get the texts that fit best.
            where: only rows that this filter lets through; see :mod:`ravl.store.filters`.
            exclude: ids that must not be among the hits.
            min_score: only hits with at least this score.
            diversity: 0 for the nearest ones; up to 1 for hits that differ from each other.
            collapse: True for only the best of each group of near-duplicates.
            hubness: strength, 0 to 2, of the correction for pictures that are near to all texts,
                and for texts that are near to all pictures; see :mod:`ravl.store.hubness`. None
                for the memory's own, 0 for none. It is for texts that look for pictures and
                pictures that look for texts, not for a text together with a picture. A hit's
                score is then the corrected one, and is what ``min_score`` looks at.
            exact: True to compare with all vectors also where there is an approximate index (see
                :meth:`ravl.memory.Memory.build_graphs`). With ``where`` all are compared anyway.
            rerank: looks at the best again where a text looks for pictures or a picture for texts:
                ``ravl.load("runs/match").reranker()``. A hit's score is then a mixture of both
                opinions, and is what ``min_score`` looks at. None for no reranking.

        Returns:
            :class:`Hits`, best first. Their ``exact`` says that no better one was overlooked.

        Raises:
            QueryError: nothing to search for, or an option out of its range.
            FilterError: ``where`` does not parse or names an unknown column.
            PictureError: a query picture cannot be read; of a list the message says which query's.
            RowNotFoundError: ``like`` is not in the memory.
            EncoderMismatchError: the encoder at hand is not the memory's.
        """
        image, like = options.pop("image", None), options.pop("like", None)
        weight = options.pop("weight", 0.5)
        chosen = Options(k=k, **options)  # type: ignore[misc]  # what is left are its fields
        if isinstance(query, list | tuple):
            queries = [_as_query(q, None, None, weight) for q in query]
            return self._search_each(queries, chosen, return_exceptions)
        return self._search([_as_query(query, image, like, weight)], chosen)[0]

    def _search_each(
        self, queries: list[Query], options: Options, return_exceptions: bool
    ) -> list[Hits | PictureError]:
        """Hits of each query, or why its picture cannot be read."""
        with self._memory.snapshot():
            opened = self._opened(queries) if options.mode != "keyword" else queries
            for i, query in enumerate(opened):
                if isinstance(query, PictureError) and not return_exceptions:
                    raise query.among(i, len(opened), "Query")
            sound = [query for query in opened if isinstance(query, Query)]
            found = iter(self._search(sound, options) if sound else ())
            return [q if isinstance(q, PictureError) else next(found) for q in opened]

    def _opened(self, queries: Sequence[Query]) -> list[Query | PictureError]:
        """Queries with their pictures opened."""
        size = self._memory.encoder_for().picture_size
        opened: list[Query | PictureError] = []
        for query in queries:
            try:
                image = None if query.image is None else open_picture(query.image, size)
                opened.append(query if image is None else replace(query, image=image))
            except PictureError as error:
                opened.append(error)
        return opened

    @one_blas_thread()
    def _search(self, queries: list[Query], options: Options) -> list[Hits]:
        if options.mode == "keyword" and any(q.text is None for q in queries):
            raise QueryError("Keyword search needs a text; a picture has no words.")
        with self._memory.snapshot():  # rows, words and vectors of one moment
            search = Search(self._memory, queries, options)
            spare = len(options.exclude) + any(q.like is not None for q in queries)
            depth = options.k * (DIVERSE_POOL if options.diversity else 1) + spare
            if options.rerank is not None:
                depth = max(depth, options.rerank.depth + spare)
            while True:
                answers = [search.pick(q, found) for q, found in search.candidates(depth)]
                if not options.collapse or all(len(hits) == options.k for hits in answers):
                    return answers
                # Collapsing near-duplicates can use up a whole ranking; then look deeper.
                if depth >= search.size():
                    return answers
                depth *= 4


def _as_query(query: object, image: Picture | str | None, like: str | None, weight: float) -> Query:
    if isinstance(query, Query):
        return query
    if query is None or isinstance(query, str):
        return Query(query, image, like, weight)
    if isinstance(query, Path | bytes | Image.Image) and image is None:
        return Query(None, query, like, weight)
    raise QueryError(
        f"A query is a text, a picture (Path, bytes or PIL), a Query, or a list of these; "
        f"not {type(query).__name__}."
    )
