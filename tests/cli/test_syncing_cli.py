"""ravl sync and ravl trash from the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ravl.memory import Memory
from tests.helpers import ColourEncoder, draw

pytestmark = pytest.mark.usefixtures("by_name")


@pytest.fixture
def shop(tmp_path) -> Path:
    (tmp_path / "pictures").mkdir()
    for i, colour in enumerate(("red", "green", "blue")):
        draw(i, colour).save(tmp_path / "pictures" / f"{colour}.png")
    with Memory.create(tmp_path / "shop.ravl", ColourEncoder()):
        pass
    return Path(tmp_path / "shop.ravl")


def test_sync_and_bin(run, shop):
    pictures = shop.parent / "pictures"
    code, out, err = run("sync", shop, pictures)
    assert (code, err) == (0, "")
    assert "3 new:\n  blue.png\n  green.png\n  red.png\n" in out
    assert "now has 3 rows." in out
    (pictures / "red.png").rename(pictures / "rouge.png")
    (pictures / "blue.png").unlink()
    code, out, _ = run("sync", shop, "--dry-run")
    assert "1 would be renamed:\n  red.png  ->  rouge.png\n" in out
    assert "1 would be removed, to the trash:\n  blue.png\n" in out
    found = json.loads(run("sync", shop, "--json")[1])
    assert found["renamed"] == [{"from": "red.png", "to": "rouge.png"}]
    assert (found["removed"], found["encoded"]) == (["blue.png"], 0)
    assert run("trash", shop)[1].startswith("blue.png\t")
    assert "1 restored" in run("trash", shop, "--restore")[1]
    assert json.loads(run("trash", shop, "--json")[1]) == []
    assert run("trash", shop, "--empty")[1] == "0 forgotten.\n"


def test_watching_goes_on_until_it_is_stopped(run, shop, monkeypatch):
    pictures, rounds = shop.parent / "pictures", []

    def sleep(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 1:
            draw(9, "red").save(pictures / "more.png")
        elif len(rounds) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("ravl.cli.syncing.time.sleep", sleep)
    code, out, _ = run("sync", shop, pictures, "--watch", 2)
    assert (code, rounds) == (130, [2, 2, 2])
    assert out.count("unchanged") == 2  # nothing is said where nothing happened
    assert "1 new:\n  more.png" in out


def test_what_is_wrong_is_a_sentence(run, shop):
    assert "follows no folder yet" in run("sync", shop)[2]
    assert "Use --restore or --empty, not both" in run("trash", shop, "--restore", "--empty")[2]
    assert "Give an action for these rows" in run("trash", shop, "red.png")[2]
    assert "There is no row 'red.png' in the trash" in run("trash", shop, "red.png", "--empty")[2]


def test_compact(run, shop):
    run("sync", shop, shop.parent / "pictures")
    run("delete", shop, "red.png", "--yes")
    assert run("compact", shop)[1].startswith("1 deleted rows forgotten; ")
    assert json.loads(run("compact", shop, "--json")[1])["forgotten"] == 0
