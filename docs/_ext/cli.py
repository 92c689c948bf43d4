"""The command line's reference, from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import click
from docs._ext.words import escaped

from ravl.cli import cli
from ravl.cli.settings import SettingsCommand

DEFAULT = re.compile(r"\s*\[default: (?P<value>.*)\]$", re.DOTALL)
VERBATIM = "\b"  # click's mark of a paragraph that is kept as it is


def commands(group: click.Group = cli, path: str = "ravl") -> Iterator[tuple[str, click.Command]]:
    """All commands by their full name, such as ``ravl fit classify``; groups before their own."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


def reference(names: Sequence[str]) -> str:
    """Sections of the commands with these names, and of what is below them.

    Raises:
        KeyError: there is no such command.
    """
    return "\n".join(_command(f"ravl {name}", cli.commands[name], "##") for name in names)


def label(path: str) -> str:
    """By which a command's section is linked."""
    return path.replace(" ", "-")


def options(command: click.Command, path: str) -> list[click.Option]:
    """What it takes, without ``--help``; for fits with the settings."""
    context = click.Context(command, info_name=path)
    found = command.get_params(context)
    shown = (p for p in found if isinstance(p, click.Option) and not p.hidden)
    return [option for option in shown if "--help" not in option.opts]


def _command(path: str, command: click.Command, level: str) -> str:
    own = {id(option) for option in command.params}
    context = click.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(context))
    parts = [
        f"({label(path)})=\n{level} `{path}`\n",
        f"```text\n{path} {usage}\n```\n",
        _help(command.help or ""),
        f"```{{program}} {path}\n```\n",
    ]
    found = options(command, path)
    settings = isinstance(command, SettingsCommand)
    from_settings = [o for o in found if settings and (id(o) not in own or _is_setting(o, command))]
    first = [o for o in found if o not in from_settings]
    parts += [_option(option) for option in first]
    if from_settings:
        parts.append("**Settings** of the training, which `--config` may hold as well:\n")
        parts += [_option(option) for option in from_settings]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):  # some are made when they are asked for
            found_command = command.get_command(context, name)
            assert found_command is not None
            parts.append(_command(f"{path} {name}", found_command, level + "#"))
    return "\n".join(parts)


def _is_setting(option: click.Option, command: Any) -> bool:
    from ravl.cli.settings import is_setting

    return is_setting(str(option.name), command._task)


def _help(text: str) -> str:
    """click's help as Markdown: paragraphs are one line each, marked ones stay as they are."""
    parts = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = [line.rstrip() for line in paragraph.splitlines()]
        if lines and lines[0].strip() == VERBATIM:
            parts.append("```text\n" + "\n".join(line.strip() for line in lines[1:]) + "\n```\n")
        else:
            parts.append(escaped(" ".join(line.strip() for line in lines)) + "\n")
    return "\n".join(parts)


def _option(option: click.Option) -> str:
    names = [*sorted(option.opts, key=len), *option.secondary_opts]
    words, default = _words(option)
    value = _value(option)
    signature = ", ".join(f"{name} <{value}>" if value else name for name in names)
    notes = []
    if isinstance(option.type, click.Choice):
        notes.append("One of " + ", ".join(f"`{choice}`" for choice in option.type.choices) + ".")
    if isinstance(option.type, click.IntRange) and option.type.min is not None:
        upper = f" to {option.type.max}" if option.type.max is not None else " or more"
        notes.append(f"{option.type.min}{upper}.")
    if option.multiple and "repeated" not in words:
        notes.append("May be repeated.")
    if option.required:
        notes.append("Required.")
    elif default:
        notes.append(f"Default: {default}.")
    text = " ".join([escaped(words), *notes])
    return f":::{{option}} {signature}\n{text}\n:::\n"


def _words(option: click.Option) -> tuple[str, str]:
    """Its help, and its default in words; settings say it at the end of their help."""
    words = option.help or ""
    if found := DEFAULT.search(words):
        value = found["value"]
        plain = " " in value and not re.search(r"[{|]", value)  # in words, not as it is typed
        return words[: found.start()], escaped(value) if plain else f"`{value}`"
    if option.show_default and option.default not in (None, "", (), False):
        return words, f"`{option.default}`"
    return words, ""


def _value(option: click.Option) -> str:
    if option.is_flag or option.count:
        return ""
    if option.metavar:
        return option.metavar.lower()
    if isinstance(option.type, click.Choice):
        return "choice"
    if isinstance(option.type, click.Path):
        return "path"
    return {"integer": "number", "integer range": "number", "float": "number"}.get(
        option.type.name, option.type.name
    )
