"""Searches over a decoder whose odds are a table: what is found can be found by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from ravl.encoders.base import Array
from ravl.models.generation.base import Decoding
from ravl.models.generation.special_tokens import END
from ravl.retrieval.datastore import Ints
from ravl.runtime.search import beam_search, greedy, log_softmax, sample

WORDS = 6


class Table:
    """The odds of a word depend on the one before it, and on the request."""

    def __init__(self, requests: int = 2, seed: int = 0) -> None:
        chance = np.random.default_rng(seed)
        self.table = log_softmax(chance.normal(0, 1.5, (requests, WORDS, WORDS)))
        self.rows = np.arange(requests)

    def __call__(self, ids: Ints) -> Array:
        found: Array = self.table[self.rows, ids]
        return found

    def keep(self, rows: Ints) -> None:
        self.rows = self.rows[rows]

    def log(self, request: int, text: tuple[int, ...]) -> float:
        pairs = zip((1, *text), text, strict=False)
        return float(sum(self.table[request, a, b] for a, b in pairs))


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_many_beams_find_the_best_of_all_texts(penalty: float) -> None:
    table, how = Table(), Decoding(num_beams=200, max_new_tokens=3, length_penalty=penalty)
    found = beam_search(table, 2, how, 3)
    words = [w for w in range(WORDS) if w != END]
    for request in range(2):
        texts = [(*head, END) for n in (1, 2) for head in product(words, repeat=n)]
        texts += [(*head, last) for head in product(words, repeat=2) for last in words]
        best = max(texts, key=lambda text: table.log(request, text) / len(text) ** penalty)
        assert found[request][0].ids == best
        assert found[request][0].log_probability == pytest.approx(
            table.log(request, best), abs=1e-4
        )


def test_greedy_takes_the_likeliest_word_and_stops_at_the_end() -> None:
    found = greedy(Table(), 2, Decoding(num_beams=1), 8)
    table = Table()
    for request, (text,) in enumerate(found):
        before = 1
        for i, word in enumerate(text.ids):
            line = table.table[request, before].copy()
            if i == 0:
                line[END] = -np.inf  # no text is empty
            assert word == line.argmax()
            before = word
        assert END not in text.ids[:-1]


def test_shortest_and_no_repeat() -> None:
    for seed in range(5):
        how = Decoding(
            num_beams=3, num_return_sequences=3, min_new_tokens=4, no_repeat_ngram_size=1
        )
        for its in beam_search(Table(seed=seed), 2, how, 5):
            for text in its:
                plain = [word for word in text.ids if word != END]
                assert len(plain) >= 4 or len(text.ids) == 5
                assert len(set(plain)) == len(plain)


def test_draws_follow_the_odds() -> None:
    how = Decoding(do_sample=True, num_return_sequences=4000, temperature=0.7)
    (found,) = sample(Table(1), 1, how, 1, np.random.default_rng(0))
    counts = np.bincount([text.ids[0] for text in found], minlength=WORDS) / 4000
    line = Table(1).table[0, 1].astype(np.float64)
    line[END] = -np.inf
    odds = np.exp(line / 0.7) / np.exp(line / 0.7).sum()
    assert np.abs(counts - odds).max() < 0.03
    narrow = Decoding(do_sample=True, num_return_sequences=500, top_p=0.01)
    (same,) = sample(Table(1), 1, narrow, 1, np.random.default_rng(0))
    assert {text.ids[0] for text in same} == {int(line.argmax())}
