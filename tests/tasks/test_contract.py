"""What every task promises, run over all that ravl has; the seventh is in tests/plugins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ravl import plugins
from ravl.data import Example
from ravl.memory import Memory
from ravl.tasks import registry
from ravl.testing.task_contract import TaskContract
from tests.forgetting.known import unknown_files
from tests.helpers import ColourEncoder
from tests.labelled import shades
from tests.tasks.ask.asked import asked
from tests.tasks.caption.coloured import coloured
from tests.training.tiny_bert import tiny_bert

WRITES: dict[str, Any] = {
    "model": "generator",
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "layers": 1,
    "words": 300,
    "reward_epochs": 0,
    "num_evidence": 2,
    "k": 8,
    "compare": "hidden",
}


def made(tmp_path_factory: pytest.TempPathFactory, examples: Any) -> Iterator[Memory]:
    """A memory of examples that a function draws in a folder."""
    folder = tmp_path_factory.mktemp("contract")
    with Memory.create(folder / "shop.ravl", ColourEncoder()) as memory:
        memory.add(examples(folder / "pictures"))
        yield memory


class OfRavl(TaskContract):
    """A task of ravl itself; those of packages may leave other files."""

    def test_forgetting_knows_its_files(self, run: Path) -> None:
        assert not unknown_files(run)


class OfShades(OfRavl):
    settings = {"model": "linear", "epochs": 2}

    @pytest.fixture(scope="class")
    @classmethod
    def memory(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
        yield from made(tmp_path_factory, shades)


class TestClassify(OfShades):
    task = "classify"


class TestTag(OfShades):
    task = "tag"


class TestMatch(OfShades):
    task = "match"


class TestAsk(OfShades):
    task = "ask"

    @pytest.fixture(scope="class")
    @classmethod
    def memory(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
        yield from made(tmp_path_factory, asked)


class Writes(OfRavl):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def language_model(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A small model that reads and writes."""
        folder = tiny_bert(tmp_path_factory.mktemp("bert"))
        cls.settings = {**WRITES, **cls.settings, "language_model": str(folder)}
        return folder


class TestCaption(Writes):
    task = "caption"

    @pytest.fixture(scope="class")
    @classmethod
    def memory(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
        yield from made(tmp_path_factory, lambda folder: coloured(folder, 64))


class TestOpenAsk(Writes):
    task = "ask_open"
    settings = {"answers": "open"}

    @pytest.fixture(scope="class")
    @classmethod
    def memory(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
        def examples(folder: Path) -> list[Example]:
            return [*asked(folder), Example("about", texts=("A red thing is hot.",))]

        yield from made(tmp_path_factory, examples)


def test_every_task_of_ravl_has_its_suite() -> None:
    suites = {TestClassify, TestTag, TestMatch, TestAsk, TestCaption, TestOpenAsk}
    answering = {name for name in plugins.BUILTIN[plugins.TASKS] if registry.task(name).answers}
    assert {suite.task for suite in suites} == answering
