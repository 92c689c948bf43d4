"""A task that a package adds is served, asked, corrected and shown, and nothing else names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ravl
from ravl import plugins
from tests.cli.conftest import run  # noqa: F401  (a fixture)
from tests.helpers import draw
from tests.serving.conftest import Client
from tests.serving.helpers import png
from tests.serving.shade import PLACE, Shade


@pytest.fixture(autouse=True)
def shade_is_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    table: Any = plugins.BUILTIN[plugins.TASKS]
    monkeypatch.setitem(table, "shade", PLACE)


def test_it_has_endpoints_and_is_described(client: Client, red: bytes) -> None:
    api = client()
    found = api.get("/v1/runs").json()
    assert "shade" in found["tasks"]
    assert {task["name"]: task["field"] for task in found["about"]}["shade"] == "shade"
    (offered,) = [one for one in found["runs"] if one["task"] == "shade"]
    assert offered["options"][-1] == "darker"
    one = api.post("/v1/shade", files={"picture": red}).json()["answer"]
    less = api.post("/v1/shade", files={"picture": red}, data={"darker": "10"}).json()["answer"]
    assert one["shade"] - less["shade"] == pytest.approx(10)
    assert one["evidence"][0]["thumbnail"]
    assert api.post("/v1/shade", json={"picture": {"id": "x"}, "darker": 101}).status_code == 422
    schemas = api.get("/v1/openapi.json").json()["components"]["schemas"]
    assert schemas["ShadeAnswer"]["properties"]["shade"]["type"] == "number"
    assert "darker" in schemas["ShadeMany"]["properties"]


def test_feedback_about_it_becomes_a_row(client: Client, red: bytes) -> None:
    api = client()
    body = {"task": "shade", "answer": 50.5, "verdict": "corrected", "correction": "60"}
    entry = api.post("/v1/feedback", json={**body, "picture": {"id": "red/0.png"}}).json()
    assert entry["fields"] == {"columns": {"shade": 60.0}}
    assert api.post("/v1/feedback", json={**body, "task": "shape"}).status_code == 422


def test_a_client_asks_it(running: Any) -> None:
    with ravl.Client(running()[0]) as client:
        one, two = client.predict("shade", [png("red"), png("blue")], darker=1.0)  # type: ignore[misc]
        assert isinstance(one, Shade) and isinstance(two, Shade)
        assert one.origin.memory == "shop.ravl" and one.evidence[0].id
        assert client.feedback(one, "accepted", picture=png("red")) == 1


def test_the_command_line_asks_it(shop: Path, tmp_path: Path, run: Any) -> None:  # noqa: F811
    draw(3, "red").save(tmp_path / "new.png")
    code, out, err = run("shade", shop, tmp_path / "new.png", "--darker", "5", "--evidence", "1")
    assert code == 0, err
    assert out.splitlines()[0].startswith(f"{tmp_path / 'new.png'}\t") and "seen" in out
    assert "shade" in run("--help")[1] and "--darker" in run("shade", "--help")[1]
    assert "shade" in run("fit", "--help")[1]


def test_a_model_answers_it(shop: Path) -> None:
    with ravl.load(shop) as model:
        assert isinstance(model.predict(png("red"), task="shade"), Shade)
        with pytest.raises(ravl.QueryError, match="pictures alone"):
            model.predict(png("red"), "words", task="shade")
