"""Options of the command line: their type as a dictionary, and groups that commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import click

Options = dict[str, Any]  # what click read, by name; each option has a type of its own
C = TypeVar("C", bound=Callable[..., object] | click.Command)


class Decorator(Protocol):
    """What ``click.option`` returns."""

    def __call__(self, command: C, /) -> C:
        """The same command, with the option."""


def with_options(options: Sequence[Decorator]) -> Decorator:
    """A decorator that adds options to a command, in their order."""

    def add(command: C) -> C:
        for option in reversed(options):
            command = option(command)
        return command

    return add
