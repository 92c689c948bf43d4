"""ravl drift from the shell: exit codes, tables, pages."""

from __future__ import annotations

import json

import pytest

from tests.labelled import shades, table
from tests.serving.conftest import running, shop, shop_once  # noqa: F401  (fixtures)
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("by_name")


def test_exit_codes_tell_cron(run, fitted, tmp_path):
    made, shirts = fitted / "linear", tmp_path / "red"
    shades(tmp_path / "then", 40, first=1000)
    code, said, err = run("drift", made, "--reference", tmp_path / "then")
    assert (code, said, err) == (0, "", "The reference now has 40 pictures.\n")
    now = table(tmp_path / "now.csv", shades(tmp_path / "now", 40, first=2000))
    code, said, err = run("drift", made, now)
    assert (code, err) == (0, "") and said.startswith("No drift beyond chance: 40 pictures")
    assert [line.split("\t")[0] for line in said.splitlines()[1:]] == [
        "similarity of the nearest in the memory",
        "confidence",
        "disagreement of vote and model",
        "mix of answers",
    ]
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
    assert code == 2 and "Give pictures to compare" in err
    code, _, err = run("drift", fitted / "linear", tmp_path / "nothing")
    assert code == 1 and "There is no file or folder" in err
    shades(tmp_path / "few", 3)
    code, _, err = run("drift", fitted / "linear", tmp_path / "few")
    assert code == 1 and "too few to compare" in err
    code, _, err = run("drift", fitted / "shop.ravl", tmp_path / "few")
    assert code == 1 and "is a memory" in err


def test_of_a_server(run, fitted, running, tmp_path):  # noqa: F811
    shades(tmp_path / "then", 40, first=1000)
    run("drift", fitted / "linear", "--reference", tmp_path / "then")
    url, service = running(fitted / "linear", fitted / "tags", drift_window=20, drift_rate=0.02)
    assert run("drift", "--server", url) == (
        0,
        "linear: No result yet: 0 of the 20 pictures have come that are compared with "
        "fitting time.\n",
        "",
    )
    shades(tmp_path / "red", 24, ("red",), first=2000)
    assert run("classify", "--server", url, tmp_path / "red")[0] == 0
    wait_until(lambda: service.monitor.state("linear")["waiting"] == 4)
    code, said, _ = run("drift", url, "--run", "linear")
    assert code == 3
    first, since, *signals, last = said.splitlines()
    assert first.startswith("linear: Drift: 20 pictures against 40") and since.startswith(
        "The pictures differ since 20"
    )
    assert signals[-1].split("\t")[:2] == ["mix of answers", "drift"] and len(signals) == 4
    assert last == "1 of 1 windows alarmed; the next window has 4 of 20 pictures."
    code, said, _ = run("drift", "--server", url, "--json")
    found = json.loads(said)
    assert (code, found["run"], found["signals"][3]["signal"]) == (3, "linear", "answers")


def test_what_a_server_does_not_tell_is_a_sentence(run, running, tmp_path):  # noqa: F811
    url, _ = running()
    for arguments, says in (
        ((tmp_path,), "leave PICTURES out"),
        (("--rate", 0.1), "--rate is for runs"),
        (("--image-column", "x"), "--image-column is for runs"),
        ((), f"There is no run at {url}"),
        (("--run", "no"), "There is no run 'no'"),
    ):
        code, said, err = run("drift", "--server", url, *arguments)
        assert code in (1, 2) and said == "" and says in err
    code, _, err = run("drift", tmp_path, tmp_path, "--run", "linear")
    assert code == 2 and "--run and --key-file are for servers" in err
