"""Four processes change one memory at the same time; afterwards exactly their changes are there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ravl.memory import Memory
from ravl.store.collection import Collection
from tests.memory.hammer import PROCESSES, SIZES, ids, prepare
from tests.memory.soundness import find_colour_encoder, is_sound

ROOT = Path(__file__).parents[2]
FIELDS = ("label", "texts", "tags", "qa")  # of process 0, 1, 2, 3
EMPTY: dict[str, Any] = {"label": None, "texts": [], "tags": [], "qa": []}


def hammer(file: Path, folder: Path, count: int) -> list[dict[str, Any]]:
    """What each process expects."""
    command = [sys.executable, "-m", "tests.memory.hammer", str(file), str(folder)]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(
            [*command, str(i), str(count)], stdin=pipe, stdout=pipe, text=True, cwd=ROOT
        )
        for i in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES
    return [json.loads(answer) for answer in answers]


@pytest.mark.parametrize("count", [60, pytest.param(2_500, marks=pytest.mark.slow)])
def test_four_processes_change_one_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(Collection, "_find_encoder", find_colour_encoder)
    file, folder = tmp_path / "m.ravl", tmp_path / "pictures"
    prepare(file, folder)
    told = hammer(file, folder, count)
    counts: Counter[str] = sum((Counter(each["counts"]) for each in told), Counter())
    print(dict(counts))
    assert counts.total() - counts["refused"] >= PROCESSES * count
    with Memory.open(file) as memory:
        is_sound(memory)
        trashed = {entry.row.id: entry.row for entry in memory.trashed()}
        assert sorted(trashed) == sorted(told[2]["trashed"])
        there = {row.id: row for row in memory.rows()}
        own = {id: texts for each in told for id, texts in each["own"].items()}
        groups = {id for group in SIZES for id in ids(group)}
        assert set(there) == (groups | set(own)) - set(trashed) - set(told[0]["deleted"])
        for id, texts in own.items():
            assert list(there[id].texts) == texts
        for id in groups & (set(there) | set(trashed)):
            row = there.get(id) or trashed[id]
            columns = {k: v for each in told for k, v in each["columns"].get(id, {}).items()}
            assert dict(row.columns) == columns, id
            said = {"qa": [], **EMPTY, **row.to_json()}
            for name, each in zip(FIELDS, told, strict=True):
                expected = each["fields"].get(id, EMPTY[name])
                if name == "texts" and id in told[1]["captions"]:
                    expected = [told[1]["captions"][id]]
                assert said[name] == expected, (id, name)
        for id, hash_ in told[3]["hashes"].items():
            assert there[id].hash == hash_
