"""Options made of a settings dataclass: each is written once, with its help and its default.

They are made when the command is called or its help is shown, so that ``ravl --help`` imports
nothing of the training.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click


class SettingsCommand(click.Command):
    """A command with the options of a task's settings beside its own.

    Args:
        task: whose settings, see :func:`ravl.tasks.fit.settings_of`.
    """

    def __init__(self, *args: Any, task: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._task = task
        self._made = False

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own options, and those of the settings."""
        if not self._made:
            self._made = True
            self.params += settings_options(self._task)
        return super().get_params(ctx)


def settings_options(task: str) -> list[click.Parameter]:
    """One option for each field of a task's settings; what is not given is None."""
    from ravl.tasks.fit import settings_of
    from ravl.training.described import described

    kind = settings_of(task)
    words, hints = described(kind), get_type_hints(kind)
    return [_option(f, hints[f.name], words.get(f.name, "")) for f in fields(kind)]


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, by name."""
    return {k: v for k, v in options.items() if v is not None and v != ()}


def _option(field: Field[Any], hint: Any, words: str) -> click.Option:
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


def data_options(command: Any) -> Any:
    """What tables of pictures are called, and what their columns are called."""
    for option in reversed(
        (
            click.option(
                "--data",
                type=click.Path(path_type=Path),
                help="A table or folder of labelled pictures. [default: what MEMORY says]",
            ),
            click.option("--validation", help="A table, or a filter. [default: some are drawn]"),
            click.option("--test", help="A table, or a filter. [default: some are drawn]"),
            *column_options,
        )
    ):
        command = option(command)
    return command


column_options = (
    click.option(
        "--root", type=click.Path(path_type=Path), help="The folder that a table's pictures lie in."
    ),
    click.option("--image-column", help="The table's column with the picture's path."),
    click.option("--label-column", help="The column with the label."),
    click.option("--tags-column", help="The column with the tags."),
    click.option("--text-column", multiple=True, help="A column with texts; may be repeated."),
    click.option("--question-column", help="The column with a question."),
    click.option("--answer-column", help="The column with its answer."),
)


def column_names(options: dict[str, Any]) -> Any:
    """Takes the column options out of the others; None where none was given."""
    from ravl.data import ColumnNames

    names = ("image", "label", "tags", "question", "answer")
    found = {name: options.pop(f"{name}_column", None) for name in names}
    found["texts"] = options.pop("text_column", ()) or None
    named = {k: v for k, v in found.items() if v is not None}
    return ColumnNames(**named) if named else None
