"""Classify, tag, match, caption and ask over HTTP."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from ravl.serving.limits import Limits
from tests.serving.conftest import Client
from tests.serving.helpers import fake, png


def test_classify_and_tag_by_runs(client: Client, fitted: Path, red: bytes, by_name: None):
    api = client(fitted / "linear", fitted / "vote", fitted / "tags")
    found = api.post("/v1/classify", files={"picture": red}).json()
    assert (found["answer"]["label"], found["run"]) == ("red", "linear")
    assert found["memory"] == {"name": "shop.ravl", "version": 1}
    evidence = found["answer"]["evidence"][0]
    assert evidence["says"] == ["red"] and evidence["id"].startswith("red")
    assert evidence["thumbnail"] == f"/v1/thumbnail?id={evidence['id']}"
    assert api.get(evidence["thumbnail"]).headers["content-type"] == "image/jpeg"
    assert set(found["timings"]) >= {"decode", "queue", "encode", "retrieve", "fuse", "total"}
    assert found["together"] == 1 and len(found["request"]) == 12
    body = {"picture": {"base64": base64.b64encode(red).decode()}, "run": "vote", "k": 3}
    named = api.post("/v1/classify", json=body).json()
    assert (named["run"], len(named["answer"]["evidence"])) == ("vote", 3)
    tags = api.post("/v1/tag", files={"picture": red}, data={"vote_only": "true"}).json()
    assert "drawn" in tags["answer"]["tags"] and tags["answer"]["gate"] == 1


def test_the_same_picture_has_the_same_answer_however_it_comes(client, fitted, red, by_name):
    api = client(fitted / "linear")
    row = api.get("/v1/rows", params={"limit": 1}).json()["rows"][0]
    data = api.get(row["picture"]).content
    ways = [
        api.post("/v1/classify", files={"picture": ("x.txt", data, "text/plain")}),
        api.post("/v1/classify", json={"picture": {"base64": base64.b64encode(data).decode()}}),
        api.post("/v1/classify", json={"picture": {"id": row["id"]}}),
    ]
    assert len({json.dumps(way.json()["answer"]) for way in ways}) == 1


def test_batches_are_lists_in_and_lists_out(client, fitted, by_name):
    api = client(fitted / "linear")
    files = [("pictures", png(colour)) for colour in ("red", "green", "blue")]
    found = api.post("/v1/classify/batch", files=files).json()
    assert [a["label"] for a in found["answers"]] == ["red", "green", "blue"]
    assert found["together"] == 3


def test_what_is_not_offered_is_absent(client: Client, red: bytes):
    api = client()
    assert api.post("/v1/match", files={"picture": red}).status_code == 404
    paths = api.get("/v1/openapi.json").json()["paths"]
    assert "/v1/caption" in paths and "/v1/ask/stream" in paths
    assert not [p for p in paths if p.startswith("/v1/match")]


def test_a_memory_alone_labels_describes_and_answers(client: Client, red: bytes):
    api = client()
    found = api.post("/v1/classify", files={"picture": red}).json()
    assert found["run"] is None and found["answer"]["label"] and found["answer"]["evidence"]
    caption = api.post("/v1/caption", files={"picture": red}, data={"k": 4}).json()
    assert caption["answer"]["text"] == "a red thing"
    assert caption["run"] is None and not caption["answer"]["written"]
    assert {"decode", "encode", "retrieve", "generate"} <= set(caption["timings"])
    asked = api.post(
        "/v1/ask/batch",
        files=[("pictures", red), ("pictures", png("blue"))],
        data={"questions": "what colour is it?"},
    ).json()
    assert [a["answer"] for a in asked["answers"]] == ["red", "blue"]
    assert asked["answers"][0]["evidence"][0]["says"][1:] == ["red"]


def test_matches_are_pairs(client: Client, red: bytes):
    prepare, made = fake()
    api = client(prepare=prepare)
    one = api.post("/v1/match", files={"picture": red}, data={"text": "a shirt"}).json()
    assert one["answer"]["fits"] and one["answer"]["model"] == {"nan": None}
    many = api.post("/v1/match/batch", files=[("pictures", red)], data={"texts": ["a", "b", "c"]})
    assert [a["text"] for a in many.json()["answers"]] == ["a", "b", "c"]
    assert made[0].calls == [1, 3]
    wrong = api.post(
        "/v1/match/batch", files=[("pictures", red)] * 2, data={"texts": ["a", "b", "c"]}
    )
    assert wrong.status_code == 422 and "2 pictures and 3 texts" in wrong.json()["detail"]


def test_a_change_of_the_memory_counts_at_once(client: Client, red: bytes):
    api = client()
    for row in api.get("/v1/rows", params={"where": 'label = "red"'}).json()["rows"]:
        api.patch("/v1/row", params={"id": row["id"]}, json={"texts": ["a crimson thing"]})
    found = api.post("/v1/caption", files={"picture": red}, data={"k": "4"}).json()
    assert found["answer"]["text"] == "a crimson thing"
    assert found["memory"]["version"] == 5


WRONG: list[tuple[Any, int, str]] = [
    ({}, 422, "There is no picture"),
    ({"picture": {}}, 422, "give a picture by one of base64, id and url"),
    ({"picture": {"id": "a", "url": "b"}}, 422, "give a picture by one of"),
    ({"picture": {"id": "nobody"}}, 404, "There is no row 'nobody' in shop.ravl."),
    ({"picture": {"id": "../../etc/passwd"}}, 404, "There is no row '../../etc/passwd'"),
    ({"picture": {"id": "/etc/passwd"}}, 404, "There is no row '/etc/passwd'"),
    ({"picture": {"base64": "%%%"}}, 422, "picture.base64"),
    ({"picture": {"base64": "aGVsbG8="}}, 422, "is not a picture of a known format"),
    ({"picture": {"url": "http://a.example/"}}, 422, "takes no pictures by URL"),
    ({"picture": {"id": "a"}, "k": 0}, 422, "k: Input should be greater"),
    ({"picture": {"id": "a"}, "colour": 1}, 422, "colour: Extra inputs"),
    ({"picture": {"id": "red/0.png"}, "run": "none"}, 404, "No run 'none' answers caption"),
    ({"picture": {"id": "red/0.png"}, "retrieval": False}, 422, "Without a generator"),
    ({"picture": {"id": "red/0.png"}, "abstain": 0.1}, 422, "how sure is sure enough"),
    ({"picture": {"id": "red/0.png"}, "instruction": "x" * 4001}, 422, "4,001 characters"),
    ({"picture": {"id": "red/0.png"}, "instruction": "a\0b"}, 422, "NUL"),
    ([], 422, "Input should be an object"),
]


def test_what_is_wrong_is_a_sentence(client: Client):
    api = client()
    for body, status, says in WRONG:
        response = api.post("/v1/caption", json=body)
        assert response.headers["content-type"] == "application/problem+json"
        found = response.json()
        assert (response.status_code, found["status"]) == (status, status), found
        assert says in found["detail"]
        assert "/tmp" not in response.text and "Traceback" not in response.text


def test_who_chooses_answers_is_not_told_how_to_write(client: Client):
    body = {"picture": {"id": "red/0.png"}, "question": "what colour is it?", "max_new_tokens": 5}
    response = client().post("/v1/ask", json=body)
    assert response.status_code == 422
    assert response.json()["detail"].startswith("shop.ravl chooses its answers and writes none, so")
    assert "max_new_tokens says nothing" in response.json()["detail"]
    body = {"pictures": [{"id": "red/0.png"}], "questions": ["why?"], "instruction": "x" * 4001}
    response = client().post("/v1/ask/batch", json=body)
    assert (response.status_code, "4,001" in response.json()["detail"]) == (422, True)


def test_a_million_characters(client: Client):
    body = {"picture": {"id": "red/0.png"}, "question": "why? " * 200_000}
    response = client().post("/v1/ask", json=body)
    assert (response.status_code, "1,000,000" in response.json()["detail"]) == (422, True)


def test_empty_questions_and_lone_surrogates(client: Client):
    api = client()
    for question in ("", "  "):
        body = {"picture": {"id": "red/0.png"}, "question": question}
        assert "empty" in api.post("/v1/ask", json=body).json()["detail"]
    raw = b'{"picture": {"id": "red/0.png"}, "question": "\\ud800"}'
    headers = {"content-type": "application/json"}
    assert api.post("/v1/ask", content=raw, headers=headers).status_code == 422
    deep = b'{"picture":' * 100_000
    assert api.post("/v1/ask", content=deep, headers=headers).status_code == 422
    assert api.post("/v1/ask", content=b"{not json", headers=headers).status_code == 422


def test_too_many_pictures(client: Client, red: bytes):
    api = client(limits=Limits(batch=3))
    over = api.post("/v1/caption/batch", json={"pictures": [{"id": "red/0.png"}] * 4})
    assert (over.status_code, over.json()["detail"][:20]) == (422, "There are 4 pictures")
    files = [("pictures", red)] * 4
    assert api.post("/v1/caption/batch", files=files).status_code == 400
    assert api.post("/v1/caption/batch", json={"pictures": []}).status_code == 422
    two = api.post("/v1/caption", files=[("picture", red), ("picture", red)])
    assert two.status_code == 400
