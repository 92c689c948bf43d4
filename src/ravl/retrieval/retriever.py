"""The retriever: dense, keyword and fused search, filtered and exact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack, overload

import numpy as np
from PIL import Image

from ravl.data.pictures import Picture
from ravl.encoders.base import Array
from ravl.errors import QueryError
from ravl.retrieval.hits import Hit, Hits
from ravl.retrieval.options import Options, SearchOptions
from ravl.retrieval.query import Query, embed_queries
from ravl.retrieval.ranking import Ranked, diversify, fuse, ranking, telling
from ravl.retrieval.reranking import Reranker
from ravl.store import keywords as words
from ravl.store import rows as store
from ravl.store.collection import Collection
from ravl.store.row import Row
from ravl.store.spaces import TEXT_BITS, current_space, read_vectors
from ravl.store.top_k import top_k
from ravl.store.vectors import Vectors
from ravl.timing import step

One = str | Picture | Query
Many = list[Any] | tuple[Any, ...]  # of One

FUSED_DEPTH = 100  # candidates from each ranking, at least
DIVERSE_POOL = 5  # candidates for each hit wanted, when they shall differ


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
    def search(self, query: Many, k: int = 10, **options: Unpack[SearchOptions]) -> list[Hits]: ...

    def search(
        self, query: One | Many | None = None, k: int = 10, **options: Unpack[SearchOptions]
    ) -> Hits | list[Hits]:
        """The k best rows for a text, a picture, or both.

        Args:
            query: a text (a str is never taken for a file name), a picture (Path, bytes or PIL),
                a :class:`Query`, or a list of any of these, which is answered by a list of
                :class:`Hits` and costs far less than one call each.
            k: how many hits; fewer only if fewer rows match.
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
            rerank: looks at the best again where a text looks for pictures or a picture for texts:
                ``ravl.load("runs/match").reranker()``. A hit's score is then a mixture of both
                opinions, and is what ``min_score`` looks at. None for no second look.

        Returns:
            :class:`Hits`, best first; exact: nothing that scores higher was overlooked.

        Raises:
            QueryError: nothing to search for, or an option out of its range.
            FilterError: ``where`` does not parse or names an unknown column.
            PictureError: a query picture cannot be read.
            RowNotFoundError: ``like`` is not in the memory.
            EncoderMismatchError: the encoder at hand is not the memory's.
        """
        image, like = options.pop("image", None), options.pop("like", None)
        weight = options.pop("weight", 0.5)
        chosen = Options(k=k, **options)  # type: ignore[misc]  # what is left are its fields
        if isinstance(query, list | tuple):
            return self._search([_as_query(q, None, None, weight) for q in query], chosen)
        return self._search([_as_query(query, image, like, weight)], chosen)[0]

    def _search(self, queries: list[Query], options: Options) -> list[Hits]:
        if options.mode == "keyword" and any(q.text is None for q in queries):
            raise QueryError("Keyword search needs a text; a picture has no words.")
        with self._memory.snapshot():  # rows, words and vectors of one moment
            search = _Search(self._memory, queries, options)
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


class _Search:
    """One batch of queries with the same options, at one moment of the memory."""

    def __init__(self, memory: Collection, queries: list[Query], options: Options) -> None:
        self._memory = memory
        self._queries = queries
        self._options = options
        self._connection = memory.database.connection
        self._allowed = memory.matching(options.where) if options.where is not None else None
        self._excluded = {
            row.number
            for row in store.find_rows(self._connection, options.exclude, memory.folder).values()
        }
        if options.mode != "keyword":
            kind = "vectors" if options.target == "pictures" else "text_vectors"
            self._vectors = memory.vectors(kind)
            self._embedded, self._features = embed_queries(memory, queries, self._vectors)
            strength = memory.hubness if options.hubness is None else options.hubness
            self._corrected = [i for i, q in enumerate(queries) if strength and self._crosses(q)]
            self._offset: Array | None = None
            if self._corrected:
                self._offset = -np.float32(strength) * memory.hub_scores(kind, self._vectors)

    def _crosses(self, query: Query) -> bool:
        """True for a text that looks for pictures, or a picture for texts: what hubs disturb."""
        return not query.pictured if self._options.target == "pictures" else query.text is None

    def size(self) -> int:
        """More candidates than this there cannot be."""
        texts = len(self._vectors.keys) if self._options.target == "texts" else 0
        return max(texts, self._memory.count())

    @step("retrieve")
    def candidates(self, depth: int) -> list[tuple[Query, list[Ranked]]]:
        """At least ``depth`` candidates for each query, best first, or all that there are."""
        mode = self._options.mode
        if mode == "keyword":
            found = [self._by_words(q, depth) for q in self._queries]
        else:
            found = self._by_vectors("pictures", self._vectors, depth)
        if mode in ("fused", "auto") and self._options.target == "pictures":
            found = self._fused(found, max(depth, FUSED_DEPTH))
        if self._options.rerank is not None and mode != "keyword":
            found = self._reranked(found, self._options.rerank)
        return list(zip(self._queries, found, strict=True))

    def _reranked(self, found: list[list[Ranked]], reranker: Reranker) -> list[list[Ranked]]:
        """A second look at the best, for the queries that look across; one call for all pairs."""
        tops = {
            i: found[i][: reranker.depth] for i, q in enumerate(self._queries) if self._crosses(q)
        }
        keys = sorted({candidate.key for top in tops.values() for candidate in top})
        features, texts = self._both_sides(keys)
        items = features if self._options.target == "pictures" else texts
        place = {key: n for n, key in enumerate(items)}
        asking = np.cumsum([self._crosses(q) for q in self._queries]) - 1
        pairs = np.array(
            [(asking[i], place[c.key]) for i, top in tops.items() for c in top if c.key in place],
            np.int64,
        ).reshape(-1, 2)
        if not len(pairs):
            return found
        across = (1, 0) if self._options.target == "pictures" else (0, 1)
        picture, text = (pairs[:, column] for column in across)
        odds = iter(
            reranker.scorer.log_odds(
                np.array([*features.values()]), [*texts.values()], picture, text
            ).tolist()
        )
        for i, top in tops.items():
            own = [next(odds) if c.key in place else None for c in top]
            found[i] = reranker(found[i], own)
        return found

    def _both_sides(self, keys: Sequence[int]) -> tuple[dict[int, Array], dict[int, str]]:
        """Features of pictures and words of texts, of the queries and of what they found, by key.

        Of the queries' side the keys are their places among those that look across.
        """
        asking = [i for i, q in enumerate(self._queries) if self._crosses(q)]
        if self._options.target == "pictures":
            space = current_space(self._connection).number
            features = read_vectors(self._connection, "features", space, keys)
            return features, {n: self._queries[i].text or "" for n, i in enumerate(asking)}
        rows = store.get_rows(
            self._connection, {key >> TEXT_BITS for key in keys}, self._memory.folder
        )
        words: dict[int, str] = {}
        for key in keys:
            row, position = rows.get(key >> TEXT_BITS), key & ((1 << TEXT_BITS) - 1)
            if row is not None and position < len(row.texts):
                words[key] = row.texts[position]
        seen = np.cumsum([q.pictured for q in self._queries]) - 1
        return {n: self._features[seen[i]] for n, i in enumerate(asking)}, words

    def _fused(self, pictures: list[list[Ranked]], depth: int) -> list[list[Ranked]]:
        """Merge with the rankings by words and by texts, for the queries that have a text."""
        if all(q.text is None for q in self._queries):
            return pictures
        pictures = self._by_vectors("pictures", self._vectors, depth)
        texts = self._by_vectors("texts", self._memory.vectors("text_vectors"), depth)
        fused = []
        for query, by_picture, by_text in zip(self._queries, pictures, texts, strict=True):
            if query.text is None:
                fused.append(by_picture)
                continue
            by_words = telling(self._by_words(query, depth))
            rankings = {"pictures": by_picture, "texts": by_text, "keywords": by_words}
            if by_words and not query.pictured and not self._memory.encoder.reads(query.text):
                rankings = {"keywords": by_words}
            # Beside a picture the text counts by its weight: not at all at 0, alone at 1.
            weight = query.weight if query.pictured else 1.0
            weights = {"texts": weight, "keywords": weight}
            found = {name: r for name, r in rankings.items() if r and weights.get(name, 1.0)}
            # With one ranking there is nothing to fuse, and its own scores say more.
            fused.append(fuse(found, weights) if len(found) > 1 else next(iter(found.values()), []))
        return fused

    def _by_vectors(self, name: str, vectors: Vectors, depth: int) -> list[list[Ranked]]:
        allowed = None if self._allowed is None else vectors.positions(self._allowed)
        of_texts = name == "texts" and self._options.target == "pictures"
        keys = vectors.rows if of_texts else vectors.keys
        corrected = self._corrected if vectors is self._vectors else []
        plain = sorted(set(range(len(self._queries))) - set(corrected))
        found: dict[int, list[Ranked]] = {}
        for part, offset in (plain, None), (corrected, self._offset):
            if not part:
                continue
            scores, positions = top_k(vectors.matrix, self._embedded[part], depth, allowed, offset)
            for i, p, s in zip(part, positions, scores, strict=True):
                found[i] = ranking(name, keys[p].tolist(), s.tolist())
        return [found[i] for i in range(len(self._queries))]

    def _by_words(self, query: Query, depth: int) -> list[Ranked]:
        found = words.search(self._connection, query.text or "", depth, self._allowed)
        return ranking("keywords", [row for row, _ in found], [score for _, score in found])

    @step("retrieve")
    def pick(self, query: Query, candidates: Sequence[Ranked]) -> Hits:
        """The hits among a query's candidates."""
        options = self._options
        bits = TEXT_BITS if options.target == "texts" else 0
        if options.min_score is not None:
            candidates = [c for c in candidates if c.score >= options.min_score]
        if not (options.collapse or options.diversity):  # look up no row that will not be shown
            candidates = candidates[: options.k + len(self._excluded) + 1]
        rows = store.get_rows(
            self._connection, {c.key >> bits for c in candidates}, self._memory.folder
        )
        kept, groups = [], set()
        for candidate in candidates:
            row = rows.get(candidate.key >> bits)
            if row is None or row.number in self._excluded or row.id == query.like:
                continue
            group = row.twin or row.number
            if options.collapse and group in groups:
                continue
            groups.add(group)
            kept.append(candidate)
        if options.diversity:
            kept = self._diversify(kept)
        hits = (
            _hit(rank, candidate, rows[candidate.key >> bits], bits)
            for rank, candidate in enumerate(kept[: options.k], 1)
        )
        return Hits(hits)

    def _diversify(self, candidates: list[Ranked]) -> list[Ranked]:
        if self._options.mode == "keyword":
            self._vectors = self._memory.vectors()
        places = np.searchsorted(self._vectors.keys, [c.key for c in candidates])
        places = np.minimum(places, len(self._vectors.keys) - 1)
        vectors = {
            c.key: self._vectors.matrix[i].astype(np.float32)
            for c, i in zip(candidates, places, strict=True)
            if self._vectors.keys[i] == c.key
        }
        return diversify(candidates, vectors, self._options.k, self._options.diversity)


def _hit(rank: int, candidate: Ranked, row: Row, bits: int) -> Hit:
    position = candidate.key & ((1 << bits) - 1)
    # A text that is being changed right now may be gone.
    text = row.texts[position] if bits and position < len(row.texts) else None
    return Hit(row, candidate.score, rank, candidate.by, text)


def _as_query(query: Any, image: Picture | str | None, like: str | None, weight: float) -> Query:
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
