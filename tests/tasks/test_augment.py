from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ravl.data import Example
from ravl.errors import QueryError
from ravl.memory import Memory
from ravl.tasks.augment import augment
from ravl.tasks.caption.model import CaptionModel
from ravl.tasks.match_texts import MatchTask
from tests.helpers import draw


@pytest.fixture
def memory(tmp_path: Path, empty: Memory) -> Memory:
    """Six red pictures with captions, and three without."""
    rows = []
    for i in range(9):
        file = tmp_path / f"{i}.png"
        draw(i, "red").save(file)
        texts = (f"a red picture, number {i}",) if i < 6 else ()
        rows.append(Example(f"{i}", file, texts=texts))
    empty.add(rows)
    return empty


def model_of(memory: Memory, task: str = "caption") -> Any:
    """A run by name only; a memory's own consensus writes."""
    predictor = CaptionModel(memory)
    run = SimpleNamespace(folder=Path("runs/texts"))
    return SimpleNamespace(task=task, memory=memory, run=run, caption=predictor.caption)


def test_only_silent_rows_are_written_for(memory: Memory) -> None:
    done = augment(model_of(memory), progress=False)
    assert done.written == 3
    for row in memory.rows():
        assert ("generated_caption" in row.columns) == (int(row.id) >= 6)
    new = memory.get("7")
    assert "red picture" in str(new.columns["generated_caption"])
    assert new.columns["generated_by"] == "texts"
    assert 0 <= float(str(new.columns["generated_confidence"])) <= 1


def test_it_is_kept_apart_unless_asked_for(memory: Memory) -> None:
    augment(model_of(memory), progress=False)
    row = memory.get("7")
    assert row.texts == ()
    assert MatchTask().of(row) == ()
    assert MatchTask(generated=True).of(row) == (row.columns["generated_caption"],)
    human = memory.get("1")
    assert MatchTask(generated=True).of(human) == human.texts


def test_repeated_it_goes_on_with_the_rest(memory: Memory) -> None:
    assert augment(model_of(memory), limit=2, progress=False).written == 2
    assert augment(model_of(memory), progress=False).written == 1
    assert augment(model_of(memory), progress=False).written == 0


def test_unsure_ones_are_left_alone(memory: Memory) -> None:
    done = augment(model_of(memory), least=1.0, progress=False)
    assert (done.written, done.unsure) == (0, 3)


def test_a_picture_that_has_gone_is_counted(memory: Memory, tmp_path: Path) -> None:
    (tmp_path / "8.png").unlink()
    done = augment(model_of(memory), progress=False)
    assert (done.written, done.broken) == (2, 1)


def test_all_is_one_version_that_can_be_looked_up(memory: Memory) -> None:
    before = memory.history(limit=1)[0].number
    augment(model_of(memory), progress=False)
    (last,) = memory.history(limit=1)
    assert last.number == before + 1
    assert last.what == "augment: caption by texts"


def test_a_filter_says_which(memory: Memory) -> None:
    assert augment(model_of(memory), where='id = "7"', progress=False).written == 1


def test_other_tasks_and_shares_are_refused(memory: Memory) -> None:
    with pytest.raises(QueryError, match="match"):
        augment(model_of(memory, "match"))
    alone = model_of(memory)
    alone.run, alone.task = None, None
    with pytest.raises(QueryError, match="is a memory"):
        augment(alone)
    with pytest.raises(QueryError, match="between 0 and 1"):
        augment(model_of(memory), least=2)
