"""A run that is cut off at any moment while versions are exchanged still loads."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from ravl.errors import DataError
from ravl.memory import Memory
from ravl.refitting import versions
from ravl.refitting.versions import current, mend, replace_champion, rollback
from ravl.tasks.model import Model
from tests.helpers import COLOURS, ColourEncoder, draw


class Cut(BaseException):
    """The power is gone."""


STEPS = (
    (Path, "rename"),
    (Path, "replace"),
    (Path, "unlink"),
    (Path, "write_text"),
    (Path, "mkdir"),
    (os, "link"),
    (shutil, "rmtree"),
    (shutil, "copytree"),
)


@pytest.fixture
def two(two_versions, tmp_path):
    """A run of four colours, and one of six that shall replace it; the first has a folder more."""
    run = two_versions / "runs" / "run"
    (run / "logs").mkdir()
    (run / "logs" / "old.txt").write_text("a file that the other has not")
    (run / "work-refit-new" / "vision").mkdir()
    (run / "work-refit-new" / "vision" / "x.txt").write_text("a folder that the other has not")
    return run


@pytest.fixture
def shop(two, tmp_path):
    """The memory of both."""
    with Memory.open(tmp_path / "shop.ravl", ColourEncoder()) as memory:
        yield memory


def contents(folder):
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        and file.name != "run.json"
        and file.relative_to(folder).parts[0] not in versions.OURS
    }


def labels(run, memory):
    """The run answers; what it knows."""
    with Model(run, memory) as model:
        head = model.predictor.label_predictor.head
        known = tuple(model.predictor.label_predictor.labels)
        assert len(head.weight) == len(known)
        return known


OLD = ("blue", "green", "red", "yellow")
NEW = ("black", "blue", "green", "red", "white", "yellow")


def cut_after(monkeypatch, count):
    """All that touches the disk is cut off after so many steps; gives how many there were."""
    done = [0]

    def wrapped(inner):
        def step(*args, **kwargs):
            if done[0] >= count:
                raise Cut
            done[0] += 1
            return inner(*args, **kwargs)

        return step

    for owner, name in STEPS:
        monkeypatch.setattr(owner, name, wrapped(getattr(owner, name)))
    return done


def test_a_champion_is_replaced_and_kept(two, shop):
    before, after = contents(two), contents(two / "work-refit-new")
    before = {k: v for k, v in before.items() if not k.startswith("work-")}
    assert replace_champion(two, two / "work-refit-new") == 2
    assert contents(two) == after
    assert contents(two / "history" / "1") == before
    assert contents(two / "history" / "2") == after
    assert current(two) == 2
    assert labels(two, shop) == NEW
    assert not list(two.glob("work-*"))
    assert rollback(two) == 1
    assert contents(two) == before
    assert labels(two, shop) == OLD
    assert rollback(two, 2) == 2
    assert contents(two) == after
    assert json.loads((two / "refits.json").read_text())["attempts"][-1]["version"] == 2


def test_the_memory_is_found_from_every_place(two, tmp_path):
    replace_champion(two, two / "work-refit-new")
    shutil.move(tmp_path / "runs", tmp_path / "moved")
    shutil.move(tmp_path / "shop.ravl", tmp_path / "moved" / "shop.ravl")
    run = tmp_path / "moved" / "run"
    for folder in (run, run / "history" / "1", run / "history" / "2"):
        record = json.loads((folder / "run.json").read_text())
        there = (folder / record["memory"]["relative"]).resolve()
        assert there == (tmp_path / "shop.ravl").resolve()


@pytest.mark.parametrize("exchange", ["promote", "rollback"])
def test_cut_off_between_any_two_steps(two, shop, tmp_path, exchange):
    if exchange == "rollback":
        replace_champion(two, two / "work-refit-new")
    whole = shutil.copytree(two, tmp_path / "runs" / "whole")
    first, then = (OLD, NEW) if exchange == "promote" else (NEW, OLD)
    count, seen = 0, set()
    while True:
        run = tmp_path / "runs" / f"run{count}"
        shutil.copytree(whole, run)
        with pytest.MonkeyPatch.context() as patch:
            done = cut_after(patch, count)
            try:
                if exchange == "promote":
                    replace_champion(run, run / "work-refit-new")
                else:
                    rollback(run)
            except Cut:
                pass
            else:
                break
            assert done[0] == count
        found = labels(run, shop)
        assert found in (first, then)
        seen.add(found)
        mend(run)
        assert labels(run, shop) == found, "what was begun is ended, and not undone"
        assert "at" not in json.loads((run / "run.json").read_text())
        if found == then and exchange == "promote":
            assert contents(run) == contents(run / "history" / "2")
        elif exchange == "promote":
            left = [item.name for item in run.glob("work-*")]
            assert left in (["work-refit-new"], [])
        shutil.rmtree(run)
        count += 1
    assert count > 15
    assert seen == {first, then}
    assert labels(run, shop) == then


def test_a_rollback_does_not_go_back_twice(two, tmp_path):
    """Of three versions, the same command leads to the second one, wherever it was killed."""
    replace_champion(two, two / "work-refit-new")
    shutil.copytree(two / "history" / "1", two / "work-refit-third")
    assert replace_champion(two, two / "work-refit-third") == 3
    whole = shutil.copytree(two, tmp_path / "runs" / "whole")
    count, cut = 0, True
    while cut:
        run = tmp_path / "runs" / f"run{count}"
        shutil.copytree(whole, run)
        with pytest.MonkeyPatch.context() as patch:
            cut_after(patch, count)
            try:
                rollback(run)
                cut = False
            except Cut:
                pass
        assert rollback(run) == current(run) == 2, f"cut off after {count} steps"
        assert contents(run) == contents(run / "history" / "2")
        attempts = json.loads((run / "refits.json").read_text())["attempts"]
        assert [each["version"] for each in attempts] == [2] * len(attempts)
        assert "rolling back" not in json.loads((run / "run.json").read_text())
        assert rollback(run, 1) == 1 == rollback(run), "with a number it goes back further"
        shutil.rmtree(run)
        count += 1
    assert count > 10


def test_a_rollback_leads_to_the_version_that_was_replaced(two, tmp_path):
    """A version that was taken back does not come again because of its number."""
    third = shutil.copytree(two / "work-refit-new", tmp_path / "third")
    replace_champion(two, two / "work-refit-new")
    assert rollback(two) == 1
    shutil.move(third, two / "work-refit-third")
    assert replace_champion(two, two / "work-refit-third") == 3
    assert rollback(two) == 1
    assert rollback(two, 3) == 3, "forward"
    assert rollback(two) == 1, "and back again"


def test_a_refit_that_was_cut_off_before_its_exchange_is_not_undone(two, tmp_path):
    """A version that never answered is not the last one."""
    for number, name in ((2, "work-refit-new"), (3, "work-refit-third")):
        if number == 3:
            shutil.copytree(two / "history" / "1", two / name)
        assert replace_champion(two, two / name) == number
    shutil.copytree(two / "history" / "3", two / "history" / "4")
    assert rollback(two) == 2


def test_without_hard_links(two, shop, monkeypatch):
    def refuse(*_):
        raise OSError("this file system has none")

    monkeypatch.setattr(os, "link", refuse)
    replace_champion(two, two / "work-refit-new")
    assert labels(two, shop) == NEW
    rollback(two)
    assert labels(two, shop) == OLD


def test_what_there_is_not_to_go_back_to(shop, tmp_path, two):
    with pytest.raises(DataError, match="never refitted"):
        rollback(two)
    replace_champion(two, two / "work-refit-new")
    with pytest.raises(DataError, match="no version 7 to go back to; there are: 1, 2"):
        rollback(two, 7)
    shutil.rmtree(two / "history" / "1")
    with pytest.raises(DataError, match="no earlier version to go back to; there are: 2"):
        rollback(two)
    with pytest.raises(DataError, match="holds no fitted run"):
        rollback(tmp_path)


def test_a_run_that_answers_is_not_disturbed(two, shop):
    with Model(two, shop) as model:
        replace_champion(two, two / "work-refit-new")
        picture = draw(1, next(iter(COLOURS)), (48, 32))
        assert model.classify(picture).label == "red"
    assert isinstance(shop.encoder, ColourEncoder)


def test_versions_are_not_sent_along(two, tmp_path):
    from ravl.sharing.artifact import pack

    replace_champion(two, two / "work-refit-new")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    parcel = pack(two, scratch, with_memory=False, with_pictures=False, show=False)
    sent = [*parcel.files, *parcel.left_out]
    assert "predictor.safetensors" in sent
    assert not [name for name in sent if name.startswith(("history/", "refits/"))]
