from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from ravl.data import QA, Example
from ravl.memory import Memory
from ravl.serving.app import create_app
from ravl.serving.server import Server
from ravl.serving.service import Service
from tests.helpers import ColourEncoder, draw
from tests.serving.helpers import patient, png
from tests.waiting import PATIENCE, wait_until

Client = Callable[..., TestClient]


@pytest.fixture(scope="session")
def shop_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a memory of sixteen coloured pictures with texts, labels and questions."""
    tmp_path = tmp_path_factory.mktemp("shop")
    path = tmp_path / "shop.ravl"
    names = ["red", "green", "blue", "yellow"]
    with Memory.create(path, ColourEncoder()) as memory:
        (tmp_path / "pictures").mkdir()
        rows = []
        for i in range(16):
            file = tmp_path / "pictures" / f"{i}.png"
            colour = names[i % 4]
            draw(i, colour).save(file)
            rows.append(
                Example(
                    f"{colour}/{i}.png",
                    file,
                    (f"a {colour} thing",),
                    colour,
                    ("drawn",),
                    (QA("what colour is it?", (colour,)),),
                    {"price": i},
                )
            )
        memory.add(rows)
    return tmp_path


@pytest.fixture
def shop(shop_once: Path, tmp_path: Path, by_name: None) -> Path:
    """The memory, to be changed."""
    return Path(shutil.copytree(shop_once, tmp_path / "shop")) / "shop.ravl"


@pytest.fixture
def client(shop: Path) -> Iterator[Client]:
    """Makes clients of servers of that memory, or of others; closes them."""
    made: list[TestClient] = []

    def make(*places: Any, prepare: Callable[[Service], None] | None = None, **options: Any) -> Any:
        service = Service(places or [shop], **{"limits": patient(), **options})
        if prepare is not None:
            prepare(service)
        service.warm_up()
        found = TestClient(
            create_app(service),
            base_url="http://localhost",
            client=("127.0.0.1", 9),
            raise_server_exceptions=False,
        )
        made.append(found)
        return found.__enter__()

    yield make
    for each in made:
        each.__exit__(None, None, None)


def _ready(said: list[str]) -> bool:
    return any(line.startswith("  API") for line in said)


@pytest.fixture
def red() -> bytes:
    return png("red")


@pytest.fixture
def running(shop: Path) -> Iterator[Callable[..., tuple[str, Service]]]:
    """Starts real servers in threads; gives their URL and service."""
    started: list[tuple[Server, threading.Thread]] = []

    def start(*places: Any, prepare: Any = None, **options: Any) -> tuple[str, Service]:
        said: list[str] = []
        service = Service(places or [shop], **{"limits": patient(), **options})
        if prepare is not None:
            prepare(service)
        server = Server(service, "127.0.0.1", 0, said.append)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        started.append((server, thread))
        wait_until(lambda: _ready(said) or not thread.is_alive())
        assert _ready(said), "the server has ended before it was ready"
        return said[0].split()[2], service

    yield start
    for server, thread in started:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()
