"""Clients of real servers, called alike: the local API, ``Client`` and ``AsyncClient``."""

from __future__ import annotations

import asyncio
import inspect
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ravl
from ravl.memory import Memory
from ravl.serving.service import Service
from tests.helpers import ColourEncoder
from tests.once import made_once
from tests.serving.conftest import red, running, shop, shop_once  # noqa: F401  (fixtures)

Running = Callable[..., tuple[str, Service]]
KINDS = ("sync", "async")


class Waiting:
    """An ``AsyncClient`` that waits for what it is asked, on a loop of its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.client = ravl.AsyncClient(*args, **options)

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            found = getattr(self.client, name)(*args, **options)
            if inspect.iscoroutine(found):
                return self.loop.run_until_complete(found)
            return self._items(found)

        return call

    def __repr__(self) -> str:
        return repr(self.client)

    def _items(self, found: Any) -> Iterator[Any]:
        iterator = aiter(found)
        while True:
            try:
                yield self.loop.run_until_complete(anext(iterator))
            except StopAsyncIteration:
                return

    def close(self) -> None:
        self.loop.run_until_complete(self.client.aclose())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., Any]]:
    """Makes clients, of ``kind`` sync or async; closes them."""
    made: list[Any] = []

    def make(url: str, kind: str = "sync", **options: Any) -> Any:
        made.append((ravl.Client if kind == "sync" else Waiting)(url, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest, running: Running, connect: Any) -> Any:  # noqa: F811
    """A client of a server of ``shop``."""
    return connect(running()[0], request.param)


@pytest.fixture(scope="session")
def texts_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a memory, ``strips.ravl``, and a match run of it."""
    from tests.training.painted_texts import strips_memory

    return made_once(tmp_path_factory, "texts", lambda folder: strips_memory(folder, 40))


@pytest.fixture
def texts(texts_once: Path, tmp_path: Path, by_name: None) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(texts_once, tmp_path / "texts"))


@pytest.fixture(scope="session")
def runs_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a memory, ``shop.ravl``, and three runs of it that are fitted in no time."""
    from ravl.tasks.fit import fit
    from tests.labelled import shades  # imports torch

    def make(folder: Path) -> None:
        with Memory.create(folder / "shop.ravl", ColourEncoder()) as memory:
            memory.add(shades(folder / "pictures"))
            fits = (
                ("linear", "classify", "linear"),
                ("vote", "classify", "vote"),
                ("tags", "tag", "vote"),
            )
            for name, task, model in fits:
                fit(task, memory, out=folder / name, model=model, progress=False)

    return made_once(tmp_path_factory, "runs", make)


@pytest.fixture
def runs(runs_once: Path, tmp_path: Path, by_name: None) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(runs_once, tmp_path / "runs"))


@pytest.fixture
def memory_of(shop: Path) -> Iterator[Memory]:  # noqa: F811
    """The memory that the server answers from."""
    with Memory.open(shop) as memory:
        yield memory
