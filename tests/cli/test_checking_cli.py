"""ravl check from the shell."""

from __future__ import annotations

import json

import pytest

from ravl.checking.issue import FIXES, KINDS
from ravl.cli import checking
from ravl.memory import Memory
from tests.checking.planted import FLIPPED, spoiled
from tests.helpers import ColourEncoder

pytestmark = pytest.mark.usefixtures("by_name")


@pytest.fixture
def shop(tmp_path):
    with spoiled(tmp_path) as memory:
        return memory.path


def test_check(run, shop, tmp_path):
    code, out, err = run("check", shop, "--html", tmp_path / "check.html")
    assert code == 0 and "mislabel 3" in err and "broken 2" in err
    assert any(line.startswith("mislabel\t0.9") for line in out.splitlines())
    page = (tmp_path / "check.html").read_text("utf-8")
    assert f"ravl update {shop} {FLIPPED[0]} --label red" in page
    assert f"ravl check {shop} --kind broken --fix drop --id gone.png" in page
    assert "<script" not in page and "http:" not in page and "https:" not in page
    found = json.loads(run("check", shop, "--fast", "--json")[1])
    assert found["counts"]["mislabel"] == 3 and "broken" not in found["counts"]


def test_fix(run, shop):
    code, out, err = run("check", shop, "--fix", "relabel", "--id", FLIPPED[0], "--dry-run")
    assert (code, out) == (0, f"{FLIPPED[0]}: blue -> red\n") and "dry run" in err
    code, out, err = run("check", shop, "--kind", "broken", "--fix", "drop", "--json")
    done = json.loads(out)
    assert code == 0 and sorted(done["dropped"]) == ["cut.png", "gone.png"]
    code, _, err = run("check", shop, "--fix", "relabel", "--least", "0.7")
    back = err.split("undo it with: ravl ")[1].split()
    assert run(*back, "--yes")[0] == 0
    with Memory.open(shop, ColourEncoder()) as memory:
        assert memory.get(FLIPPED[0]).label == "blue" and "gone.png" not in memory
    assert "nothing to merge" in run("check", shop, "--fix", "merge", "--least", "1")[1]


def test_wrong_lines(run, shop):
    assert run("check", shop, "--dry-run")[0] == 2
    assert run("check", shop, "--kind", "typo")[0] == 2
    code, _, err = run("check", shop, "--html", shop.parent / "none" / "check.html")
    assert code == 2 and "There is no folder" in err
    code, _, err = run("check", shop, "--fix", "drop", "--kind", "blank", "--id", "red_004.png")
    assert code == 1 and "There is no finding about the row 'red_004.png'" in err


def test_names_are_those_of_the_check():
    assert tuple(checking.KINDS) == KINDS and checking.FIXES == FIXES
