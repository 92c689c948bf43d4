"""A seventh task in a package of its own: fitted, evaluated, tuned, served, shown, from the shell.

Nothing in ravl names it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from starlette.testclient import TestClient

from ravl.cli import cli
from ravl.errors import DataError
from ravl.memory import Memory
from ravl.refitting import refit
from ravl.serving.app import create_app
from ravl.serving.service import Service
from ravl.tasks import registry
from ravl.tasks.fit import fit
from ravl.tasks.model import load
from ravl.testing.task_contract import TaskContract
from tests.cli.conftest import run as shell_run
from tests.helpers import ColourEncoder
from tests.plugins.install import PLUGINS, install, visible
from tests.plugins.numbered import numbered
from tests.serving.helpers import patient

run_ravl = shell_run  # a fixture of the tests of the shell


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


@contextmanager
def serve(run: Path) -> Iterator[TestClient]:
    """A client of a server of a run."""
    service = Service([run], limits=patient())
    service.warm_up()
    app = create_app(service)
    with TestClient(app, base_url="http://localhost", client=("127.0.0.1", 9)) as api:
        yield api


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


def test_from_the_shell_to_a_server(
    shop: Memory, tmp_path: Path, run_ravl: Any, by_name: None
) -> None:
    run = run_ravl
    out, picture = tmp_path / "run", tmp_path / "new.png"
    picture.write_bytes(shop.picture_bytes("001.png"))
    code, said, err = run("fit", "rate", shop.path, "--out", out, "--column", "number")
    assert code == 0, err
    assert "MAE" in said
    assert "the median of training" in (out / "report.html").read_text("utf-8")
    assert "gives a picture a number" in (out / "README.md").read_text("utf-8")
    code, said, err = run("rate", out, picture, "--evidence", "1")
    assert code == 0, err
    assert "±" in said
    code, said, err = run("evaluate", out, "--data", "number > 50", "--json")
    assert code == 0, err
    assert json.loads(said)["rows"]["with_retrieval"]["MAE"]["value"] > 0
    code, said, err = run(
        "tune", "rate", shop.path, "--out", tmp_path / "tuned", "--trials", 2, "--model", "vote"
    )
    assert code == 0, err
    code, said, err = run("info", "--plugins")
    assert "ravl_rate.task:RateTask" in said
    with serve(out) as api:
        answer = api.post("/v1/rate", files={"picture": picture.read_bytes()}).json()["answer"]
        assert 0 < answer["number"] < 120
        assert answer["evidence"][0]["says"]
        schema = api.get("/v1/openapi.json").json()["components"]["schemas"]["RateAnswer"]
        assert {"number", "error", "evidence"} <= set(schema["properties"])


def test_a_refit_says_that_the_task_has_none(shop: Memory, tmp_path: Path) -> None:
    fit("rate", shop, out=tmp_path / "run", progress=False)
    with pytest.raises(DataError, match="rate cannot be refitted"):
        refit(tmp_path / "run", shop, progress=False)


def test_its_commands_go_with_the_package(installed: Path, monkeypatch: Any) -> None:
    """A command that was looked up once is not kept when its package has gone."""
    context = click.Context(cli)
    fits = cli.get_command(context, "fit")
    assert isinstance(fits, click.Group)
    assert "rate" in cli.list_commands(context)
    assert cli.get_command(context, "rate") is cli.get_command(context, "rate")
    assert fits.get_command(context, "rate") is not None
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(installed)])
    assert "rate" not in cli.list_commands(context)
    assert cli.get_command(context, "rate") is None
    assert fits.get_command(context, "rate") is None
