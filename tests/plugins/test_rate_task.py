"""A seventh task in a package of its own: fitted, evaluated, tuned, served, shown, from the shell.

Nothing in ravl names it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ravl.memory import Memory
from ravl.tasks import registry
from ravl.tasks.model import load
from ravl.testing.task_contract import TaskContract
from tests.helpers import ColourEncoder
from tests.plugins.install import PLUGINS, install, visible
from tests.plugins.numbered import numbered


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that the package is installed in; this process sees it."""
    site = tmp_path_factory.mktemp("site")
    install(site, PLUGINS / "ravl_rate")
    with visible(site):
        yield site
    registry.task.cache_clear()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> Iterator[Memory]:
    folder = tmp_path_factory.mktemp("numbered")
    with Memory.create(folder / "shop.ravl", ColourEncoder()) as memory:
        memory.add(numbered(folder / "pictures"))
        yield memory


class TestRate(TaskContract):
    task = "rate"

    @pytest.fixture(scope="class")
    @classmethod
    def memory(cls, shop: Memory) -> Memory:
        return shop

    def test_the_neighbours_and_the_regression_find_the_number(self, run: Path) -> None:
        rows = json.loads((run / "metrics.json").read_text("utf-8"))["rows"]
        errors = {name: scores["MAE"]["value"] for name, scores in rows.items()}
        assert errors["with_retrieval"] < 0.5 * errors["zero_shot"]
        assert set(errors) == {"zero_shot", "vote", "no_retrieval", "with_retrieval"}

    def test_a_correction_moves_the_answer_at_once(self, run: Path, memory: Memory) -> None:
        with load(run, memory) as model:
            picture = memory.picture_bytes("000.png")
            (before,) = model.predict([picture], vote_only=True, k=1)
            assert before.evidence[0].id == "000.png"
            old = memory.get("000.png").columns["number"]
            memory.update("000.png", columns={"number": 777.0})
            try:
                (after,) = model.predict([picture], vote_only=True, k=1)
            finally:
                memory.update("000.png", columns={"number": old})
        assert float(before.said) == pytest.approx(float(str(old)), abs=0.1)
        assert float(after.said) == pytest.approx(777, abs=0.1)
