"""Memories that a stranger has made, at every door: an answer or a sentence, and nothing is run."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from ravl.cli import cli
from ravl.data import QA, Example
from ravl.errors import RavlError
from ravl.memory import Memory
from ravl.serving.app import create_app
from ravl.serving.service import Service
from ravl.sharing.copies import check_memory
from ravl.sharing.pull import pull
from ravl.sharing.push import push
from ravl.tasks.model import Model
from tests.helpers import ColourEncoder, draw, make_examples, trained_on
from tests.mutations import odd_memory
from tests.serving.helpers import png
from tests.sharing.hand_made import make_place
from tests.watching import harmless

FEW, MANY = 16, 1200
SERVED = 8  # one memory in so many is served


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a memory of everything that a memory may hold, with and without heads."""
    folder = tmp_path_factory.mktemp("sound")
    for name, encoder in (("plain", ColourEncoder()), ("trained", trained_on(ColourEncoder()))):
        place = folder / name
        with Memory.create(place / "m.ravl", encoder) as memory:
            memory.add(make_examples(place / "pictures", 6))
            memory.add([Example("copied", png("red", 9), ("a red copy",))])
            memory.update("red_000.png", qa=[QA("which colour?", ("red",))], label="crimson")
            (place / "followed" / "a.png").parent.mkdir()
            for i in range(3):
                draw(30 + i, "blue").save(place / "followed" / f"{i}.png")
            (place / "followed" / "0.txt").write_text("a blue thing")
            (place / "followed" / "broken.png").write_bytes(b"\x89PNG")
            memory.sync(place / "followed", progress=False)
            (place / "followed" / "0.png").unlink()
            memory.sync(progress=False)
            memory.delete(["green_001.png"])
            memory.set_hubness(0.5)
        check_memory(place / "m.ravl")
        with Memory.create(place / "mine.ravl", encoder) as memory:
            memory.add([Example("mine", texts=("mine",))])
    return folder


def opened(file: Path) -> Memory:
    return Memory.open(file, ColourEncoder())


def _list(file: Path, _: Path) -> None:
    with opened(file) as memory:
        str(memory.info().to_json())
        rows = [row.to_json() for row in memory.rows()]
        assert len(list(memory.rows("price > 1 or label = 'red'"))) <= len(rows)
        str([version.to_json() for version in memory.history()])
        str([each.to_json() for each in memory.trashed()])
        str([each.to_json() for each in memory.quarantine()])


def _get(file: Path, _: Path) -> None:
    with opened(file) as memory:
        for row in memory.rows():
            with contextlib.suppress(RavlError):
                memory.get(row.id)
                memory.picture(row)
        memory.diff(1)


def _search(file: Path, _: Path) -> None:
    with opened(file) as memory:
        with contextlib.suppress(RavlError):
            str(memory.search("a red thing", k=3, mode="keyword").to_json())
        str(memory.search("a red thing", k=3, mode="fused").to_json())
        str(memory.search(draw(3, "blue"), k=3, where="price < 4").to_json())


def _vote(file: Path, _: Path) -> None:
    with opened(file) as memory:
        str(Model(memory).classify(draw(3, "blue")).to_json())


def _merge(file: Path, scratch: Path) -> None:
    with (
        opened(Path(shutil.copy(file.parent / "mine.ravl", scratch))) as mine,
        opened(file) as memory,
    ):
        try:
            mine.merge(memory)
        finally:
            assert "mine" in mine
            _list(scratch / "mine.ravl", scratch)  # what has come in is sound


def _export(file: Path, scratch: Path) -> None:
    with opened(file) as memory:
        memory.export(scratch / "export")


def _write(file: Path, scratch: Path) -> None:
    changes: tuple[Callable[[Memory], object], ...] = (
        lambda memory: memory.update("red_000.png", texts=["another"], columns={"price": 2}),
        lambda memory: memory.index(file.parent / "followed", progress=False),
        lambda memory: memory.sync(progress=False),
        lambda memory: memory.restore(),
        lambda memory: memory.delete(["red_000.png"]),
        lambda memory: memory.revert(1),
        lambda memory: memory.compact(),
    )
    for change in changes:
        with contextlib.suppress(RavlError), opened(file) as memory:
            change(memory)


def _share(file: Path, scratch: Path) -> None:
    data = {"m.ravl": file.read_bytes()}
    pull(make_place(scratch / "place", data, kind="memory", memory="m.ravl"), scratch / "pulled")
    push(file, scratch / "pushed", with_pictures=True, progress=False)


def _commands(file: Path, _: Path) -> None:
    for command in (
        ["list", str(file)],
        ["log", str(file)],
        ["check", str(file)],
    ):
        with contextlib.suppress(RavlError):
            error = CliRunner().invoke(cli, command).exception
            if error is not None and not isinstance(error, SystemExit):
                raise error


DOORS: tuple[Callable[[Path, Path], object], ...] = (
    lambda file, _: opened(file).close(),
    lambda file, _: check_memory(file),
    _list,
    _get,
    _search,
    _vote,
    _merge,
    _export,
    _share,
    _commands,
    _write,
)


def _serve(file: Path) -> None:
    """Whatever a server is asked, it does not break."""
    with contextlib.suppress(RavlError):
        service = Service([file])
        with contextlib.suppress(RavlError):
            service.warm_up()
        app = create_app(service)
        with TestClient(app, base_url="http://localhost", client=("127.0.0.1", 9)) as client:
            for path in ("info", "rows", "rows/red_000.png", "ready"):
                client.get(f"/v1/{path}")
            client.post("/v1/search", json={"text": "red"})
            client.post("/v1/classify", files={"picture": png("red")})


def attack(sound: Path, scratch: Path, count: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for number in range(count):
        chance = random.Random(number)
        folder = scratch / str(number)
        shutil.copytree(sound / chance.choice(["plain", "trained"]), folder)
        what = odd_memory(folder / "m.ravl", chance)
        doors = [*DOORS, *([lambda file, _: _serve(file)] if number % SERVED == 0 else [])]
        for door in doors:
            (folder / "scratch").mkdir()
            try:
                with harmless():
                    door(folder / "m.ravl", folder / "scratch")
                counts["answered"] += 1
            except RavlError:
                counts["refused"] += 1
            except Exception as error:
                error.add_note(f"memory {number}: {what}")
                raise
            shutil.rmtree(folder / "scratch")
        shutil.rmtree(folder)
    return counts


def test_some_odd_memories(sound: Path, tmp_path: Path, by_name: None) -> None:
    counts = attack(sound, tmp_path, FEW)
    assert counts["answered"] and counts["refused"]


@pytest.mark.slow
def test_many_odd_memories(sound: Path, tmp_path: Path, by_name: None) -> None:
    print(attack(sound, tmp_path, MANY))
