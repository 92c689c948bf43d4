"""A run whose files hold anything: it opens and answers, or a sentence says that it is damaged."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ravl.errors import RavlError
from ravl.memory import Memory
from ravl.refitting.log import read_log
from ravl.refitting.memory_changes import known_splits
from ravl.refitting.versions import rollback
from ravl.runs.drift_reference import read_reference
from ravl.runs.run import open_run
from ravl.sharing.pull import pull
from ravl.sharing.push import push
from ravl.tasks import registry
from ravl.tasks.fit import kept_settings
from ravl.tasks.model import Model
from tests.helpers import ColourEncoder, draw
from tests.mutations import odd_file
from tests.sharing.hand_made import make_place
from tests.watching import harmless

OPENED = ("run.json", "predictor.safetensors")  # by all who answer
FEW, MANY = 40, 600


def _answer(run: Path, memory: Memory) -> None:
    with Model(run, memory) as model:
        str(model.predict(draw(3, "blue")).to_json())


def _pull(run: Path, _: Memory) -> None:
    files = {file.name: file.read_bytes() for file in run.iterdir() if file.is_file()}
    pull(make_place(run / "place", files), run / "pulled")


def _card(run: Path, _: Memory) -> None:
    from ravl.pages.card import write_card

    write_card(run, registry.of_run(open_run(run)))


DOORS: tuple[Callable[[Path, Memory], object], ...] = (
    _answer,
    _pull,
    _card,
    lambda run, memory: Model(run).close(),  # with the memory that the run names
    lambda run, memory: push(run, run / "pushed", progress=False),
    lambda run, memory: read_reference(run),
    lambda run, memory: read_log(run),
    lambda run, memory: known_splits(open_run(run), memory),
    lambda run, memory: kept_settings(registry.of_run(open_run(run)), run / "settings.yaml"),
    lambda run, memory: rollback(run),
)


def attack(folder: Path, name: str, count: int) -> Counter[str]:
    """Open a run with one odd file, and look at it in all ways."""
    counts: Counter[str] = Counter()
    file = folder / name / "run.json"
    record = json.loads(file.read_text("utf-8"))
    record.pop("files", None)  # a stranger would write the hashes of odd files there
    file.write_text(json.dumps(record), "utf-8")
    (folder / name / "refits.json").write_text('{"attempts": [{"state": "kept"}]}')
    names = sorted(file.name for file in (folder / name).iterdir() if file.is_file())
    with Memory.open(folder / "shop.ravl", ColourEncoder()) as memory:
        for number in range(count):
            chance, run = random.Random(f"{name} {number}"), folder / "run"
            shutil.copytree(folder / name, run)
            what = chance.choice([*names, *OPENED, *OPENED])
            odd_file(run / what, chance)
            for door in DOORS:
                try:
                    with harmless():
                        door(run, memory)
                    counts["answered"] += 1
                except RavlError:
                    counts["refused"] += 1
                except Exception as error:
                    error.add_note(f"run {name} {number}: {what}")
                    raise
            shutil.rmtree(run)
    return counts


@pytest.mark.parametrize("name", ["vote", "linear", "tags"])
def test_some_odd_runs(fitted: Path, by_name: None, name: str) -> None:
    counts = attack(fitted, name, FEW)
    assert counts["answered"] and counts["refused"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vote", "linear", "fusion", "tags", "tagvote"])
def test_many_odd_runs(fitted: Path, by_name: None, name: str) -> None:
    print(attack(fitted, name, MANY))


@pytest.mark.parametrize(
    "text",
    ["", "[", "[]", "1", '"x"', "[" * 100_000, '{"format": 1e999}', '{"format": 2, "format": 2}'],
)
def test_what_is_not_json_of_a_run(fitted: Path, text: str) -> None:
    (fitted / "vote" / "run.json").write_text(text, "utf-8")
    with pytest.raises(RavlError, match="is damaged"):
        Model(fitted / "vote")


@pytest.mark.parametrize("version", [".", "..", "../tags", "/etc", "history/1", "history/x", 7])
def test_a_run_that_points_elsewhere(fitted: Path, version: object) -> None:
    """Only a folder of its own history stands in for it, and that one points nowhere."""
    run = fitted / "vote"
    record = json.loads((run / "run.json").read_text("utf-8")) | {"at": version}
    (run / "run.json").write_text(json.dumps(record), "utf-8")
    (run / "history" / "1").mkdir(parents=True)
    shutil.copy(run / "run.json", run / "history" / "1")
    with pytest.raises(RavlError, match="run.json"):
        open_run(run)
