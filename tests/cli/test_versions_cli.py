"""ravl diff and ravl revert from the shell."""

from __future__ import annotations

import json

import pytest

from ravl.memory import Memory
from tests.helpers import ColourEncoder, make_examples

pytestmark = pytest.mark.usefixtures("by_name")


@pytest.fixture
def shop(tmp_path):
    with Memory.create(tmp_path / "shop.ravl", ColourEncoder()) as memory:
        memory.add(make_examples(tmp_path / "pictures"))
        memory.update("red_000.png", label="crimson")
        memory.delete(["green_001.png"])
    return tmp_path / "shop.ravl"


def test_diff(run, shop):
    code, out, err = run("diff", shop, 1)
    assert (code, err) == (0, "")
    assert out == '~ red_000.png\n    label: "red" -> "crimson"\n- green_001.png\n'
    assert run("diff", shop, 2, 3)[1] == "- green_001.png\n"
    assert run("diff", shop, 3)[1] == "Nothing differs.\n"
    found = json.loads(run("diff", shop, 2, "--json")[1])
    assert [f["id"] for f in found] == ["green_001.png"]
    code, _, err = run("diff", shop, 7)
    assert code == 1 and "has no version 7; it has 0 to 3" in err


def test_revert(run, shop):
    code, out, err = run("revert", shop, 1, "--yes")
    assert (code, err) == (0, "")
    assert "1 changed back: red_000.png\n1 restored: green_001.png\n" in out
    assert "the state of version 1, with 16 rows" in out
    assert run("diff", shop, 1)[1] == "Nothing differs.\n"
    assert json.loads(run("revert", shop, 3, "--yes", "--json")[1])["deleted"] == ["green_001.png"]


def test_answers_at_a_version(run, shop, fitted, tmp_path):
    assert "green_001" not in run("search", shop, "a green thing", "-k", 9)[1]
    assert "green_001" in run("search", shop, "a green thing", "-k", 9, "--at", 1)[1]
    picture = tmp_path / "pictures" / "red_000.png"
    code, out, err = run("caption", shop, picture, "--at", 1)
    assert (code, err) == (0, "")
    memory, new = fitted / "shop.ravl", fitted / "pictures" / "red_004.png"
    before = run("classify", fitted / "vote", new)[1]
    with Memory.open(memory, ColourEncoder()) as opened:
        version = opened.history()[0].number
        opened.delete(where='label = "red"')
    code, out, err = run("classify", fitted / "vote", new, "--at", version)
    assert (code, err, out) == (0, "", before)
    assert run("classify", fitted / "vote", new)[1] != before
    assert "for memories on this machine" in run("search", "http://a", "x", "--at", 1)[2]
