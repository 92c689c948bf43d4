"""ravl drift from the shell: exit codes, tables, pages."""

from __future__ import annotations

import json

import pytest

from tests.labelled import shades, table

pytestmark = pytest.mark.usefixtures("by_name")


def test_exit_codes_tell_cron(run, fitted, tmp_path):
    made, shirts = fitted / "linear", tmp_path / "red"
    shades(tmp_path / "then", 40, first=1000)
    code, said, err = run("drift", made, "--reference", tmp_path / "then")
    assert (code, said, err) == (0, "", "The reference is now of 40 pictures.\n")
    now = table(tmp_path / "now.csv", shades(tmp_path / "now", 40, first=2000))
    code, said, err = run("drift", made, now)
    assert (code, err) == (0, "") and said.startswith("No drift beyond chance: 40 pictures")
    assert [line.split("\t")[0] for line in said.splitlines()[1:]] == [
        "likeness of the nearest in the memory", "confidence", "disagreement of vote and model",
        "mix of answers",
    ]  # fmt: skip
    shades(shirts, 30, ("red",), first=2000)
    page = tmp_path / "drift.html"
    code, said, _ = run("drift", made, shirts, "--html", page)
    assert code == 3 and said.startswith("Drift: 30 pictures") and f"The page: {page}" in said
    assert "red_2003.png" in page.read_text("utf-8")


def test_json(run, fitted, tmp_path):
    shades(tmp_path / "red", 30, ("red",), first=2000)
    shades(tmp_path / "then", 40, first=1000)
    code, said, _ = run(
        "drift", fitted / "tags", tmp_path / "red", "--reference", tmp_path / "then", "--json"
    )
    found = json.loads(said)
    assert code == 3 and found["drifted"] and found["reference"] == 40 and found["rate"] == 0.05
    assert len(found["furthest"]) == 10 and found["furthest"][0]["nearest"]


def test_what_goes_wrong_is_a_sentence(run, fitted, tmp_path):
    code, _, err = run("drift", fitted / "linear")
    assert code == 2 and "Name pictures to compare" in err
    code, _, err = run("drift", fitted / "linear", tmp_path / "nothing")
    assert code == 1 and "There is no file or folder" in err
    shades(tmp_path / "few", 3)
    code, _, err = run("drift", fitted / "linear", tmp_path / "few")
    assert code == 1 and "too few to compare" in err
    code, _, err = run("drift", fitted / "shop.ravl", tmp_path / "few")
    assert code == 1 and "is a memory" in err
