"""Commands that stand for tasks: made when they are asked for, also for a task of a package."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ravl.cli.answering import (
    PLACE,
    expanded,
    place_argument,
    predict_each,
    print_answers,
    shown_options,
)
from ravl.cli.options import Options
from ravl.cli.remote import PlaceCommand, pipeline_at

if TYPE_CHECKING:
    from ravl.tasks.contract import Task
    from ravl.tasks.options import Option


class TaskGroup(click.Group):
    """A group that has a command for each task that answers.

    The tasks are looked up when the group lists its commands or is asked for one that it does not
    have, so that ``ravl --help`` stays quick.

    Args:
        make: the command of a task.
        in_order: list the commands as they were added, and not by letter.
    """

    def __init__(
        self,
        *args: Any,
        make: Callable[[Task], click.Command],
        in_order: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._make = cache(make)
        self._in_order = in_order

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (of click)
        """Names of all commands."""
        from ravl.tasks.registry import tasks

        names = list(dict.fromkeys([*self.commands, *(t.command for t in tasks() if t.answers)]))
        return names if self._in_order else sorted(names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; None for no such."""
        if (own := super().get_command(ctx, cmd_name)) is not None:
            return own
        from ravl.tasks.registry import tasks

        found = next((t for t in tasks() if t.answers and t.command == cmd_name), None)
        return None if found is None else self._make(found)


def answering_command(task: Task) -> click.Command:
    """``ravl NAME RUN PICTURES...``: the answers of a task, with their evidence."""
    beside = task.beside

    @place_argument
    @click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
    def run(
        run: Path | str,
        pictures: tuple[Path, ...],
        as_json: bool,
        shown: int,
        **others: object,
    ) -> int:
        options: Options = others
        texts = list(options.pop(beside)) if beside else None
        wanted = expanded(pictures)
        with pipeline_at(run, task.command, options) as pipeline:
            answers = predict_each(pipeline, wanted, texts, options)
        return print_answers(wanted, answers, as_json, shown)

    arguments: list[click.Parameter] = list(reversed(getattr(run, "__click_params__", [])))
    options: list[click.Parameter] = [_option(option) for option in task.options]
    if beside:
        words = f"A {beside}: one for all pictures, or one for each, in their order."
        given = click.Option([f"--{beside}"], multiple=True, required=True, help=words)
        options.insert(0, given)
    for add in reversed((*PLACE, *shown_options)):
        add(run)
    others = [p for p in reversed(getattr(run, "__click_params__", [])) if p not in arguments]
    return PlaceCommand(
        task.command,
        callback=run,
        help=f"{task.summary}: ravl {task.command} RUN new.jpg",
        params=[*arguments, *options, *others],
    )


def _option(option: Option) -> click.Option:
    """An option of answers on the command line; what is usually true is switched off."""
    flag, help = option.name.replace("_", "-"), option.help
    dashes = "-" if len(flag) == 1 else "--"
    if option.kind is bool and option.default is True:
        return click.Option(
            [f"--no-{flag}", option.name], is_flag=True, flag_value=False, default=True, help=help
        )
    if option.kind is bool:
        return click.Option([f"--{flag}"], is_flag=True, default=option.default, help=help)
    if option.kind is tuple:
        return click.Option([f"--{flag}"], multiple=True, help=help)
    return click.Option([f"{dashes}{flag}"], type=option.kind, default=option.default, help=help)
