"""One batch of queries with the same options: its rankings, and the hits among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ravl.encoders.base import Array
from ravl.retrieval.hits import Hit, Hits
from ravl.retrieval.options import Options
from ravl.retrieval.query import Query, embed_queries
from ravl.retrieval.ranking import Ranked, diversify, drop_weak_keyword_hits, fuse, ranking
from ravl.retrieval.reranking import Reranker
from ravl.store.collection import Collection
from ravl.store.row import Row
from ravl.store.space import TEXT_BITS
from ravl.store.top_k import Positions
from ravl.store.vectors import Vectors
from ravl.timing import step

FUSED_DEPTH = 100  # candidates from each ranking, at least


class Search:
    """One batch of queries with the same options, at one moment of the memory.

    Args:
        memory: to search in; in a snapshot, for as long as this is used.
        queries: q of them.
        options: of all.
    """

    def __init__(self, memory: Collection, queries: list[Query], options: Options) -> None:
        self._memory = memory
        self._queries = queries
        self._options = options
        self._exact = True  # until an approximate index has chosen what was compared
        self._allowed = memory.matching(options.where) if options.where is not None else None
        excluded = memory.store.rows.find(options.exclude).values()
        self._excluded = {row.number for row in excluded}
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
        if self._options.mode == "keyword":
            words = [self._by_words(q, depth) for q in self._queries]
            return list(zip(self._queries, words, strict=True))
        if self._fuses():
            found = self._fused(max(depth, FUSED_DEPTH))
        else:
            found = self._by_vectors("pictures", self._vectors, depth)
        if self._options.rerank is not None:
            found = self._reranked(found, self._options.rerank)
        return list(zip(self._queries, found, strict=True))

    def _fuses(self) -> bool:
        """True if a query's rankings by pictures, texts and words are to be merged."""
        options = self._options
        fused = options.mode in ("fused", "auto") and options.target == "pictures"
        return fused and any(q.text is not None for q in self._queries)

    def _reranked(self, found: list[list[Ranked]], reranker: Reranker) -> list[list[Ranked]]:
        """The best hits of queries that look across, reranked; one call for all pairs."""
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
            features = self._memory.store.vectors.read("features", keys)
            return features, {n: self._queries[i].text or "" for n, i in enumerate(asking)}
        rows = self._memory.store.rows.get({key >> TEXT_BITS for key in keys})
        words: dict[int, str] = {}
        for key in keys:
            row, position = rows.get(key >> TEXT_BITS), key & ((1 << TEXT_BITS) - 1)
            if row is not None and position < len(row.texts):
                words[key] = row.texts[position]
        seen = np.cumsum([q.pictured for q in self._queries]) - 1
        return {n: self._features[seen[i]] for n, i in enumerate(asking)}, words

    def _fused(self, depth: int) -> list[list[Ranked]]:
        """Rankings by pictures, for queries with a text merged with those by texts and words."""
        pictures = self._by_vectors("pictures", self._vectors, depth)
        texts = self._by_vectors("texts", self._memory.vectors("text_vectors"), depth)
        fused = []
        for query, by_picture, by_text in zip(self._queries, pictures, texts, strict=True):
            if query.text is None:
                fused.append(by_picture)
                continue
            by_words = drop_weak_keyword_hits(self._by_words(query, depth))
            rankings = {"pictures": by_picture, "texts": by_text, "keywords": by_words}
            if (
                by_words
                and not query.pictured
                and not self._memory.encoder_for().supports_language(query.text)
            ):
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
            near = self._near(vectors, part, depth, offset is not None)
            if near is None:
                scores, positions = vectors.top(self._embedded[part], depth, allowed, offset)
                best = list(zip(scores, positions, strict=True))
            else:
                asked = zip(part, near, strict=True)
                alone = (vectors.top(self._embedded[[i]], depth, r, offset) for i, r in asked)
                best = [(s[0], p[0]) for s, p in alone]
            for i, (s, p) in zip(part, best, strict=True):
                found[i] = ranking(name, keys[p].tolist(), s.tolist())
        return [found[i] for i in range(len(self._queries))]

    def _near(
        self, vectors: Vectors, part: list[int], depth: int, corrected: bool
    ) -> list[Positions] | None:
        """What an approximate index would compare some of the queries with; None for everything."""
        if self._options.exact or self._allowed is not None:
            return None
        of_texts = vectors.bits > 0
        graph = self._memory.graph("text_vectors" if of_texts else "vectors", vectors)
        if graph is None:
            return None
        touched = self._memory.store.history.changed_since(graph.note.change)
        rows = graph.rows(
            vectors, self._embedded[part], depth, np.array(touched, np.int64), corrected
        )
        self._exact = self._exact and rows is None
        return rows

    def _by_words(self, query: Query, depth: int) -> list[Ranked]:
        found = self._memory.store.words.search(query.text or "", depth, self._allowed)
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
        rows = self._memory.store.rows.get({c.key >> bits for c in candidates})
        kept, groups = [], set()
        for candidate in candidates:
            row = rows.get(candidate.key >> bits)
            if row is None or row.number in self._excluded or row.id == query.like:
                continue
            group = row.group
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
        return Hits(hits, self._exact)

    def _diversify(self, candidates: list[Ranked]) -> list[Ranked]:
        if self._options.mode == "keyword":
            self._vectors = self._memory.vectors()
        places = np.searchsorted(self._vectors.keys, [c.key for c in candidates])
        places = np.minimum(places, len(self._vectors.keys) - 1)
        vectors = {
            c.key: self._vectors.blocks[i].astype(np.float32)
            for c, i in zip(candidates, places, strict=True)
            if self._vectors.keys[i] == c.key
        }
        return diversify(candidates, vectors, self._options.k, self._options.diversity)


def _hit(rank: int, candidate: Ranked, row: Row, bits: int) -> Hit:
    position = candidate.key & ((1 << bits) - 1)
    # A text that is being changed right now may be gone.
    text = row.texts[position] if bits and position < len(row.texts) else None
    return Hit(row, candidate.score, rank, candidate.by, text)
