"""Words that are kept find what FTS5 finds, with the same scores, whatever has changed."""

from __future__ import annotations

import numpy as np
import pytest

from ravl.data import Example
from ravl.store.keywords import words_of
from ravl.store.sqlite import frequent_words
from ravl.store.sqlite.bm25 import best

QUERIES = (
    "a red thing on the table",
    "photos of a thing and the others",
    "a",
    "nothing that is red in the shop",
)
WORDS = (
    "a",
    "a",
    "the",
    "on",
    "red",
    "blue",
    "table",
    "tables",
    "photo",
    "things",
    "of",
    "running",
)


@pytest.fixture
def kept(empty, monkeypatch):
    """A memory with rows of random words, and its index of words, which keeps all it reads."""
    monkeypatch.setattr(frequent_words, "MANY", 1)
    random = np.random.default_rng(0)
    empty.add([_example(random, i) for i in range(40)])
    return empty


def _example(random, number: int) -> Example:
    texts = tuple(" ".join(random.choice(WORDS, random.integers(1, 9))) for _ in range(number % 3))
    label = str(random.choice(WORDS)) if number % 4 else None
    tags = ("thing", str(random.choice(WORDS))) if number % 5 else ()
    columns = {"brand": "thing7"} if number % 9 == 0 else {}
    return Example(f"shop/the_thing{number}.jpg", None, texts, label, tags, columns=columns)


def _agree(memory, queries=QUERIES, k: int = 7) -> int:
    """Ask all queries both ways; returns how many were answered by what is kept."""
    answered = 0
    connection = memory.store.database.connection
    for query in queries:
        words = words_of(query)
        for allowed in (None, memory.matching("tags has 'thing'"), memory.matching("id = 'none'")):
            with memory.snapshot():
                found = memory.store.words._frequent.search(connection, words, k, allowed)
                slow = best(connection, words, k, allowed)
                assert memory.store.words.search(query, k, allowed) == slow
            if found is not None:
                assert found == slow
                answered += 1
    return answered


def test_a_word_is_kept_once_it_is_asked_for_again(kept):
    assert _agree(kept, ["red tables"]) == 1  # its first asking, then a filter of none
    assert _agree(kept, ["red tables"]) == 2


@pytest.mark.parametrize("seed", range(2))
def test_all_edits_are_followed(kept, seed):
    _agree(kept)
    random = np.random.default_rng(seed)
    for step in range(6):
        ids = [row.id for row in kept.rows()]
        chosen = str(random.choice(ids))
        match int(random.integers(4)):
            case 0:
                kept.add([_example(random, 100 + step)])
            case 1:
                kept.update(chosen, texts=(" ".join(random.choice(WORDS, 5)),))
            case 2:
                kept.delete(chosen)
            case 3:
                kept.update(chosen, label="tables", tags=("thing", "blue"))
        assert _agree(kept) > len(QUERIES)


def test_after_many_changes_all_is_read_again(kept, monkeypatch):
    monkeypatch.setattr(frequent_words, "FOLLOWED", 3)
    _agree(kept)
    kept.add([_example(np.random.default_rng(1), i) for i in range(200, 220)])
    assert _agree(kept) > len(QUERIES)


def test_what_another_process_changes_is_followed(kept):
    _agree(kept)
    with type(kept).open(kept.path, kept.encoder) as other:
        other.update("shop/the_thing1.jpg", texts=("a red table",))
        other.delete("shop/the_thing2.jpg")
    assert _agree(kept) > len(QUERIES)


def test_words_that_are_not_used_are_dropped(kept, monkeypatch):
    _agree(kept)
    monkeypatch.setattr(frequent_words, "MOST", 1)
    _agree(kept)
    assert len(kept.store.words._frequent._kept) == 1


def test_an_index_that_does_not_fit_its_sizes_is_read_by_fts5(kept):
    _agree(kept)
    words = kept.store.words
    connection = kept.store.database.connection
    connection.execute("DELETE FROM keywords WHERE rowid = 1")  # past the history
    with kept.snapshot():
        assert words._frequent.search(connection, ["red"], 5, None) is None
        assert words.search("red", 5) == best(connection, ["red"], 5, None)


def test_fts5_is_asked_once_for_all_rows_of_a_filter(kept):
    asked: list[str] = []
    connection = kept.store.database.connection
    connection.set_trace_callback(asked.append)
    best(connection, ["red"], 5, np.arange(10))
    connection.set_trace_callback(None)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}").fetchall()
    scans = [str(detail) for *_, detail in plan if "keywords VIRTUAL TABLE" in str(detail)]
    assert scans
    assert not any(":=" in scan for scan in scans)  # which asks it for each row


def test_a_long_row_is_scored_as_by_fts5(kept):
    kept.add([Example("long", None, tuple(f"red word{i} a thing" for i in range(90)))])
    _agree(kept)
    assert _agree(kept, ["red thing word3"]) + _agree(kept, ["red thing word3"])
