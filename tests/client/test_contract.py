"""The same questions to the local API and to both clients: the same answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import ravl
from ravl.client.provenance import ServedHits
from ravl.data import QA, Example
from ravl.errors import (
    DataError,
    FilterError,
    PictureError,
    QueryError,
    RavlError,
    RowNotFoundError,
)
from ravl.memory import Memory, Row
from ravl.retrieval import Query
from tests.client.conftest import KINDS, Running
from tests.helpers import draw
from tests.serving.helpers import png

KNOWN: dict[str, Any] = {
    "path": None,
    "number": 0,
    "source": "",
    "phash": None,
    "duplicate_of": None,
}


def as_told(row: Row) -> Row:
    """A row without what a server keeps to itself."""
    return replace(row, **KNOWN, hash=None if row.hash is None else "")


def told(answer: Any) -> Any:
    """An answer in full, without paths."""
    if isinstance(answer, list | tuple):
        return [told(one) for one in answer]
    plain = answer.to_json()
    for item in plain["evidence"]:
        item["picture"] = None
    return plain


def hits_of(hits: Any) -> list[Any]:
    by = [{n: (f.rank, round(f.score, 4)) for n, f in hit.by.items()} for hit in hits]
    rows = [as_told(hit.row) for hit in hits]
    return [
        (h.rank, round(h.score, 4), h.text, row, found)
        for h, row, found in zip(hits, rows, by, strict=True)
    ]


SEARCHES: dict[str, Callable[[Any], Any]] = {
    "text": lambda m: m.search("a red thing", k=3),
    "picture": lambda m: m.search(image=png("blue"), k=3, exclude=["blue/2.png"]),
    "like": lambda m: m.search("green", like="blue/2.png", weight=0.3, k=4),
    "query": lambda m: m.search(Query("red", png("red"), weight=0.7), 5, mode="dense"),
    "texts": lambda m: m.search(draw(5, "green"), k=3, target="texts"),
    "filter": lambda m: m.search("thing", where="price < 5", min_score=0.0),
    "diverse": lambda m: m.search("red", diversity=0.5, collapse=True, hubness=0.5),
    "keyword": lambda m: m.search("yellow", mode="keyword"),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_searches(client, memory_of: Memory, name: str):
    local, found = SEARCHES[name](memory_of), SEARCHES[name](client)
    assert isinstance(found, ServedHits) and len(found)
    assert hits_of(found) == hits_of(local)
    assert found.origin.memory == "shop.ravl" and found.origin.version == 1


def test_many_searches(client, memory_of: Memory):
    queries = ["red", Path(memory_of.get("red/0.png").path or ""), Query(like="blue/2.png")]
    local, found = memory_of.search(queries, k=2), client.search(queries, k=2)
    assert [hits_of(hits) for hits in found] == [hits_of(hits) for hits in local]
    assert client.search([]) == []
    row = client.get("blue/2.png")
    assert client.search(row, k=1)[0].id == memory_of.search(like="blue/2.png", k=1)[0].id


@pytest.mark.parametrize("kind", KINDS)
def test_labels_and_tags(running: Running, connect, runs: Path, kind: str):
    client = connect(running(runs / "linear", runs / "vote", runs / "tags")[0], kind)
    pictures = [png("red"), draw(3, "blue"), *sorted((runs / "pictures").iterdir())[:2]]
    for run, task in (("linear", "classify"), ("vote", "classify"), ("tags", "tag")):
        with ravl.load(runs / run) as model:
            ways: list[dict[str, Any]] = [{}, {"k": 3, "abstain": 0.05}, {"vote_only": True}]
            for options in [*ways, {"retrieval": False}] if run == "linear" else ways:
                local = getattr(model, task)(pictures, **options)
                found = getattr(client, task)(pictures, run=run, **options)
                assert told(found) == told(local)
                assert {type(one) for one in found} == {type(one) for one in local}
            one = getattr(client, task)(str(pictures[2]), run=run)
            assert str(one) == str(getattr(model, task)(pictures[2]))
            assert (one.origin.run, one.origin.memory) == (run, "shop.ravl")
            assert one.origin.timings["total"] > 0
    assert client.classify([]) == [] and client.classify(()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_matches(running: Running, connect, texts: Path, by_name, kind: str):
    client = connect(running(texts / "match")[0], kind)
    pictures = sorted((texts / "pictures").iterdir())[:3]
    asked = ["red above 1", "blue above 2", "a thing"]
    with ravl.load(texts / "match") as model:
        for pair in (
            (pictures, asked),
            (pictures, "green"),
            (pictures[0], asked),
            (pictures[1], "red above 1"),
            (pictures[:1], asked[:1]),
        ):
            assert told(client.match(*pair)) == told(model.match(*pair))
        with Memory.open(texts / "strips.ravl") as memory:
            local = memory.search("red", k=3, rerank=model.reranker())
        assert hits_of(client.search("red", k=3, rerank="match")) == hits_of(local)
    with pytest.raises(QueryError, match="3 pictures and 2 texts"):
        client.match(pictures, asked[:2])


def test_captions_and_replies(client, shop: Path):
    pictures = [png("red"), png("blue")]
    with ravl.load(shop) as model:
        assert told(client.caption(pictures)) == told(model.caption(pictures))
        assert told(client.caption(draw(4, "green"), k=2)) == told(
            model.caption(draw(4, "green"), k=2)
        )
        for asked in ("what colour is it?", ["what colour is it?", "which colour?"]):
            assert told(client.ask(pictures, asked)) == told(model.ask(pictures, asked))
        one = client.ask(pictures[0], "what colour is it?")
        assert str(one) == str(model.ask(pictures[0], "what colour is it?"))
        assert one.answer == "red" and one.passages == () and one.origin.run is None


def test_rows_are_pictures_in_any_order(client, shop: Path):
    rows = {id: client.get(id) for id in ("red/0.png", "blue/2.png")}
    mixed = [rows["blue/2.png"], png("green"), rows["red/0.png"], png("yellow")]
    found = client.caption(mixed)
    assert [one.text.split()[1] for one in found] == ["blue", "green", "red", "yellow"]
    assert client.caption(rows["red/0.png"]).text == "a red thing"
    assert client.caption(client.search("blue", k=1)[0].row).text == "a blue thing"


def test_rows(client, memory_of: Memory):
    rows = list(client.rows())
    assert rows == [as_told(row) for row in memory_of.rows()]
    assert [row.id for row in client.rows("price < 3")] == [
        r.id for r in memory_of.rows("price < 3")
    ]
    assert client.count() == 16 and client.count('label = "red"') == 4
    assert client.get("red/0.png") == rows[0]
    assert client.picture_bytes(rows[0]) == memory_of.picture_bytes("red/0.png")
    local = memory_of.picture("red/0.png")
    assert client.picture("red/0.png").tobytes() == local.tobytes()
    small = client.thumbnail("red/0.png")
    assert isinstance(small, Image.Image) and max(small.size) <= 160


def test_rows_are_added_changed_and_deleted(client, memory_of: Memory):
    file = Path(memory_of.get("red/0.png").path or "")
    given = Example(
        "new/1.png",
        file,
        ("ein Ding",),
        "thing",
        ("neu", "rot"),
        (QA("why?", ("because", "so")),),
        {"price": 1.5, "sold": True, "x": None},
    )
    report = client.add(
        [given, Example("note", texts=("a text alone",)), Example("new/2.png", png("blue"))]
    )
    assert (report.added, report.updated, report.rejected) == (3, 0, 0)
    row = memory_of.get("new/1.png")
    assert row.example() == replace(
        given, picture=None, source="server", columns={"price": 1.5, "sold": True}
    )
    assert memory_of.picture_bytes(row) == file.read_bytes()
    assert client.get("note").hash is None and client.get("new/2.png").hash == ""
    changed = client.update(
        "note", label="n", tags=["a"], qa=[QA("q?", ("a",))], columns={"price": 2}
    )
    assert changed == as_told(memory_of.get("note")) and changed.label == "n"
    assert client.update("note", label="", texts=[]).label is None
    assert client.delete(["note", "new/1.png"]) == 2 and client.delete("new/2.png") == 1
    assert client.delete(where='label = "red"') == 4 and client.count() == 12


LOCALLY: dict[str, tuple[type[RavlError], Callable[[Any], Any]]] = {
    "row": (RowNotFoundError, lambda m: m.get("gone")),
    "picture of none": (RowNotFoundError, lambda m: m.picture("gone")),
    "change": (RowNotFoundError, lambda m: m.update("gone", label="x")),
    "like": (RowNotFoundError, lambda m: m.search(like="gone")),
    "deleted": (RowNotFoundError, lambda m: m.delete(["red/0.png", "gone"])),
    "what to delete": (QueryError, lambda m: m.delete()),
    "filter": (FilterError, lambda m: m.count("price <")),
    "column": (FilterError, lambda m: m.search("red", where="colour = 3")),
    "list": (FilterError, lambda m: list(m.rows("tags > 3"))),
    "k": (QueryError, lambda m: m.search("red", k=0)),
    "nothing": (QueryError, lambda m: m.search("  ")),
    "keyword": (QueryError, lambda m: m.search(image=png("red"), mode="keyword")),
    "damaged": (PictureError, lambda m: m.search(image=b"no picture")),
    "missing": (PictureError, lambda m: m.search(Path("gone.png"))),
    "no number": (DataError, lambda m: m.update("red/0.png", columns={"x": float("nan")})),
}


@pytest.mark.parametrize("name", LOCALLY)
def test_errors_are_those_of_the_local_api(client, memory_of: Memory, name: str):
    kind, call = LOCALLY[name]
    sentences = []
    for place in (memory_of, client):
        with pytest.raises(RavlError) as raised:
            call(place)
        assert type(raised.value) is kind
        sentences.append(str(raised.value).replace(f"{memory_of.folder}/", ""))
    assert len(set(sentences)) == 1 or name == "no number"


def test_errors_of_models(client, shop: Path):
    with ravl.load(shop) as model:
        for call in (
            lambda m: m.ask(png("red"), [" "]),
            lambda m: m.caption(png("red"), k=0),
            lambda m: m.match(png("red"), "a red thing"),
        ):
            for place in (model, client):
                with pytest.raises(QueryError):
                    call(place)
        for place in (model, client):
            with pytest.raises(PictureError, match="not a picture"):
                place.caption([png("red"), b"no picture"])
    with pytest.raises(QueryError, match="No run 'best' answers caption here. There is: memory."):
        client.caption(png("red"), run="best")
    with pytest.raises(QueryError, match="answers match. See Client.runs"):
        client.match(png("red"), "a red thing")
