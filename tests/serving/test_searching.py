from __future__ import annotations

from tests.serving.conftest import Client
from tests.serving.helpers import png


def test_by_text_by_picture_and_by_both(client: Client, red: bytes):
    api = client()
    found = api.post("/v1/search", json={"text": "a red thing", "k": 4}).json()
    assert {h["label"] for h in found["hits"]} == {"red"}
    first = found["hits"][0]
    assert first["rank"] == 1 and "pictures" in first["by"]
    assert first["thumbnail"].startswith("/v1/thumbnail?id=red%2F")
    assert found["memory"]["version"] == 1 and found["timings"]["encode"] >= 0
    assert "source" not in first and "path" not in first
    upload = api.post("/v1/search", files={"picture": png("blue")}, data={"k": 3}).json()
    assert {h["label"] for h in upload["hits"]} == {"blue"}
    both = api.post(
        "/v1/search", files={"picture": red}, data={"text": "blue", "weight": "0.9", "k": "1"}
    )
    assert both.json()["hits"][0]["label"] == "blue"


def test_more_like_a_row_leaves_it_out(client: Client):
    api = client()
    body = {"picture": {"id": "red/0.png"}, "k": 3, "exclude": ["red/4.png"]}
    hits = api.post("/v1/search", json=body).json()["hits"]
    assert len(hits) == 3
    assert not {"red/0.png", "red/4.png"} & {h["id"] for h in hits}


def test_texts_and_filters(client: Client, red: bytes):
    api = client()
    texts = api.post("/v1/search", files={"picture": red}, data={"target": "texts", "k": 2})
    assert texts.json()["hits"][0]["found"] == "a red thing"
    few = api.post("/v1/search", json={"text": "thing", "where": "price < 2"}).json()
    assert len(few["hits"]) == 2


def test_several_searches(client: Client):
    api = client()
    queries = [{"text": "red"}, {"picture": {"id": "blue/2.png"}}]
    found = api.post("/v1/search/batch", json={"queries": queries, "k": 1}).json()
    assert [hits[0]["label"] for hits in found["results"]] == ["red", "blue"]
    assert api.post("/v1/search/batch", json={"queries": []}).status_code == 422


def test_one_broken_picture_of_several_searches(client: Client):
    api = client()
    broken = {"picture": {"base64": "bm9uZQ=="}}
    queries = [{"text": "red"}, broken, {"picture": {"id": "blue/2.png"}}]
    answer = api.post("/v1/search/batch", json={"queries": queries, "k": 1})
    assert answer.status_code == 200, answer.text
    first, second, third = answer.json()["results"]
    assert [first[0]["label"], third[0]["label"]] == ["red", "blue"]
    assert set(second) == {"error"} and "not a picture" in second["error"]
    alone = api.post("/v1/search/batch", json={"queries": [broken]}).json()
    assert alone["results"] == [second]
    assert api.post("/v1/search", json=broken).status_code == 422


def test_what_has_no_answer_is_a_sentence(client: Client, red: bytes):
    api = client()
    for body, says in (
        ({}, "The query is empty"),
        ({"text": "  "}, "The query is empty"),
        ({"text": "  ", "picture": {"id": "red/0.png"}}, "text is empty"),
        ({"text": "a", "k": 100_000}, "k: Input should be less"),
        ({"text": "a", "where": "nonsense < 1"}, "There is no column 'nonsense'"),
        ({"text": "a", "target": "texts", "mode": "keyword"}, "searched by meaning only"),
        ({"text": "a", "rerank": "none"}, "No run 'none' can rerank searches"),
    ):
        response = api.post("/v1/search", json=body)
        assert response.status_code in (404, 422)
        assert says in response.json()["detail"]
