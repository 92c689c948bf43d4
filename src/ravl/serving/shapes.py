"""What a task takes and gives over REST, made of what the task says of itself.

``ClassifyOne`` and ``ClassifyMany`` are the bodies, ``ClassifyAnswer`` is an answer, and
``ClassifyResult`` and ``ClassifyResults`` are the responses, named by the command of the task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Field, create_model

from ravl.json_types import JsonObject
from ravl.serving.bodies import (
    Body,
    PictureIn,
    RunChoice,
    Text,
    Texts,
    example,
    picture_field,
    pictures_field,
)
from ravl.serving.results import ANSWER, AnswerOut, Unread, shown, wrapped
from ravl.tasks import registry
from ravl.tasks.contract import Task
from ravl.tasks.options import Option
from ravl.training.described import described

Definition = Any  # of a field for pydantic: a pair of its type and what it says of itself
PICTURES = ({"id": "shirts/17.jpg"}, {"id": "hats/3.jpg"})


@dataclass(frozen=True)
class Shape:
    """A command as an endpoint.

    Args:
        command: the word of the address.
        task: the usual task behind it.
        one, many: bodies.
        answer: what one answer looks like.
        streams: whether any task behind the command writes texts.
    """

    command: str
    task: Task
    one: type[Body]
    many: type[Body]
    answer: type[AnswerOut]
    streams: bool

    def result(self, field: str) -> type[BaseModel]:
        """The whole response with ``answer``, or with ``answers``."""
        one, words = shown(self.answer), f"Of {self.command}: "
        if field == "answer":
            return wrapped(
                _name(self.command, "Result"), f"{words}the answer.", answer=(self.answer, one)
            )
        return wrapped(
            _name(self.command, "Results"),
            f"{words}the answers, in their order; an error for a picture that cannot be read.",
            answers=(list[self.answer | Unread], [one]),  # type: ignore[name-defined]
        )


@cache
def shape_of(command: str) -> Shape:
    """The shape of a command.

    Raises:
        DataError: there is no such task.
    """
    tasks = registry.of_command(command)
    options = {option.name: option for task in tasks for option in task.options}
    return Shape(
        command,
        tasks[0],
        _body(tasks[0], options, many=False),
        _body(tasks[0], options, many=True),
        _answer(tasks[0]),
        any(task.writes for task in tasks),
    )


def _body(task: Task, options: Mapping[str, Option], many: bool) -> type[Body]:
    """What is sent: options, one picture or several, and what is said beside them."""
    fields: dict[str, Definition] = {name: _option(option) for name, option in options.items()}
    body: JsonObject = {}
    if many:
        fields["pictures"] = (list[PictureIn], pictures_field)
        body["pictures"] = list(PICTURES[: 1 if task.beside else 2])
    else:
        fields["picture"] = (PictureIn | None, picture_field)
        body["picture"] = PICTURES[0]
    if task.beside:
        words = task.answer_example()[task.beside]
        about = f"The {task.beside}{'s' if many else ''} beside the picture{'s' if many else ''}."
        name = f"{task.beside}s" if many else task.beside
        fields[name] = (Texts if many else Text, Field(description=about))
        body[name] = [words] if many else words
    what = f"{task.summary}{': several pictures' if many else ''}."
    made = create_model(
        _name(task.command, "Many" if many else "One"), __base__=RunChoice, __doc__=what, **fields
    )
    made.model_config = {**made.model_config, **example(**body)}
    made.model_rebuild(force=True)
    return made


def _option(option: Option) -> Definition:
    """The type of a field and what it says of itself."""
    kinds: dict[type, Any] = {str: Text, tuple: Texts}
    kind = kinds.get(option.kind, option.kind)
    if option.kind is tuple:
        return kind, Field(default_factory=list, description=option.help)
    field = Field(option.default, description=option.help, ge=option.low, le=option.high)
    return (kind | None if option.default is None else kind), field


def _answer(task: Task) -> type[AnswerOut]:
    """An answer: the fields of its class that the task shows, and what all answers have."""
    kind = task.answer_type()
    hints, words, fields = get_type_hints(kind), described(kind), task.answer_example()
    types: dict[str, Definition] = {
        name: (_json_type(hints.get(name, Any)), Field(description=_sentence(words.get(name))))
        for name in fields
    }
    made = create_model(
        _name(task.command, "Answer"),
        __base__=AnswerOut,
        __doc__=(kind.__doc__ or "").splitlines()[0].replace("``", "`"),
        **types,
    )
    made.model_config = {**made.model_config, **example(**fields, **ANSWER)}
    made.model_rebuild(force=True)
    return made


def _json_type(hint: object) -> Any:
    """The type of a field as JSON has it; what is no number is null there."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple:
        return list[_json_type(inner[0])]  # type: ignore[misc]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        value = _json_type(inner[1])
        return dict[str, value | None if value is float else value]  # type: ignore[misc]
    return hint


def _sentence(words: str | None) -> str | None:
    if not words:
        return None
    first = words[:1].upper() + words[1:]
    return first if first.endswith(".") else f"{first}."


def _name(command: str, what: str) -> str:
    return f"{''.join(part.capitalize() for part in command.split('_'))}{what}"
