"""ravl suggest from the shell."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ravl.memory import Memory
from tests.labelled import shades

pytestmark = pytest.mark.usefixtures("by_name")


def test_table_json_and_page(run, fitted, tmp_path):
    code, _, err = run("suggest", fitted / "linear")
    assert code == 1 and "no picture without a label" in err
    with Memory.open(fitted / "shop.ravl") as memory:
        memory.add([replace(e, label=None) for e in shades(tmp_path / "more", 12, first=500)])
    page = tmp_path / "label.html"
    code, said, err = run("suggest", fitted / "linear", "-n", 5, "--html", page)
    assert code == 0 and "The page" in err and page.is_file()
    lines = [line.split("\t") for line in said.splitlines()]
    assert [line[0] for line in lines] == ["1", "2", "3", "4", "5"]
    assert all("tells about" in line[3] for line in lines)
    code, said, _ = run("suggest", fitted / "shop.ravl", "--json", "--count", 3)
    assert code == 0 and [one["answer"] for one in json.loads(said)] == [None] * 3
