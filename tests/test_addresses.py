"""What a file of somebody else names is contacted only if the user has named it."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import ravl
from ravl import addresses
from ravl.encoders import load_encoder
from ravl.errors import AddressError, RavlError
from ravl.memory import Memory
from ravl.models.generation.loading import load_generator
from ravl.refitting.attempt import refit
from ravl.runs.run import add_hashes
from ravl.tasks.caption.settings import CaptionSettings
from ravl.tasks.caption.task import CaptionTask
from ravl.tasks.fit import fit
from tests.helpers import ColourEncoder
from tests.models.generation.tiny import models_beside
from tests.once import copy_of, made_once
from tests.tasks.caption.coloured import coloured

SERVER = "openai:http://192.0.2.1/v1"
MODEL = "hf:somebody/else"


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who has named nothing yet."""
    monkeypatch.setenv("RAVL_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(addresses, "_session", set())


@pytest.fixture
def contacted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every host that something tried to reach; nothing is reached."""
    asked: list[object] = []

    def refuse(*where: object, **_: object) -> Any:
        asked.append(where)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return asked


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A memory, and a run of caption whose generator is a model in a folder."""

    def make(folder: Path) -> None:
        models_beside(folder, coloured(folder / "pictures", 40))
        with Memory.open(folder / "m.ravl", ColourEncoder()) as memory:
            settings = CaptionSettings(
                model="generator",
                epochs=1,
                batch_size=8,
                k=4,
                num_evidence=1,
                num_beams=1,
                precision="full",
                generator=f"hf:{folder / 'gpt2'}",
            )
            held = {"validation": "part = 'validation'", "test": "part = 'test'"}
            CaptionTask().fit(memory, folder / "run", settings, **held, progress=False)

    return made_once(tmp_path_factory, "addresses", make)


@pytest.fixture
def foreign(made: Path, tmp_path: Path) -> Path:
    """The same as somebody else may have changed it."""
    return copy_of(made, tmp_path / "foreign")


def leaves(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in some JSON there is a text or nothing."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*way, key))
    elif value is None or isinstance(value, str):
        yield way


def put(value: Any, way: tuple[Any, ...], new: object) -> None:
    for step in way[:-1]:
        value = value[step]
    value[way[-1]] = new


@pytest.mark.parametrize("name", [SERVER, MODEL, "hf:somebody", "somebody/else"])
@pytest.mark.parametrize("file", ["run.json", "generator/generator.json"])
def test_no_text_of_a_run_leads_away(
    foreign: Path, file: str, name: str, contacted: list[object], by_name: None
) -> None:
    path, picture = foreign / "run" / file, foreign / "pictures" / "000.png"
    before = json.loads(path.read_text("utf-8"))
    for way in leaves(before):
        if len(str(way)) > 200 or way[:1] in (("notes",), ("encoder",)):
            continue
        hostile = json.loads(json.dumps(before))
        put(hostile, way, name)
        path.write_text(json.dumps(hostile), "utf-8")
        if file == "run.json":  # what is not learned is loaded by its name
            shutil.move(foreign / "run" / "generator", foreign / "aside")
        try:
            with closing(ravl.load(foreign / "run", foreign / "m.ravl")) as model:
                model.caption(picture)
        except (RavlError, KeyError, TypeError, ValueError, AttributeError):
            pass
        if file == "run.json":
            shutil.move(foreign / "aside", foreign / "run" / "generator")
        assert not contacted, way


@pytest.mark.parametrize("setting", sorted(addresses.OF_SETTINGS))
@pytest.mark.parametrize("name", [SERVER, MODEL, "somebody/else"])
def test_no_setting_of_a_run_leads_away(
    foreign: Path, setting: str, name: str, contacted: list[object], by_name: None
) -> None:
    file = foreign / "run" / "settings.yaml"
    text = "".join(
        line for line in file.read_text("utf-8").splitlines(True) if not line.startswith(setting)
    )
    file.write_text(f"{text}\n{setting}: {name}\n", "utf-8")
    with pytest.raises(RavlError):
        refit(foreign / "run", foreign / "m.ravl", promote="always", progress=False)
    task = "search" if setting == "teacher" else "caption"
    only = foreign / "only.yaml"
    only.write_text(f"{setting}: {name}\n", "utf-8")
    with pytest.raises(RavlError):
        fit(task, foreign / "m.ravl", out=foreign / "new", config=only, progress=False)
    assert not contacted


@pytest.mark.parametrize("spec", [MODEL, "hf:somebody"])
def test_no_encoder_of_a_memory_leads_away(
    spec: str, tmp_path: Path, contacted: list[object]
) -> None:
    encoder = ColourEncoder()
    encoder.spec = spec
    Memory.create(tmp_path / "m.ravl", encoder).close()
    with (
        Memory.open(tmp_path / "m.ravl") as memory,
        pytest.raises(AddressError, match=r"The memory .*m\.ravl names 'hf:.*ravl allow hf:some"),
    ):
        memory.search("red")
    assert not contacted


def test_a_server_of_a_run_is_asked_once_it_is_allowed(foreign: Path, by_name: None) -> None:
    path = foreign / "run" / "run.json"
    record = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**record, "generator": f"{SERVER}#small"}), "utf-8")
    shutil.rmtree(foreign / "run" / "generator")
    add_hashes(foreign / "run")
    with pytest.raises(AddressError, match=f"ravl allow {SERVER}$"):
        ravl.load(foreign / "run", foreign / "m.ravl")
    addresses.allow(SERVER)
    with closing(ravl.load(foreign / "run", foreign / "m.ravl")) as model:
        assert model.predictor is not None
    assert addresses.allowed() == (SERVER,)


def test_what_the_user_names_is_remembered_for_the_next_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load_generator(f"{SERVER}/#small")
    with pytest.raises(RavlError):
        load_encoder("hf:nowhere/at-all")
    monkeypatch.setattr(addresses, "_session", set())  # another process
    assert addresses.allowed() == ("hf:nowhere/at-all", SERVER)
    load_generator(f"{SERVER}#other", found_in="The run")
    assert addresses.forbid(SERVER) and not addresses.forbid(SERVER)
    with pytest.raises(AddressError):
        load_generator(SERVER, found_in="The run")


def test_the_environment_allows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAVL_ALLOW", f"hf:a/b {SERVER}")
    addresses.check(f"{SERVER}/", "A test")
    assert not addresses.file().exists()


def test_a_home_that_cannot_be_written_holds_for_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("RAVL_CONFIG", str(tmp_path / "a file" / "config"))
    addresses.allow(SERVER)
    addresses.check(SERVER, "A test")


def test_what_is_on_this_machine_needs_no_permission(tmp_path: Path) -> None:
    kept = tmp_path / "hub" / "models--a--b"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0" * 40)
    (kept / "snapshots" / ("0" * 40)).mkdir(parents=True)
    (kept / "snapshots" / ("0" * 40) / "config.json").write_text("{}")
    for name in ("builtin", "multilingual", f"hf:{tmp_path}", f"run:{tmp_path}", "trained:0"):
        addresses.allow(name)
        addresses.check(name, "A test")
    addresses.check("hf:a/b", "A test")
    assert addresses.allowed() == ()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each of them is a fork of a process")
def test_names_are_allowed_and_removed_by_several_processes_at_once(tmp_path: Path) -> None:
    """None of them loses what another one writes."""
    count, removed = 30, [f"hf:old/{i}" for i in range(30)]
    for name in removed:
        addresses.allow(name)
    begin = os.pipe()
    works: list[Callable[[int], object]] = [
        lambda i: addresses.allow(f"hf:first/{i}"),
        lambda i: addresses.allow(f"hf:second/{i}"),
        lambda i: addresses.forbid(f"hf:old/{i}"),
    ]
    children = []
    for work in works:
        if not (child := os.fork()):
            os.read(begin[0], 1)
            for i in range(count):
                work(i)
            os._exit(0)
        children.append(child)
    os.write(begin[1], b"all")
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(works)
    expected = {f"hf:{who}/{i}" for who in ("first", "second") for i in range(count)}
    assert set(addresses.file().read_text().split()) == expected


def test_a_damaged_file_of_names_is_kept() -> None:
    addresses.file().parent.mkdir(parents=True)
    addresses.file().write_bytes(b"hf:a/b\n\xff\xfe\n")
    assert "hf:a/b" in addresses.allowed()
    addresses.allow(MODEL)
    assert addresses.file().read_bytes() == b"hf:a/b\n\xff\xfe\n" + MODEL.encode() + b"\n"
