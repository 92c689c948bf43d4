"""Places that a stranger made: nothing leaves the folder, nothing is run, nothing half remains."""

from __future__ import annotations

import json
import sqlite3
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ravl.errors import DataError, MemoryFileError
from ravl.memory import Memory
from ravl.sharing.manifest import MOST_FILES, Manifest, is_safe
from ravl.sharing.pull import pull
from ravl.sharing.push import push
from tests.helpers import database_of
from tests.sharing.hand_made import RUN, make_place, make_run
from tests.sharing.hub_stand_in import Hub

GOOD = {"run.json": json.dumps(RUN).encode()}


def left(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*")}


@pytest.mark.parametrize(
    "name",
    [
        "../run.json",
        "a/../../b.json",
        "/etc/cron.json",
        "..",
        ".",
        "",
        "a//b.json",
        "./a.json",
        "C:/a.json",
        "C:a.json",
        "\\\\host\\share\\a.json",
        "a\\..\\b.json",
        "a.json\0.md",
        ".ssh/a.json",
        "a/.git/config.json",
        "~/a.json",
        "a./b.json",
        "b.json ",
        "CON.json",
        "a/nul.txt",
        "ravl.json",
        "RAVL.json",
        "a\nb.json",
        "x" * 300 + ".json",
        "/".join("abcdefghij") + ".json",
        "a\u202eb.json",
    ],
)
def test_names_that_leave_the_folder(tmp_path: Path, name: str) -> None:
    assert not is_safe(name)
    source = make_place(tmp_path / "source", {**GOOD, name: b"{}"})
    before = left(tmp_path)
    with pytest.raises(DataError, match="is damaged"):
        pull(source, tmp_path / "here" / "run")
    assert left(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["run.json", "fusion/model.safetensors", "衬衫.ravl", "a b/c-d.md"]
)
def test_names_that_are_fine(name: str) -> None:
    assert is_safe(name)


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        ({"format": 2}, "newer ravl"),
        ({"format": "x"}, "is damaged"),
        ({"kind": "virus"}, "kind is 'virus'"),
        ({"name": "../../x"}, "leads out of its folder"),
        ({"files": []}, "is damaged"),
        ({"files": {"a.json": {"size": -1, "sha256": "0" * 64}}}, "the size"),
        ({"files": {"a.json": {"size": 1e300, "sha256": "0" * 64}}}, "the size"),
        ({"files": {"a.json": {"size": True, "sha256": "0" * 64}}}, "the size"),
        ({"files": {"a.json": {"size": 1, "sha256": "xyz"}}}, "the hash"),
        ({"files": {"a.json": {"size": 1}}}, "is damaged"),
        ({"files": {n: {"size": 1, "sha256": "0" * 64} for n in ("A.json", "a.json")}}, "capitals"),
        ({"files": {n: {"size": 1, "sha256": "0" * 64} for n in ("a", "a/b.json")}}, "a folder"),
        ({"memory": "other.ravl"}, "not among the files"),
        ({"memory": "run.json"}, "does not end in .ravl"),
        ({"kind": "memory"}, "names no memory"),
        ({"complete": False}, "has not ended"),
        ({"complete": "yes"}, "has not ended"),
        ({"files": {f"{i}.json": 1 for i in range(MOST_FILES + 1)}}, "more than 10,000"),
    ],
)
def test_manifests_that_are_wrong(tmp_path: Path, spoil: dict[str, Any], match: str) -> None:
    source = make_place(tmp_path / "source", GOOD, **spoil)
    with pytest.raises(DataError, match=match):
        pull(source, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "{}", '{"format": 1}', "\xff", "[" * 9999])
def test_manifests_that_are_none(text: str) -> None:
    with pytest.raises(DataError, match="is damaged"):
        Manifest.read(text.encode("latin1"), "there")


def test_a_manifest_that_never_ends(tmp_path: Path) -> None:
    source = make_place(tmp_path / "source", GOOD)
    with (source / "ravl.json").open("r+b") as file:
        file.truncate(2**34)  # of holes
    with pytest.raises(DataError, match="more than"):
        pull(source, tmp_path / "run")


def test_files_that_are_others(tmp_path: Path) -> None:
    source = make_place(tmp_path / "source", {**GOOD, "report.html": b"as it was"})
    (source / "report.html").write_bytes(b"as it is!")
    with pytest.raises(DataError, match=r"report\.html in .* is damaged"):
        pull(source, tmp_path / "run")
    with (source / "report.html").open("r+b") as file:
        file.truncate(2**34)  # far more than was promised: not all of it is read
    with pytest.raises(DataError, match="is damaged"):
        pull(source, tmp_path / "run")
    (source / "report.html").unlink()
    with pytest.raises(DataError, match="is missing"):
        pull(source, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_more_than_the_disk_holds(tmp_path: Path) -> None:
    files = {"run.json": {"size": 2**50, "sha256": "0" * 64}}
    source = make_place(tmp_path / "source", GOOD, files=files)
    with pytest.raises(DataError, match="MB to spare"):
        pull(source, tmp_path / "run")


def test_code_is_left_out(tmp_path: Path) -> None:
    code = {
        "model.pkl": b"x",
        "weights.bin": b"x",
        "setup.py": b"x",
        "run.sh": b"x",
        "m.pt": b"x",
        "lib.so": b"x",
        "noending": b"x",
    }
    source = make_place(tmp_path / "source", {**GOOD, **code})
    got = pull(source, tmp_path / "run")
    assert got.left_out == sorted(code)
    assert left(tmp_path / "run") == {"run.json", "ravl.json"}


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({"run.json": b"{"}, "is damaged"),
        ({"run.json": b'{"format": 1}'}, "is damaged"),
        ({"run.json": json.dumps({**RUN, "format": 99}).encode()}, "newer ravl"),
        ({"metrics.json": b"{}"}, "it is no run"),
    ],
)
def test_runs_that_are_none(tmp_path: Path, files: dict[str, bytes], match: str) -> None:
    source = make_place(tmp_path / "source", files)
    with pytest.raises(DataError, match=match):
        pull(source, tmp_path / "run")
    assert left(tmp_path) == {"source", "source/ravl.json", *(f"source/{n}" for n in files)}


def test_an_export_does_not_touch_the_cache(tmp_path: Path, monkeypatch: Any) -> None:
    """Using an export puts its encoder into the cache; fetching a stranger's must not."""
    monkeypatch.setenv("RAVL_CACHE", str(tmp_path / "cache"))
    export = {"export.json": b'{"format": 1, "networks": {}}', "encoder/builtin-9/x.onnx": b"evil"}
    pull(make_place(tmp_path / "source", {**GOOD, **export}), tmp_path / "run")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("contents", [{}, {"predictor.safetensors": b"of a stranger"}])
def test_a_run_whose_files_are_not_those_of_its_fit(
    tmp_path: Path, contents: dict[str, bytes]
) -> None:
    """The manifest agrees with the files, and run.json with neither."""
    files = {"predictor.safetensors": {"size": 7, "sha256": sha256(b"weights").hexdigest()}}
    run = {"run.json": json.dumps({**RUN, "files": files}).encode()}
    source = make_place(tmp_path / "source", {**run, **contents})
    with pytest.raises(DataError, match="predictor.safetensors is not the file that the fit"):
        pull(source, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    source = make_place(tmp_path / "good", {**run, "predictor.safetensors": b"weights"})
    pull(source, tmp_path / "run")


def test_a_run_that_has_changed_is_not_pushed(fitted: Path, tmp_path: Path) -> None:
    push(fitted / "vote", tmp_path / "place")
    (fitted / "vote" / "predictor.safetensors").write_bytes(b"altered")
    with pytest.raises(DataError, match="predictor.safetensors is missing or damaged"):
        push(fitted / "vote", tmp_path / "place")


def test_a_generator_that_is_elsewhere_is_named(tmp_path: Path) -> None:
    record = {**RUN, "generator": "openai:http://evil.example/v1"}
    source = make_place(tmp_path / "source", {"run.json": json.dumps(record).encode()})
    assert "openai:http://evil.example/v1" in pull(source, tmp_path / "run").notes[0]


@pytest.mark.parametrize(
    ("sql", "match"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON rows BEGIN DELETE FROM rows; END", "has a trigger, 't'"),
        ("CREATE VIEW v AS SELECT 1", "has a view, 'v'"),
        ("PRAGMA user_version = 99", "newer ravl"),
        ("PRAGMA application_id = 1", "not a ravl memory"),
        ("DROP TABLE pictures", "not a ravl memory"),
    ],
)
def test_memories_with_surprises(memory: Memory, tmp_path: Path, sql: str, match: str) -> None:
    push(memory.path, tmp_path / "place")
    file = tmp_path / "place" / "test.ravl"
    connection = sqlite3.connect(file)
    connection.execute(sql)
    connection.commit()
    connection.close()
    make_place(
        tmp_path / "place", {"test.ravl": file.read_bytes()}, kind="memory", memory="test.ravl"
    )
    with pytest.raises(MemoryFileError, match=match):
        pull(tmp_path / "place", tmp_path / "here")
    assert not (tmp_path / "here").exists()
    assert not list(tmp_path.glob(".here*"))


def test_an_encoder_that_is_elsewhere_is_named(memory: Memory, tmp_path: Path) -> None:
    with database_of(memory).transaction() as connection:
        sql = "UPDATE spaces SET fingerprint = replace(fingerprint, 'colour', 'hf:evil/clip')"
        connection.execute(sql)
    push(memory.path, tmp_path / "place", with_pictures=True)
    assert "hf:evil/clip" in pull(tmp_path / "place", tmp_path / "here").notes[-1]


def test_a_memory_that_is_none(tmp_path: Path) -> None:
    source = make_place(tmp_path / "source", {"a.ravl": b"SQLite"}, kind="memory", memory="a.ravl")
    with pytest.raises(MemoryFileError, match="not a ravl memory"):
        pull(source, tmp_path / "here")


def test_links_beside_are_not_followed(tmp_path: Path) -> None:
    source = make_place(tmp_path / "source", GOOD)
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / ".run.pulling").symlink_to(outside)
    with pytest.raises(DataError, match="is in the way"):
        pull(source, tmp_path / "run")
    assert not left(outside)


def test_links_in_the_folder_are_replaced(tmp_path: Path) -> None:
    source = make_place(tmp_path / "source", {**GOOD, "report.html": b"one"})
    pull(source, tmp_path / "run")
    other = tmp_path / "other.html"
    other.write_bytes(b"mine")
    (tmp_path / "run" / "report.html").unlink()
    (tmp_path / "run" / "report.html").symlink_to(other)
    pull(make_place(source, {**GOOD, "report.html": b"two"}), tmp_path / "run", force=True)
    assert other.read_bytes() == b"mine"
    assert not (tmp_path / "run" / "report.html").is_symlink()


def test_a_hub_that_says_another_size(hub: Hub, tmp_path: Path) -> None:
    push(make_run(tmp_path / "run"), "hf:me/run")
    repo = hub.repos["models/me/run"]
    sha = repo.branches["main"]
    repo.commits[sha]["predictor.safetensors"] = b"x" * 1000
    with pytest.raises(DataError, match=r"predictor\.safetensors in hf:me/run is not what"):
        pull("hf:me/run", tmp_path / "here")
    repo.commits[sha]["predictor.safetensors"] = b"WEIGHTS"
    with pytest.raises(DataError, match=r"predictor\.safetensors in hf:me/run is not what"):
        pull("hf:me/run", tmp_path / "here")
    repo.commits[sha]["ravl.json"] = b" " * (16 * 2**20 + 1)
    with pytest.raises(DataError, match=r"ravl\.json in hf:me/run is not what"):
        pull("hf:me/run", tmp_path / "here")
