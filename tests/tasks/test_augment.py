from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ravl.data import QA, Example
from ravl.errors import QueryError
from ravl.memory import Memory
from ravl.runs.row_texts import TextTargets
from ravl.tasks.augment import augment, usual_questions
from ravl.tasks.caption.model import CaptionPipeline
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
    predictor = CaptionPipeline(memory)
    run = SimpleNamespace(folder=Path("runs/texts"), record={"task": task})
    return SimpleNamespace(memory=memory, run=run, predictor=predictor)


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
    assert TextTargets().of(row) == ()
    assert TextTargets(generated=True).of(row) == (row.columns["generated_caption"],)
    human = memory.get("1")
    assert TextTargets(generated=True).of(human) == human.texts


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
    alone.run = None
    with pytest.raises(QueryError, match="is a memory"):
        augment(alone)
    with pytest.raises(QueryError, match="between 0 and 1"):
        augment(model_of(memory), least=2)


class Replies:
    """A run of ask that is sure of colours and of nothing else."""

    def __init__(self, memory: Memory) -> None:
        self.memory, self.predictor = memory, self
        self.run = SimpleNamespace(folder=Path("runs/asked"), record={"task": "ask"})

    def look(self, pictures: list[Any], questions: list[str]) -> list[str]:
        assert len(pictures) == len(questions)
        return questions

    def results(self, questions: list[str]) -> list[Any]:
        return [
            SimpleNamespace(question=q, answer="red", confidence=0.9 if "colour" in q else 0.2)
            for q in questions
        ]


def test_questions_are_answered_where_nothing_was_asked(memory: Memory) -> None:
    memory.update("0", qa=[QA("what colour is it?", ("red",)), QA("how many?", ("1",))])
    memory.update("1", qa=[QA("what colour is it?", ("red",))])
    assert usual_questions(memory) == ["what colour is it?", "how many?"]
    done = augment(Replies(memory), least=0.5, progress=False)  # type: ignore[arg-type]
    assert (done.written, done.unsure, done.column) == (7, 0, "generated_qa")
    row = memory.get("7")
    assert row.qa == ()
    pairs = json.loads(str(row.columns["generated_qa"]))
    assert pairs == [{"question": "what colour is it?", "answer": "red"}]
    assert row.columns["generated_confidence"] == pytest.approx(0.9)
    assert "generated_qa" not in memory.get("0").columns


def test_questions_may_be_named_and_answers_be_too_unsure(memory: Memory) -> None:
    run: Any = Replies(memory)
    done = augment(run, least=0.5, questions=["how many?"], progress=False)
    assert (done.written, done.unsure) == (0, 9)
    done = augment(run, questions=["how many?"], progress=False)
    assert done.written == 9


def test_without_any_question_nothing_is_written(memory: Memory) -> None:
    done = augment(Replies(memory), progress=False)  # type: ignore[arg-type]
    assert (done.written, done.unsure) == (0, 9)


def test_questions_for_a_run_that_answers_none(memory: Memory) -> None:
    with pytest.raises(QueryError, match="answers no questions"):
        augment(model_of(memory), questions=["what?"], progress=False)
