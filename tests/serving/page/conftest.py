"""A browser, and a server whose every task answers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ravl.data import QA
from ravl.memory import Memory
from ravl.serving.keys import SCOPES, Keys, new_key
from ravl.serving.models import Served
from ravl.serving.service import Service
from ravl.tasks.ask.writing import OpenAskPipeline
from tests.serving.helpers import FakeModel, png
from tests.serving.test_streaming import Typist, WithGenerator

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
PATIENCE = 300_000  # milliseconds; machines that test are busy


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("there is no Chromium; apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield browser
        browser.close()


class Tab:
    """A page in the browser, and what went wrong in it."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(**{"locale": "en-GB", **options})
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.expected = ("Failed to load resource",)  # what a browser says of each 4xx
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._said)

    def _said(self, message: Any) -> None:
        if message.type == "error" and not message.text.startswith(self.expected):
            self.errors.append(message.text)


@pytest.fixture
def tab(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages; afterwards, none of them may have had an error, or broken its policy."""
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
    made: list[Tab] = []

    def make(url: str, **options: Any) -> Any:
        tab = Tab(chromium, **options)
        made.append(tab)
        tab.page.goto(url)
        return tab.page

    yield make
    for each in made:
        each.context.close()
    assert [error for each in made for error in each.errors] == []


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture to be asked about."""
    file = tmp_path / "new.png"
    file.write_bytes(png("red", 99))
    return file


@pytest.fixture
def typist() -> Typist:
    """Writes captions and answers."""
    return Typist()


@pytest.fixture
def whole(fitted: Path, typist: Typist, by_name: None) -> tuple[list[Path], Any]:
    """Runs that classify and tag, and what lets a service match and write as well."""
    with Memory.open(fitted / "shop.ravl") as memory:
        for i, colour in enumerate(("red", "green", "blue", "yellow")):
            memory.update(f"{colour}_{i:03}.png", qa=[QA("what colour is it?", (colour,))])

    def prepare(service: Service) -> None:
        caption: Any = WithGenerator(service.memory, typist)
        ask: Any = WithGenerator(service.memory, typist)
        ask.predictor = OpenAskPipeline(service.memory, generator=typist)
        match: Any = FakeModel(service.memory)
        batcher = service._batcher("typist")
        service.models += [Served("fake", "match", match, service._batcher("fake"))]
        for task, model in (("caption", caption), ("ask", ask)):
            service.models.insert(2, Served("typist", task, model, batcher))

    return [fitted / "linear", fitted / "vote", fitted / "tags"], prepare


@pytest.fixture
def site(running: Any, whole: tuple[list[Path], Any]) -> str:
    """The address of a server that answers every task."""
    runs, prepare = whole
    return str(running(*runs, prepare=prepare)[0])


@pytest.fixture
def keyed() -> tuple[Keys, dict[str, str]]:
    """Keys of all scopes."""
    made = {scope: new_key(scope) for scope in SCOPES}
    lines = ";".join(line for _, line in made.values())
    return Keys(None, {"RAVL_KEYS": lines}), {scope: key for scope, (key, _) in made.items()}
