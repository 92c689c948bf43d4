from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravl.data import Example
from ravl.errors import FilterError, PictureError, QueryError, RowNotFoundError
from ravl.memory import Memory
from ravl.retrieval import Query
from tests.helpers import COLOURS, ColourEncoder, draw, make_pictures
from tests.planted import HUB, PlantedEncoder, meaning, picture, plant


def labels(hits) -> list[str]:
    return [hit.row.label for hit in hits]


def ids(hits) -> list[str]:
    return [hit.id for hit in hits]


def test_text_to_pictures(memory):
    for colour in COLOURS:
        hits = memory.search(f"{colour} picture", k=2, mode="dense")
        assert labels(hits)[0] == colour
        assert [hit.rank for hit in hits] == [1, 2]
        assert hits[0].score >= hits[1].score
        assert set(hits[0].by) == {"pictures"}


def test_one_broken_query_of_many(memory, tmp_path):
    """The error says which one it is before a network runs, or stands in its place."""
    gone = tmp_path / "gone.png"
    queries = [draw(500, "blue"), "red", gone, Query("red", b"none")]
    memory.encoder.looked = 0
    with pytest.raises(PictureError, match=r"^Query 3 of 4: .*gone\.png does not exist"):
        memory.search(queries, k=1)
    assert memory.encoder.looked == 0
    found = memory.search(queries, k=1, return_exceptions=True)
    assert [labels(hits) for hits in found[:2]] == [["blue"], ["red"]]
    assert [type(error) for error in found[2:]] == [PictureError, PictureError]
    only = memory.search([gone], return_exceptions=True)
    assert [str(error) for error in only] == [f"{gone} does not exist. Check the path."]
    with pytest.raises(PictureError, match="^(?!Query)"):
        memory.search(gone)
    assert memory.search([], return_exceptions=True) == memory.search([]) == []


def test_picture_to_pictures(memory, tmp_path):
    picture = draw(500, "blue")
    path = tmp_path / "query.png"
    picture.save(path)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    expected = ids(memory.search(picture, k=5))
    assert labels(memory.search(picture, k=2)) == ["blue", "blue"]
    assert ids(memory.search(path, k=5)) == expected
    assert ids(memory.search(buffer.getvalue(), k=5)) == expected
    assert ids(memory.search(image=str(path), k=5)) == expected


def test_the_same_picture_scores_one(memory, tmp_path):
    hit = memory.search(tmp_path / "pictures" / "red_000.png", k=1)[0]
    assert hit.id == "red_000.png"
    assert hit.score == pytest.approx(1, abs=1e-3)


def test_more_like_a_row_leaves_the_row_out(memory):
    hits = memory.search(like="red_000.png", k=15)
    assert len(hits) == 15
    assert "red_000.png" not in ids(hits)
    assert hits[0].row.label == "red"


def test_picture_to_texts(memory, tmp_path):
    hits = memory.search(tmp_path / "pictures" / "green_001.png", target="texts", k=2, mode="dense")
    assert [hit.text for hit in hits] == ["a green picture"] * 2
    assert labels(hits) == ["green", "green"]


def test_text_and_picture_together(memory, tmp_path):
    red = tmp_path / "pictures" / "red_000.png"

    def top(weight):
        return labels(memory.search("blue", image=red, weight=weight, k=2, mode="dense"))

    assert top(0.0) == ["red", "red"]
    assert top(1.0) == ["blue", "blue"]
    assert "purple" in labels(memory.search("blue", image=red, k=4, mode="dense"))  # between both


def test_weight_ends_equal_the_single_queries(memory, tmp_path):
    red = tmp_path / "pictures" / "red_000.png"
    only_text = memory.search("blue", k=16, mode="dense")
    assert ids(memory.search("blue", image=red, weight=1.0, k=16, mode="dense")) == ids(only_text)


def test_fused_finds_by_looks_meaning_and_words(memory):
    hits = memory.search("number 5", k=3)
    assert hits[0].id == "purple_006.png" or "number 5" in hits[0].row.texts
    assert {"keywords", "texts", "pictures"} == set(hits[0].by)
    assert 0 < hits[0].score <= 1
    assert memory.search("a red picture", k=1)[0].score > 0.9


def test_without_words_or_texts_fused_is_dense(empty, tmp_path):
    empty.add([Example(f"x{i}", p) for i, p in enumerate(make_pictures(tmp_path / "p", 6))])
    fused, dense = empty.search("red", k=6), empty.search("red", k=6, mode="dense")
    assert ids(fused) == ids(dense)
    assert [h.score for h in fused] == [h.score for h in dense]


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_filtered_search_returns_exactly_what_there_is(filtered, data):
    low, high = data.draw(st.integers(-2, 60)), data.draw(st.integers(-2, 60))
    k = data.draw(st.integers(1, 80))
    mode = data.draw(st.sampled_from(["dense", "fused"]))
    where = f"price >= {low} and price < {high}"
    hits = filtered.search("a red picture", k=k, mode=mode, where=where)
    assert len(hits) == min(k, filtered.count(where))
    assert len(set(ids(hits))) == len(hits)
    assert all(low <= hit.row.columns["price"] < high for hit in hits)


@pytest.fixture(scope="module")
def filtered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filtered")
    examples = [
        Example(p.name, p, texts=("a picture",), columns={"price": i})
        for i, p in enumerate(make_pictures(folder / "p", 50))
    ]
    with Memory.create(folder / "m.ravl", ColourEncoder()) as memory:
        memory.add(examples)
        yield memory


def test_filtered_search_is_the_best_of_what_there_is(filtered):
    everything = filtered.search("a red picture", k=50, mode="dense")
    expected = [hit.id for hit in everything if hit.row.columns["price"] % 2 == 0][:5]
    where = " or ".join(f"price = {i}" for i in range(0, 50, 2))
    assert ids(filtered.search("a red picture", k=5, mode="dense", where=where)) == expected


def test_exclude(memory):
    first = memory.search("a red picture", k=3)
    rest = memory.search("a red picture", k=16, exclude=[first[0].id, "nothing"])
    assert len(rest) == 15
    assert first[0].id not in ids(rest)


def test_min_score(memory):
    hits = memory.search("a red picture", k=16, mode="dense")
    some = memory.search("a red picture", k=16, mode="dense", min_score=hits[3].score)
    assert ids(some) == ids(hits)[:4]
    assert memory.search("a red picture", mode="dense", min_score=2.0) == []


def test_diversity(memory):
    near = memory.search("a red picture", k=4, mode="dense")
    apart = memory.search("a red picture", k=4, mode="dense", diversity=0.7)
    assert near[0].id == apart[0].id
    assert len(set(labels(apart))) > len(set(labels(near)))
    assert len(memory.search("a red picture", k=16, diversity=1.0)) == 16
    assert len(memory.search("picture", k=4, mode="keyword", diversity=0.5)) == 4


def test_collapsing_looks_deep_enough(empty, tmp_path):
    paths = make_pictures(tmp_path / "p", 3)
    copies = [Example(f"copy{i}", paths[0], texts=(f"t{i}",)) for i in range(40)]
    empty.add([*copies, Example("b", paths[1]), Example("c", paths[2])])
    hits = empty.search(paths[0], k=3, collapse=True)
    assert ids(hits)[0].startswith("copy")
    assert set(ids(hits)[1:]) == {"b", "c"}
    assert len(empty.search(paths[0], k=10, collapse=True)) == 3


def test_a_batch_equals_single_searches(memory, tmp_path):
    queries = [
        "a red picture",
        tmp_path / "pictures" / "blue_002.png",
        Query("green", tmp_path / "pictures" / "red_000.png", weight=0.3),
        Query(like="purple_006.png"),
        draw(9, "black"),
    ]
    together = memory.search(queries, k=5)
    for query, hits in zip(queries, together, strict=True):
        single = memory.search(query, k=5)
        assert ids(hits) == ids(single)
        np.testing.assert_allclose([h.score for h in hits], [h.score for h in single], rtol=1e-4)


def test_a_batch_runs_each_network_once(memory, encoder, monkeypatch):
    calls: list[int] = []
    original = ColourEncoder.embed_texts

    def counted(self, texts):
        calls.append(len(texts))
        return original(self, texts)

    monkeypatch.setattr(ColourEncoder, "embed_texts", counted)
    memory.search(["red", "green", "blue"], k=2)
    assert calls == [3]


def test_empty_memory(empty):
    assert empty.search("anything") == []
    assert empty.search(draw(1, "red"), k=3) == []
    assert empty.search("anything", mode="keyword") == []
    assert empty.search("anything", target="texts", mode="dense") == []


def test_k_larger_than_the_memory(memory):
    assert len(memory.search("red", k=10_000)) == 16


def test_follows_the_memory(memory, tmp_path):
    assert memory.search("a red picture", k=1)[0].row.label == "red"
    memory.delete(where='label = "red"')
    assert "red" not in labels(memory.search("a red picture", k=16))
    draw(321, "red").save(tmp_path / "new.png")
    memory.add([Example("new", tmp_path / "new.png", label="red")])
    assert memory.search("a red picture", k=1, mode="dense")[0].id == "new"
    draw(322, "blue").save(tmp_path / "new.png")
    memory.add([Example("new", tmp_path / "new.png", label="blue")])
    assert memory.search(draw(323, "red"), k=1)[0].id != "new"
    assert len(memory.search("red", k=99, mode="dense")) == 15


def test_text_only_rows_are_found_by_their_texts(memory):
    memory.add([Example("fact", texts=("tomatoes are eaten with basil",))])
    assert "fact" in ids(memory.search("eaten with basil", k=3))
    assert "fact" not in ids(memory.search("eaten with basil", k=99, mode="dense"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"query": None}, "query is empty"),
        ({"query": "  "}, "text is empty"),
        ({"query": "x", "k": 0}, "k is 0"),
        ({"query": "x", "k": 2.5}, "k is 2.5"),
        ({"query": "x", "k": 10**9}, "1 to 10,000"),
        ({"query": "x", "mode": "magic"}, "auto, dense, keyword, fused"),
        ({"query": "x", "target": "sounds"}, "pictures, texts"),
        ({"query": "x", "weight": 1.5}, "between 0 and 1"),
        ({"query": "x", "diversity": -1}, "between 0 and 1"),
        ({"query": "x", "hubness": 3}, "hubness is 3; it must lie between 0 and 2"),
        ({"query": "x", "target": "texts", "mode": "keyword"}, "dense"),
        ({"query": None, "like": "red_000.png", "mode": "keyword"}, "needs a text"),
        ({"query": "x", "like": "red_000.png", "image": "a.png"}, "not both"),
        ({"query": 17}, "not int"),
    ],
)
def test_says_what_is_wrong(memory, arguments, says):
    with pytest.raises(QueryError, match=".*") as caught:
        memory.search(**arguments)
    assert says in str(caught.value)


def test_other_errors_are_sentences_too(memory, tmp_path):
    with pytest.raises(RowNotFoundError, match="no row 'nothing'"):
        memory.search(like="nothing")
    with pytest.raises(FilterError, match="no column"):
        memory.search("x", where="nothing = 1")
    with pytest.raises(PictureError, match=r"no\.png"):
        memory.search(tmp_path / "no.png")
    memory.add([Example("fact", texts=("words",))])
    with pytest.raises(QueryError, match="no picture"):
        memory.search(like="fact")


def test_prints_and_converts(memory):
    hits = memory.search("a red picture", k=2)
    lines = str(hits).splitlines()
    assert len(lines) == 2
    assert "red_000.png" in str(hits)
    record = hits.to_json()[0]
    assert record["rank"] == 1
    assert record["label"] == "red"
    assert Path(record["picture"]).is_file()
    assert str(memory.search("x", min_score=9.0)) == "nothing found"


def test_beside_a_picture_the_words_count_by_their_weight(memory):
    alone = ids(memory.search(like="red_000.png", k=5))
    assert ids(memory.search("blue", like="red_000.png", weight=0, k=5)) == alone
    mixed = memory.search("blue", like="red_000.png", weight=1, k=5)
    assert ids(mixed) == ids(memory.search("blue", exclude=["red_000.png"], k=5))


def test_a_language_that_the_encoder_does_not_read_is_left_to_the_words(memory, monkeypatch):
    memory.update("red_000.png", texts=["一只猫"])
    monkeypatch.setattr(ColourEncoder, "supports_language", lambda self, text: text.isascii())
    hits = memory.search("猫", k=5)
    assert ids(hits) == ["red_000.png"]
    assert set(hits[0].by) == {"keywords"}
    assert len(memory.search("狗", k=5)) == 5  # no words either: better a guess than nothing


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    path = tmp_path_factory.mktemp("planted") / "m.ravl"
    with Memory.create(path, PlantedEncoder()) as memory:
        plant(memory)
        yield memory


QUERIES = [f"text {i}" for i in range(100)]


def firsts(answers) -> list[str]:
    return [hits[0].id for hits in answers]


def test_a_hub_loses_its_place(planted):
    before = firsts(planted.search(QUERIES, mode="dense"))
    after = firsts(planted.search(QUERIES, mode="dense", hubness=0.75))
    right = [f"r{i}" for i in range(100)]
    assert before.count(HUB) > 60
    assert after.count(HUB) < 5
    assert sum(a == r for a, r in zip(after, right, strict=True)) > 80


def test_the_score_is_the_corrected_one(planted):
    plain = {h.id: h.score for h in planted.search("text 3", k=101, mode="dense")}
    corrected = planted.search("text 3", k=101, mode="dense", hubness=0.5)
    numbers = planted.vectors().keys.tolist()
    hub = planted.hub_scores()
    for hit in corrected:
        expected = plain[hit.id] - 0.5 * hub[numbers.index(hit.row.number)]
        assert hit.score == pytest.approx(expected, abs=1e-5)
    least = corrected[4].score
    some = planted.search("text 3", k=101, mode="dense", hubness=0.5, min_score=least)
    assert ids(some) == ids(corrected)[:5]


@pytest.mark.parametrize("target", ["pictures", "texts"])
def test_correction_is_exact_with_filters(planted, target):
    query = "text 3" if target == "pictures" else picture(meaning("text 3"))
    options = {"mode": "dense", "hubness": 0.75, "target": target}
    everything = planted.search(query, k=101, **options)
    assert len(everything) == (101 if target == "pictures" else 100)
    expected = [h.id for h in everything if h.row.columns["number"] % 7 == 0][:6]
    where = " or ".join(f"number = {i}" for i in range(0, 101, 7))
    assert ids(planted.search(query, k=6, where=where, **options)) == expected


def test_correction_is_only_between_texts_and_pictures(planted):
    shown = picture(meaning("text 3"))

    def both(query, **options):
        return [planted.search(query, k=20, hubness=h, **options) for h in (0, 2.0)]

    for query, options in (
        (shown, {}),
        (Query(like="r3"), {}),
        (Query("text 3", shown), {"mode": "dense"}),
        (Query("text 3", shown, weight=1.0), {}),
        ("text 3", {"target": "texts"}),
        ("text 3", {"mode": "keyword"}),
    ):
        plain, corrected = both(query, **options)
        assert ids(plain) == ids(corrected)
        assert [h.score for h in plain] == [h.score for h in corrected]
    for query, options in ("text 3", {}), (shown, {"target": "texts"}):
        plain, corrected = both(query, **options)
        assert [h.score for h in plain] != [h.score for h in corrected]


def test_fused_corrects_only_what_was_found_by_looks(planted):
    plain, corrected = (planted.search("text 3", k=101, hubness=h) for h in (0, 0.75))
    by_looks = {h.id: h.score for h in planted.search("text 3", k=101, mode="dense", hubness=0.75)}
    before = {h.id: h.by for h in plain}
    for hit in corrected:
        if "pictures" in hit.by:
            assert hit.by["pictures"].score == pytest.approx(by_looks[hit.id], abs=1e-5)
        assert hit.by.get("texts") == before[hit.id].get("texts")
        assert hit.by.get("keywords") == before[hit.id].get("keywords")


@pytest.mark.parametrize("mode", ["auto", "dense"])
def test_a_mixed_batch_corrects_some(planted, monkeypatch, mode):
    shown = picture(meaning("text 5"))
    queries = [shown, "text 1", Query("text 2", shown), "text 3", Query(like="r4")]
    singles = [planted.search(q, mode=mode, hubness=0.75) for q in queries]
    calls: list[int] = []
    original = PlantedEncoder.embed_texts

    def counted(self, texts):
        calls.append(len(texts))
        return original(self, texts)

    monkeypatch.setattr(PlantedEncoder, "embed_texts", counted)
    together = planted.search(queries, mode=mode, hubness=0.75)
    assert calls == [3]
    for hits, single in zip(together, singles, strict=True):
        assert ids(hits) == ids(single)
        np.testing.assert_allclose([h.score for h in hits], [h.score for h in single], rtol=1e-4)


def test_the_memory_says_how_much(planted):
    with Memory.open(planted.path, PlantedEncoder()) as other:
        plain = planted.search(QUERIES, mode="dense")
        other.set_hubness(0.75)
        corrected = planted.search(QUERIES, mode="dense")
        assert firsts(corrected) == firsts(planted.search(QUERIES, mode="dense", hubness=0.75))
        assert firsts(planted.search(QUERIES, mode="dense", hubness=0)) == firsts(plain)
        other.set_hubness(0)
        assert firsts(planted.search(QUERIES, mode="dense")) == firsts(plain) != firsts(corrected)


def test_too_few_texts_correct_nothing(memory):
    plain, corrected = (memory.search("red", mode="dense", hubness=h) for h in (0, 1))
    assert [(h.id, h.score) for h in plain] == [(h.id, h.score) for h in corrected]
