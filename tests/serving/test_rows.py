"""The memory over HTTP: rows, pictures, feedback, runs, status."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ravl.memory import Memory
from tests.helpers import ColourEncoder
from tests.serving.conftest import Client

AWKWARD = ["a/b/c.png", "../up", "..", "/etc/passwd", "a?b&c#d", "ü 图 %2F", "a b", ".", '"x"']


def test_pages_of_rows(client: Client):
    api = client()
    seen, after = [], 0
    while after is not None:
        page = api.get("/v1/rows", params={"limit": 5, "after": after}).json()
        seen += [row["id"] for row in page["rows"]]
        after = page["next"]
    assert len(seen) == len(set(seen)) == 16
    few = api.get("/v1/rows", params={"where": "price < 3", "limit": 3}).json()
    assert (len(few["rows"]), few["next"]) == (3, None)
    assert api.get("/v1/rows/count", params={"where": 'label = "red"'}).json() == {"count": 4}
    wrong = api.get("/v1/rows", params={"where": "price <"})
    assert (wrong.status_code, "is not understood" in wrong.json()["detail"]) == (422, True)
    assert api.get("/v1/rows", params={"limit": "many"}).status_code == 422


def test_ids_may_hold_anything(client: Client, red: bytes):
    api = client()
    for id in AWKWARD:
        added = api.post("/v1/rows", files={"picture": red}, data={"id": id, "label": "red"})
        assert (added.status_code, added.json()["id"]) == (201, id)
        row = api.get("/v1/row", params={"id": id}).json()
        assert row["label"] == "red"
        assert api.get(row["picture"]).content == red
        assert api.get(row["thumbnail"]).status_code == 200
        change = {"tags": ["a"], "columns": {"p": 1.5}}
        changed = api.patch("/v1/row", params={"id": id}, json=change).json()
        assert (changed["tags"], changed["columns"]) == (["a"], {"p": 1.5})
        assert changed["label"] == "red"
        assert api.delete("/v1/row", params={"id": id}).json() == {"deleted": 1}
        assert api.get("/v1/row", params={"id": id}).status_code == 404


def test_rows_without_an_id_are_known_by_their_picture(client: Client, red: bytes):
    api = client()
    first = api.post("/v1/rows", files={"picture": red}, data={"tags": ["a", "b"]}).json()
    assert first["id"].startswith("added/") and first["tags"] == ["a", "b"]
    again = api.post("/v1/rows", files={"picture": red})
    assert again.status_code == 409 and "already" in again.json()["detail"]
    nothing = api.post("/v1/rows", json={"label": "x"})
    assert nothing.status_code == 422 and "neither an id nor a picture" in nothing.json()["detail"]


def test_several_rows_all_or_none(client: Client):
    api = client()
    qa = [{"question": "why?", "answers": ["because"]}]
    rows = [{"id": "n1", "texts": ["a note"]}, {"id": "n2", "qa": qa, "columns": {"a": None}}]
    found = api.post("/v1/rows/batch", json={"rows": rows}).json()["rows"]
    assert [r["id"] for r in found] == ["n1", "n2"] and found[1]["qa"] == qa
    taken = api.post("/v1/rows/batch", json={"rows": [{"id": "n3"}, {"id": "n1"}]})
    assert taken.status_code == 409
    assert api.get("/v1/row", params={"id": "n3"}).status_code == 404
    gone = api.post("/v1/rows/delete", json={"ids": ["n1", "n2"]})
    assert gone.json() == {"deleted": 2}
    assert api.post("/v1/rows/delete", json={"ids": ["n1"]}).status_code == 404
    assert api.post("/v1/rows/delete", json={}).status_code == 422
    assert api.post("/v1/rows/batch", json={"rows": []}).status_code == 422


def test_a_batch_that_is_refused_leaves_nothing(client: Client, shop: Path):
    """Not even a version, and however many rows came before the one that cannot be kept."""
    api = client()

    def state() -> tuple[int, int]:
        with Memory.open(shop, ColourEncoder()) as memory:
            return len(memory), memory.version

    before = state()
    rows = [{"id": f"n{i}", "texts": [f"note {i}"]} for i in range(20)]
    refused = api.post("/v1/rows/batch", json={"rows": [*rows, {"id": "a\0b"}]})
    assert refused.status_code == 422 and "NUL" in refused.json()["detail"]
    twice = api.post("/v1/rows/batch", json={"rows": [*rows, {"id": "n7"}]})
    assert twice.status_code == 409 and "'n7'" in twice.json()["detail"]
    assert state() == before
    assert api.post("/v1/rows/batch", json={"rows": rows}).status_code == 201
    assert state() == (before[0] + 20, before[1] + 1)


def test_two_clients_change_different_fields_of_a_row(client: Client):
    api = client()

    def change(name: str) -> None:
        for i in range(20):
            body = {"columns": {f"{name}{i}": i}}
            changed = api.patch("/v1/row", params={"id": "red/0.png"}, json=body)
            assert changed.status_code == 200

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(change, "ab"))
    columns = api.get("/v1/row", params={"id": "red/0.png"}).json()["columns"]
    assert columns == {"price": 0, **{f"{name}{i}": i for name in "ab" for i in range(20)}}


def test_a_form_holds_lists_of_objects_as_json(client: Client, red: bytes):
    api = client()
    qa = [{"question": "how many?", "answers": ["2"]}]
    sent = {"id": "new", "qa": json.dumps(qa), "columns": '{"price": 3}', "tags": ["a", "b"]}
    row = api.post("/v1/rows", files={"picture": red}, data=sent)
    assert row.status_code == 201, row.text
    assert (row.json()["qa"], row.json()["columns"]) == (qa, {"price": 3})
    assert row.json()["tags"] == ["a", "b"]
    wrong = api.post("/v1/rows", files={"picture": red}, data={"id": "w", "qa": "how many?"})
    assert "The field qa must be written as JSON" in wrong.json()["detail"]


def test_no_path_becomes_a_picture(client: Client, tmp_path: Path):
    api = client()
    api.post("/v1/rows", json={"id": "/etc/passwd", "columns": {"path": "/etc/passwd"}})
    assert api.get("/v1/picture", params={"id": "/etc/passwd"}).status_code == 404
    assert "/tmp" not in api.get("/v1/rows").text


def test_pictures_are_sniffed_and_gone_files_are_sentences(client: Client, shop: Path):
    api = client()
    assert api.get("/v1/picture?id=red/0.png").headers["content-type"] == "image/png"
    (shop.parent / "pictures" / "0.png").write_text("<script>alert(1)</script>")
    response = api.get("/v1/picture?id=red/0.png")
    assert (response.status_code, "not the one" in response.json()["detail"]) == (422, True)
    (shop.parent / "pictures" / "0.png").unlink()
    response = api.get("/v1/picture?id=red/0.png")
    assert "its file is gone" in response.json()["detail"]
    assert str(shop.parent) not in response.text


def test_thumbnails_are_cached_by_content(client: Client, shop: Path):
    api = client()
    first = api.get("/v1/thumbnail?id=red/0.png")
    assert first.headers["content-type"] == "image/jpeg"
    known = api.get("/v1/thumbnail?id=red/0.png", headers={"if-none-match": first.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    (shop.parent / "pictures" / "0.png").unlink()
    assert api.get("/v1/thumbnail?id=red/0.png").content == first.content
    other = api.get("/v1/thumbnail?id=red/0.png&side=300")
    assert other.status_code == 422  # another size has to be made, and its file is gone
    assert api.get("/v1/thumbnail?id=red/0.png&side=9999").status_code == 422


def test_feedback_is_kept_beside_the_memory(client: Client, shop: Path, red: bytes):
    api = client()
    body = {
        "task": "caption",
        "run": "memory",
        "version": 1,
        "picture": {"id": "red/0.png"},
        "answer": "a blue thing",
        "verdict": "corrected",
        "correction": "a red thing",
    }
    first = api.post("/v1/feedback", json=body)
    assert (first.status_code, first.json()["row"], first.json()["state"]) == (
        201,
        "red/0.png",
        "open",
    )
    sent = {"task": "ask", "asked": "why?", "answer": "red", "verdict": "accepted"}
    second = api.post("/v1/feedback", files={"picture": red}, data=sent).json()
    assert second["number"] == 2 and second["who"] == "anyone"
    assert api.get("/v1/feedback/2/picture").content == red
    assert api.get("/v1/feedback/1/picture").status_code == 404
    assert api.patch("/v1/feedback/1", json={"state": "used"}).json()["state"] == "used"
    assert api.patch("/v1/feedback/9", json={"state": "used"}).status_code == 404
    inbox = api.get("/v1/feedback", params={"state": "open"}).json()
    assert [e["number"] for e in inbox["entries"]] == [2]
    assert api.get("/v1/feedback", params={"limit": 1}).json()["next"] == 1
    lacks = api.post("/v1/feedback", json={**body, "correction": None})
    assert lacks.status_code == 422
    with sqlite3.connect(f"{shop}.feedback") as file:
        assert file.execute("SELECT count(*) FROM feedback").fetchone() == (2,)
    file.close()


@pytest.mark.parametrize(
    ("task", "given", "kept"),
    [
        ("classify", "hat", "hat"),
        ("tag", "new", ["new"]),
        ("tag", ["new", "red"], ["new", "red"]),
        ("match", "true", True),
        ("match", "false", False),
        ("ask", "2", "2"),
    ],
)
def test_answers_keep_their_shape_in_a_form(
    client: Client, red: bytes, task: str, given: Any, kept: Any
):
    api = client()
    sent = {"task": task, "asked": "what?", "answer": given, "verdict": "accepted"}
    found = api.post("/v1/feedback", files={"picture": red}, data=sent)
    assert found.json()["answer"] == kept
    as_json = api.post("/v1/feedback", json={**sent, "answer": kept})
    assert as_json.json()["answer"] == kept


@pytest.mark.parametrize(
    ("task", "given", "says"),
    [
        ("classify", ["a", "b"], "is one text"),
        ("match", "perhaps", "true or false"),
        ("match", [], "true or false"),
        ("ask", [], "is one text"),
        ("tag", True, "is a list of texts"),
    ],
)
def test_an_answer_of_another_task_is_a_sentence(client: Client, task: str, given: Any, says: str):
    body = {"task": task, "answer": given, "verdict": "accepted"}
    response = client().post("/v1/feedback", json=body)
    assert (response.status_code, says in response.json()["detail"]) == (422, True), response.text


def test_runs_and_their_reports(client: Client, fitted: Path, by_name: None):
    api = client(fitted / "linear", fitted / "tags")
    found = api.get("/v1/runs").json()
    assert found["tasks"] == ["search", "classify", "tag", "caption", "ask"]
    assert found["runs"][0]["name"] == "linear" and found["runs"][0]["default"]
    run = api.get("/v1/runs/linear").json()
    assert "red" in run["record"]["labels"]
    assert "accuracy" in run["metrics"]["rows"]["with_retrieval"]
    page = api.get(run["report"])
    assert page.headers["content-type"].startswith("text/html")
    assert "sandbox" in page.headers["content-security-policy"]
    assert "script-src" not in page.headers["content-security-policy"]
    for text in (api.get("/v1/runs/linear").text, api.get("/v1/runs").text):
        assert str(fitted) not in text
    for name in ("memory", "none", "..", "%2e%2e%2fshop.ravl"):
        assert api.get(f"/v1/runs/{name}").status_code == 404


def test_status_and_metrics(client: Client, red: bytes):
    api = client()
    assert api.get("/v1/ready").json()["status"] == "ready"
    api.post("/v1/caption", files={"picture": red})
    text = api.get("/v1/metrics").text
    for step in ("decode", "encode", "retrieve", "generate"):
        line = f'ravl_step_seconds_count{{model="memory",step="{step}"}}'
        assert next(x for x in text.splitlines() if x.startswith(line)).split()[1] != "0.0", step
    assert 'ravl_requests_total{method="POST",route="/v1/caption",status="200"} 1.0' in text
    assert "ravl_rows 16.0" in text
    api.app.state.service.ready = False  # type: ignore[attr-defined]
    assert api.get("/v1/ready").status_code == 503
    assert api.get("/v1/health").status_code == 200


def test_an_empty_memory_can_be_served_and_filled(client: Client, tmp_path: Path, red, by_name):
    Memory.create(tmp_path / "empty.ravl", ColourEncoder()).close()
    api = client(tmp_path / "empty.ravl")
    assert api.post("/v1/search", json={"text": "red"}).json()["hits"] == []
    assert api.post("/v1/caption", files={"picture": red}).status_code == 422
    api.post("/v1/rows", files={"picture": red}, data={"texts": "a red thing", "id": "x"})
    assert api.post("/v1/search", json={"text": "red"}).json()["hits"][0]["id"] == "x"
    caption = api.post("/v1/caption", files={"picture": red}).json()
    assert caption["answer"]["text"] == "a red thing"


def test_the_audit_log_names_no_text(client: Client, shop: Path, red: bytes):
    api = client()
    api.patch("/v1/row?id=red/0.png", json={"texts": ["very private words"]})
    lines = Path(f"{shop}.audit").read_text().splitlines()
    assert "private" not in lines[0]
    assert json.loads(lines[0])["fields"] == ["texts"]
