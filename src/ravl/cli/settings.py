"""Options from a settings dataclass, with the help and default of each field.

They are created when the command is called or its help is shown, so ``ravl --help`` does not import
the training.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import click

from ravl.cli.options import Decorator, Options, with_options

if TYPE_CHECKING:
    from ravl.data import ColumnNames

column_options: tuple[Decorator, ...] = (
    click.option(
        "--root", type=click.Path(path_type=Path), help="The folder of a table's pictures."
    ),
    click.option("--image-column", help="The table's column with the picture's path."),
    click.option("--label-column", help="The column with the label."),
    click.option("--tags-column", help="The column with the tags."),
    click.option("--text-column", multiple=True, help="A column with texts; may be repeated."),
    click.option("--question-column", help="The column with a question."),
    click.option("--answer-column", help="The column with its answer."),
)
data_options = with_options(  # tables of pictures and their columns
    (
        click.option(
            "--data",
            type=click.Path(path_type=Path),
            help="A table or folder of labelled pictures. [default: the rows of MEMORY]",
        ),
        click.option("--validation", help="A table, or a filter. [default: random]"),
        click.option("--test", help="A table, or a filter. [default: random]"),
        *column_options,
    )
)


class SettingsCommand(click.Command):
    """A command with its own options and those of a task's settings.

    Args:
        task: the name of the task on the command line.
    """

    def __init__(self, *args: Any, task: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._task = task
        self._made = False

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own options, and those of the settings."""
        if not self._made:
            self._made = True
            self.params += settings_options(self._task)
        return super().get_params(ctx)


def settings_options(command: str) -> list[click.Parameter]:
    """One option for each setting of a task; None if not given."""
    from ravl.tasks.registry import of_command
    from ravl.training.described import described

    found: dict[str, tuple[Field[Any], object, str]] = {}
    for task in of_command(command):
        kind = task.settings()
        words, hints = described(kind), get_type_hints(kind)
        for f in fields(kind):
            hint = hints[f.name]
            if f.name in found and get_origin(hint) is Literal:  # choices of either task
                hint = Literal[(*get_args(found[f.name][1]), *get_args(hint))]
                found[f.name] = (found[f.name][0], hint, found[f.name][2])
            found.setdefault(f.name, (f, hint, words.get(f.name, "")))
    return [_option(*each) for each in found.values()]


def is_setting(name: str, command: str) -> bool:
    """True if an option of ``ravl fit`` is a setting, which ``--config`` can contain, too."""
    from ravl.tasks.registry import of_command

    return any(f.name == name for task in of_command(command) for f in fields(task.settings()))


def given(options: Options) -> Options:
    """The options that were given, by name."""
    return {k: v for k, v in options.items() if v is not None and v != ()}


def _option(field: Field[Any], hint: object, words: str) -> click.Option:
    flag = "--" + field.name.replace("_", "-")
    default = field.default if field.default is not MISSING else ""
    shown = " | ".join(default) if isinstance(default, tuple) else default
    help = f"{words[:1].upper()}{words[1:]} [default: {shown if shown != '' else 'none'}]"
    if hint is bool:
        off = "--no-" + field.name.replace("_", "-")
        return click.Option([f"{flag}/{off}"], default=None, help=help)
    if get_origin(hint) is tuple:
        return click.Option([flag], multiple=True, help=help)
    if get_origin(hint) is Literal:
        return click.Option([flag], type=click.Choice(get_args(hint)), help=help)
    return click.Option([flag], type=hint, help=help)


def column_names(options: Options) -> ColumnNames | None:
    """Remove the column options from the others; None if no column was given."""
    from ravl.data import ColumnNames

    names = ("image", "label", "tags", "question", "answer")
    found = {name: options.pop(f"{name}_column", None) for name in names}
    found["texts"] = options.pop("text_column", ()) or None
    named = {k: v for k, v in found.items() if v is not None}
    return ColumnNames(**named) if named else None
