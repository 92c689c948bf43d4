"""A run whose ``run.json`` holds anything: it opens, or a sentence says that it is damaged."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ravl.errors import RavlError
from ravl.memory import Memory
from ravl.tasks.model import Model
from tests.helpers import ColourEncoder

ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    float("nan"),
    "",
    "\0",
    "x" * 10_000,
    [],
    {},
    [[]],
    {"": 0},
)


def ways(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*way, key)
            yield from ways(inner, (*way, key))


def mutated(record: Any, draw: random.Random) -> Any:
    found = copy.deepcopy(record)
    way = draw.choice(list(ways(found)))
    inner = found
    for step in way[:-1]:
        inner = inner[step]
    if draw.random() < 0.3:
        del inner[way[-1]]
    else:
        inner[way[-1]] = draw.choice(ODD)
    return found


def attack(folder: Path, name: str, count: int) -> None:
    file = folder / name / "run.json"
    record, draw = json.loads(file.read_text("utf-8")), random.Random(name)
    with Memory.open(folder / "shop.ravl", ColourEncoder()) as memory:
        for _ in range(count):
            file.write_text(json.dumps(mutated(record, draw)), "utf-8")
            with suppress(RavlError):
                Model(folder / name, memory).close()


@pytest.mark.parametrize("name", ["vote", "linear", "tags"])
def test_some_odd_runs(fitted: Path, name: str) -> None:
    attack(fitted, name, 60)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vote", "linear", "fusion", "tags", "tagvote"])
def test_many_odd_runs(fitted: Path, name: str) -> None:
    attack(fitted, name, 1000)


@pytest.mark.parametrize("text", ["", "[", "[]", "1", '"x"', "[" * 100_000, '{"format": 1e999}'])
def test_what_is_not_json_of_a_run(fitted: Path, text: str) -> None:
    (fitted / "vote" / "run.json").write_text(text, "utf-8")
    with pytest.raises(RavlError, match="is damaged"):
        Model(fitted / "vote")
