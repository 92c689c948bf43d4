"""What is pulled is what was pushed, wherever it lay in between."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import ravl
from ravl.errors import DataError
from ravl.memory import Memory
from ravl.sharing.pull import pull
from ravl.sharing.push import push
from tests.helpers import ColourEncoder, database_of

pytestmark = pytest.mark.usefixtures("by_name")


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def without_paths(answer: dict[str, Any]) -> dict[str, Any]:
    """Where a picture's file was is not known where it came along inside."""
    return {**answer, "evidence": [{**e, "picture": None} for e in answer["evidence"]]}


def test_a_run_with_its_memory_answers_the_same(fitted: Path, tmp_path: Path, place: str) -> None:
    picture = sorted((fitted / "pictures").iterdir())[3]
    with ravl.load(fitted / "linear") as model:
        expected = model.classify([picture])[0].to_json()
    sent = push(fitted / "linear", place, with_memory=True, with_pictures=True)
    shutil.rmtree(fitted / "linear")
    picture = Path(shutil.copy(picture, tmp_path / picture.name))
    (fitted / "shop.ravl").unlink()
    shutil.rmtree(fitted / "pictures")

    got = pull(place, tmp_path / "here" / "linear")

    assert got.moved == sent.moved
    assert "shop.ravl" in got.moved
    with ravl.load(tmp_path / "here" / "linear") as model:
        found = model.classify([picture])[0]
        assert without_paths(found.to_json()) == without_paths(expected)
        assert model.memory.path == (tmp_path / "here" / "linear" / "shop.ravl").resolve()
        model.memory.picture(found.evidence[0].row)  # inside, as its file is gone


def test_a_fusion_run_without_its_memory(fitted: Path, tmp_path: Path, place: str) -> None:
    picture = sorted((fitted / "pictures").iterdir())[3]
    with ravl.load(fitted / "fusion") as model:
        expected = model.classify([picture])[0].to_json()
    sent = push(fitted / "fusion", place)
    assert "--with-memory" in sent.notes[0]
    got = pull(place, tmp_path / "pulled")
    assert "--memory shop.ravl" in got.notes[0]
    with ravl.load(tmp_path / "pulled", fitted / "shop.ravl") as model:
        assert model.classify([picture])[0].to_json() == expected


def test_a_memory_has_the_same_rows_and_finds_the_same(
    memory: Memory, tmp_path: Path, place: str
) -> None:
    sent = push(memory.path, place)
    assert "16 of 16 pictures" in sent.notes[0]
    got = pull(place, tmp_path / "pulled")
    assert "16 pictures" in got.notes[0]
    with Memory.open(tmp_path / "pulled" / "test.ravl", ColourEncoder()) as pulled:
        assert [(r.number, r.id, r.texts, r.hash) for r in pulled] == [
            (r.number, r.id, r.texts, r.hash) for r in memory
        ]
        mine, theirs = memory.search("red", k=5), pulled.search("red", k=5)
        assert [(h.id, h.score) for h in mine] == [(h.id, h.score) for h in theirs]
        journal = database_of(pulled).connection.execute("PRAGMA journal_mode").fetchone()
        assert journal == ("wal",), "readers would wait for writers"


def test_again_only_what_changed_goes(fitted: Path, tmp_path: Path, place: str) -> None:
    run = fitted / "linear"
    push(run, place)
    assert push(run, place).moved == []
    pull(place, tmp_path / "pulled")
    assert pull(place, tmp_path / "pulled").moved == []

    (run / "report.html").write_text("<p>new</p>", "utf-8")
    (run / "settings.yaml").unlink()
    again = push(run, place)
    assert (again.moved, again.removed) == (["report.html"], 1)
    got = pull(place, tmp_path / "pulled")
    assert (got.moved, got.removed) == (["report.html"], 1)
    here = files(tmp_path / "pulled")
    assert here["report.html"] == b"<p>new</p>"
    assert "settings.yaml" not in here
    assert files(tmp_path / "pulled").keys() == set(json.loads(here["ravl.json"])["files"]) | {
        "ravl.json"
    }


def test_something_else_is_not_overwritten(fitted: Path, place: str) -> None:
    push(fitted / "linear", place)
    with pytest.raises(DataError, match="holds the run 'linear', not the run 'vote'"):
        push(fitted / "vote", place)
    if not place.startswith("hf:"):  # a repository of the hub has one type, so that it is another
        with pytest.raises(DataError, match="holds the run 'linear', not the memory 'shop'"):
            push(fitted / "shop.ravl", place)
    assert "run.json" in push(fitted / "vote", place, force=True).moved


def test_nothing_there(tmp_path: Path, place: str) -> None:
    with pytest.raises(DataError, match="There is nothing to pull"):
        pull(place, tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()


def test_the_python_names() -> None:
    assert ravl.push is push
    assert ravl.pull is pull
