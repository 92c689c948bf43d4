"""Options of answers: what REST and the command line read, and what type checkers read."""

from __future__ import annotations

from typing import get_type_hints

from ravl.models.generation.base import Decoding
from ravl.tasks import registry
from ravl.tasks.options import HOW, WRITING, AnswerOptions, DecodingOptions, WritingOptions


def test_both_forms_have_the_same_names() -> None:
    names = {"Decoding": Decoding}
    assert [option.name for option in HOW] == list(get_type_hints(AnswerOptions))
    writing = get_type_hints(WritingOptions, localns=names)
    assert {option.name for option in WRITING} == writing.keys() - {"how"}


def test_single_values_of_the_decoding_are_its_fields() -> None:
    assert DecodingOptions.__annotations__.keys() <= Decoding.__dataclass_fields__.keys()


def test_every_task_takes_what_all_take() -> None:
    for task in registry.tasks():
        assert set(HOW) <= set(task.options)
        assert not task.writes or set(WRITING) <= set(task.options)
