"""What a server takes as an answer of a task: never a number, where the task answers in texts."""

from __future__ import annotations

from typing import Any

import pytest

from ravl.tasks import registry

COMMANDS = ("search", "match", "classify", "tag", "caption", "ask")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("value", [0.0, 1, [0.5], ["a", 2], [["a"]], {"a": "b"}])
def test_numbers_are_no_answers(command: str, value: Any) -> None:
    (task, *_) = registry.of_command(command)
    with pytest.raises(ValueError, match="an answer of"):
        task.shaped(value)


@pytest.mark.parametrize(("command", "answer"), [("tag", ["new"]), ("search", ["a.jpg", "b.jpg"])])
def test_texts_are_answers(command: str, answer: list[str]) -> None:
    (task, *_) = registry.of_command(command)
    assert task.shaped(list(answer)) == answer
    assert task.shaped(answer[0]) == answer[:1]
